"""Plans that start, wait and end by themselves: windows, schedules, gates, reopening, on a real log with real timers."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest_asyncio

from contracts.commands import CompleteItem, ExecuteItem, PutWorkflow, StartPlan
from contracts.moments import EPOCH
from contracts.plan_events import (
    GateOpened,
    GatePassed,
    ItemStarted,
    PlanApproved,
    PlanCancelled,
    PlanReopened,
    PlanSubmitted,
)
from contracts.run import run_id
from contracts.seal import seal_of
from contracts.values import (
    Approval,
    ApprovalLevel,
    ApprovalRule,
    GateName,
    GateRule,
    Gates,
    Item,
    Rules,
    Schedule,
    TextSpec,
    Window,
)
from infra.clock import SetClock
from infra.projection import Projector, rebuild
from infra.tail import Wake
from services.executor.projections import OpenAttempts
from tests.support.executing import ADMIN, House, deploy, open_house, script, workflow_item
from tests.support.servers import Postgres
from tests.support.wait import eventually

NOON = datetime(2031, 5, 4, 12, tzinfo=UTC)
ASKED = Approval(levels=(ApprovalLevel(rules=(ApprovalRule(approvers=("user:ada",)),)),))
NOTES = Item(id="notes", name="notes", spec=TextSpec())


@pytest_asyncio.fixture(loop_scope="session")
async def house(postgres: Postgres, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(await postgres.fresh_database(), tmp_path) as one:
        yield one


def clock_at(moment: datetime) -> SetClock:
    return SetClock((moment - EPOCH) // timedelta(microseconds=1))


async def status_is(house: House, plan: str, status: str) -> None:
    async def check() -> bool:
        found = (await house.read(plan)).status
        assert found == status, found
        return True

    await eventually(check, what=f"the plan is {status}")


async def types_of(house: House, plan: str) -> list[str]:
    return [fact.type for fact in await house.admin.read_stream(f"plan-{plan}")]


async def approve(house: House, plan: str) -> None:
    seal = (await house.read(plan)).seal
    assert seal is not None
    await house.append(plan, PlanSubmitted(round=1, seal=seal.value), PlanApproved(round=1, seal=seal.value))


async def pass_gate(house: House, plan: str, gate: GateName) -> None:
    opened = GateOpened(gate=gate, round=1, instance_code="0" * 16, deadline=2**52)
    await house.append(plan, opened, GatePassed(gate=gate, round=1))


async def settle_down(house: House, *executors: Any) -> None:
    """The executors have seen everything that is in the log, and have nothing on their hands."""
    head = await house.admin.head()

    def seen() -> bool:
        reactors = [one.executor.reactor for one in executors]
        return all(reactor.position >= head.position and not reactor.busy for reactor in reactors)

    await eventually(seen, what="the executors have seen it all")


async def test_approval_starts_the_plan_and_completing_all_ends_it(house: House) -> None:
    async with house.executor() as executor:
        plan = await house.plan(NOTES, approval=ASKED)
        await approve(house, plan)
        await status_is(house, plan, "executing")
        await executor.ask(CompleteItem(plan=plan, item="notes", remark="done"))
    found = await types_of(house, plan)
    assert found[-5:] == [
        "plan.start_requested.v1",
        "plan.execution_started.v1",
        "item.completed.v1",
        "plan.items_settled.v1",
        "plan.succeeded.v1",
    ]


async def test_what_became_due_while_no_executor_lived_is_done_at_the_next_start(house: House) -> None:
    async with house.executor():
        plan = await house.plan(NOTES, approval=ASKED)
    await approve(house, plan)
    async with house.executor():
        await status_is(house, plan, "executing")


async def test_several_executors_start_a_plan_once(house: House) -> None:
    async with house.executor() as one, house.executor() as two, house.executor() as three:
        plan = await house.plan(NOTES, approval=ASKED)
        await approve(house, plan)
        await status_is(house, plan, "executing")
        await settle_down(house, one, two, three)
    found = await types_of(house, plan)
    assert found.count("plan.start_requested.v1") == found.count("plan.execution_started.v1") == 1


async def test_every_step_of_the_executor_itself_has_an_actor_and_a_cause(house: House) -> None:
    async with house.executor():
        plan = await house.plan(NOTES, approval=ASKED)
        await approve(house, plan)
        await status_is(house, plan, "executing")
    facts = await house.admin.read_stream(f"plan-{plan}")
    approved = next(fact for fact in facts if fact.type == "plan.approved.v1")
    for fact in facts[-2:]:
        assert (fact.actor, fact.channel, fact.cause) == ("service:executor", "system", approved.position)


async def test_an_approved_plan_waits_for_its_window(house: House) -> None:
    clock = clock_at(NOON - timedelta(hours=1))
    async with house.executor(clock=clock) as executor:
        plan = await house.plan(NOTES, approval=ASKED, window=Window(start=NOON, end=NOON + timedelta(hours=2)))
        await approve(house, plan)
        await settle_down(house, executor)
        assert (await house.read(plan)).status == "finish_planning"
        refused = await executor.refused(StartPlan(plan=plan))
        assert (refused.code, refused.facts["opens"]) == ("outside_window", "2031-05-04T12:00:00Z")
        clock.advance(3600)
        await status_is(house, plan, "executing")


async def test_the_windows_end_times_out_and_cancels_what_runs_where_the_plan_says_so(house: House) -> None:
    clock = clock_at(NOON)
    rules = Rules(on_window_end="cancel_running")
    async with house.executor(clock=clock) as executor:
        definition = await executor.put(deploy(script("sleep 1000", timeout_seconds=86_400)))
        window = Window(start=NOON, end=NOON + timedelta(hours=1))
        plan = await house.executing(workflow_item(), NOTES, definition=definition, window=window, rules=rules)
        await executor.ask(ExecuteItem(plan=plan, item="deploy"))
        await _begun(house, plan)
        clock.advance(3600)
        await status_is(house, plan, "timeout")
        await eventually(lambda: _ended(house, plan, "cancelled"))
    times_out = (await house.admin.read_stream(f"plan-{plan}"))[-2]
    assert times_out.type == "plan.timed_out.v1"
    assert times_out.payload == b'{"reason":"window_end","open":["notes"],"running":["deploy"]}'


async def test_the_windows_end_lets_running_work_finish_by_default(house: House, tmp_path: Path) -> None:
    clock, go = clock_at(NOON), tmp_path / "go"
    async with house.executor(clock=clock) as executor:
        definition = await executor.put(
            deploy(script(f"while [ ! -e {go} ]; do sleep 0.05; done", timeout_seconds=86_400))
        )
        window = Window(start=NOON, end=NOON + timedelta(hours=1))
        plan = await house.executing(workflow_item(), definition=definition, window=window)
        await executor.ask(ExecuteItem(plan=plan, item="deploy"))
        await _begun(house, plan)
        clock.advance(3600)
        await status_is(house, plan, "timeout")
        go.touch()
        await eventually(lambda: _ended(house, plan, "done"))
    assert (await house.read(plan)).status == "timeout"
    assert (await house.item(plan)).status == "done"


async def _begun(house: House, plan: str) -> None:
    async def check() -> bool:
        return bool(await house.run_events(run_id(plan, "deploy", 1), "run.step_started.v1"))

    await eventually(check, what="the step has begun")


async def _ended(house: House, plan: str, outcome: str) -> bool:
    return (await house.item(plan)).attempts[-1].outcome == outcome


async def test_a_plan_that_waits_for_approval_times_out_as_well(house: House) -> None:
    clock = clock_at(NOON)
    async with house.executor(clock=clock):
        plan = await house.plan(NOTES, approval=ASKED, window=Window(start=NOON, end=NOON + timedelta(hours=1)))
        seal = (await house.read(plan)).seal
        assert seal is not None
        await house.append(plan, PlanSubmitted(round=1, seal=seal.value))
        clock.advance(3600)
        await status_is(house, plan, "timeout")
    assert (await house.read(plan)).approval.state == "closed"


async def test_the_schedule_starts_the_plan(house: House) -> None:
    clock = clock_at(NOON - timedelta(minutes=1))
    async with house.executor(clock=clock) as executor:
        plan = await house.plan(NOTES, schedule=Schedule(at=NOON))
        await settle_down(house, executor)
        assert (await executor.refused(StartPlan(plan=plan))).code == "before_schedule"
        clock.advance(60)
        await status_is(house, plan, "executing")
    assert (await house.read(plan)).start_requested == "schedule"


async def test_a_schedule_that_was_slept_through_is_recorded_once_and_left_to_the_owner(house: House) -> None:
    async with house.executor(clock=clock_at(NOON - timedelta(hours=1))):
        plan = await house.plan(NOTES, schedule=Schedule(at=NOON, catch_up_seconds=600))
    async with house.executor(clock=clock_at(NOON + timedelta(hours=1))) as executor:
        await eventually(lambda: _missed(house, plan))
        await settle_down(house, executor)
        assert (await types_of(house, plan)).count("plan.schedule_missed.v1") == 1
        await executor.ask(StartPlan(plan=plan))
        await status_is(house, plan, "executing")


async def _missed(house: House, plan: str) -> bool:
    return (await house.read(plan)).schedule_missed


async def test_gates_hold_the_start_and_the_end_until_they_pass(house: House) -> None:
    async with house.executor() as executor:
        plan = await house.plan(NOTES, gates=Gates(start_execute=GateRule(), all_job_done=GateRule()))
        await executor.ask(StartPlan(plan=plan))
        await settle_down(house, executor)
        assert (await house.read(plan)).status == "wait_for_execute_external_check"
        await pass_gate(house, plan, "start_execute")
        await status_is(house, plan, "executing")
        await executor.ask(CompleteItem(plan=plan, item="notes"))
        await status_is(house, plan, "wait_for_all_done_external_check")
        await pass_gate(house, plan, "all_job_done")
        await status_is(house, plan, "success")


async def test_reopening_ends_what_runs_and_the_item_can_run_again(house: House, tmp_path: Path) -> None:
    go = tmp_path / "go"
    async with house.executor() as executor:
        definition = await executor.put(deploy(script(f"while [ ! -e {go} ]; do sleep 0.05; done")))
        plan = await house.executing(workflow_item(), definition=definition)
        await executor.ask(ExecuteItem(plan=plan, item="deploy"))
        await _begun(house, plan)
        sealed = (await house.read(plan)).seal
        assert sealed is not None
        content = (await house.read(plan)).content
        await house.append(plan, PlanReopened(reason="typo"), seal_of(content, sealed.workflows))
        await eventually(lambda: _ended(house, plan, "cancelled"))
        await executor.ask(StartPlan(plan=plan))
        go.touch()
        answer = await executor.ask(ExecuteItem(plan=plan, item="deploy"))
        assert answer.body["attempt"] == 2
        await status_is(house, plan, "success")
    assert [attempt.outcome for attempt in (await house.item(plan)).attempts] == ["cancelled", "done"]


async def test_a_start_races_a_cancel_and_one_of_them_is_told(house: House) -> None:
    async with house.executor() as executor:
        plan = await house.plan(NOTES)
        reply, _ = await asyncio.gather(
            executor.reply(StartPlan(plan=plan)), house.append(plan, PlanCancelled(reason="no"))
        )
        found = await types_of(house, plan)
    assert (await house.read(plan)).status == "cancel"
    assert getattr(reply, "code", "") == ("" if "plan.execution_started.v1" in found else "final")


async def test_a_workflow_is_put_once_and_then_revised(house: House) -> None:
    async with house.executor() as executor:
        definition = deploy(script("true"))
        first = await executor.ask(PutWorkflow(definition=definition), ADMIN)
        again = await executor.ask(PutWorkflow(definition=definition), ADMIN)
        other = await executor.ask(PutWorkflow(definition=deploy(script("false"))), ADMIN)
        refused = await executor.refused(PutWorkflow(definition=definition))
    assert first.body == again.body
    assert set(first.body) == {"project", "name", "revision", "digest"}
    assert (first.body["revision"], other.body["revision"]) == (1, 2)
    assert (first.version, again.version, other.version) == (1, 1, 2)
    assert refused.code == "forbidden"


async def test_an_attempt_is_in_the_sweep_from_its_intent_to_its_end_and_rebuilding_agrees(house: House) -> None:
    async with house.executor() as executor:
        definition = await executor.put(deploy(script("true")))
        ended = await house.executing(workflow_item(), definition=definition)
        await executor.ask(ExecuteItem(plan=ended, item="deploy"))
        await house.item_is(ended, "done")
    begun = await house.executing(workflow_item(), definition=definition)
    run = run_id(begun, "deploy", 1)
    await house.append(begun, ItemStarted(item="deploy", attempt=1, run=run))
    await Projector(house.admin, Wake(), OpenAttempts()).catch_up()
    query = "select run, plan from view.open_attempt order by run"
    live = [tuple(row) for row in await house.admin.pool.fetch(query)]
    await rebuild(house.admin, OpenAttempts())
    assert live == [tuple(row) for row in await house.admin.pool.fetch(query)] == [(run, begun)]


STUBBORN = "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ > {pid}; while :; do sleep 0.1; done' & wait; wait"


async def test_reopening_twice_and_cancelling_the_draft_ends_stubborn_work_and_keeps_what_was_done(
    house: House, tmp_path: Path
) -> None:
    pid, items = tmp_path / "pid", (workflow_item(), NOTES, Item(id="more", name="more", spec=TextSpec()))
    async with house.executor(kill_grace_seconds=0.3) as one, house.executor(kill_grace_seconds=0.3):
        definition = await one.put(deploy(script(STUBBORN.format(pid=pid))))
        plan = await house.executing(*items, definition=definition)
        await one.ask(CompleteItem(plan=plan, item="notes"))
        await one.ask(ExecuteItem(plan=plan, item="deploy"))
        stubborn = int(str(await eventually(lambda: pid.exists() and pid.read_text().strip(), what="the step runs")))
        sealed = (await house.read(plan)).seal
        assert sealed is not None
        again = seal_of((await house.read(plan)).content, sealed.workflows)
        await house.append(plan, PlanReopened(reason="typo"), again, PlanReopened(reason="another"))
        await eventually(lambda: not _lives(stubborn), what="the whole group is gone")
        await eventually(lambda: _ended(house, plan, "cancelled"))
        await house.append(plan, again)
        assert [(await house.item(plan, item.id)).status for item in items] == ["todo", "done", "todo"]
        await house.append(plan, PlanReopened(), PlanCancelled(reason="no"))
        await settle_down(house, one)
    assert (await house.read(plan)).status == "cancel"
    assert len((await house.item(plan)).attempts) == 1


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except FileNotFoundError:
        return False
