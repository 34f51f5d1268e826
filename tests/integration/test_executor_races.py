"""Commands that meet: each pair is sent at the same moment to two executors (and the planner's decider) on a real log.

One wins, the other is told why, and what each was told agrees with the order in the log. Repeated, because who wins is
chance; what may come out is not.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest_asyncio

from contracts.commands import (
    Accepted,
    Actor,
    AnswerGate,
    AnyCommand,
    CancelPlan,
    Command,
    Denied,
    EditPlan,
    ExecuteItem,
    ReopenPlan,
    Reply,
    Request,
    RetryItem,
    SkipItem,
    StartPlan,
    WaiveItem,
)
from contracts.evolve import fold
from contracts.moments import EPOCH, moment
from contracts.plan import Plan
from contracts.plan_events import Event, GateOpened, ItemFinished, ItemStarted
from contracts.refusals import Refused
from contracts.run import run_id
from contracts.values import Changes, GateRule, Gates, Item, Schedule, TextSpec, Window
from infra.clock import SetClock, SystemClock
from infra.commands import Desk
from infra.ids import random_id
from infra.requests import fingerprint_of
from services.hook_dispatcher.decider import gates
from services.planner import decider as planner
from tests.support.executing import ADMIN, House, deploy, open_house, script, workflow_item
from tests.support.servers import Postgres

NOON = datetime(2031, 5, 4, 12, tzinfo=UTC)
OLIVIA, OSCAR = Actor("user:olivia"), Actor("user:oscar", administrator=True)
NOTES = Item(id="notes", name="notes", spec=TextSpec())
ROUNDS = 4
TRUE = deploy(script("true"))


@pytest_asyncio.fixture(loop_scope="session")
async def house(postgres: Postgres, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(await postgres.fresh_database(), tmp_path) as one:
        yield one


class Others:
    """The planner's and the dispatcher's deciders, at a desk of their own, as their processes have one."""

    def __init__(self, house: House) -> None:
        self._desk: Desk[Plan] = Desk(house.admin, fold)

    async def reply(self, command: AnyCommand, actor: Actor = OLIVIA) -> Reply:
        at = SystemClock().now()

        async def decide(plan: Plan | None) -> Sequence[Event]:
            if isinstance(command, AnswerGate):
                return gates.answer(plan, command, at, {}, ADMIN)
            assert isinstance(command, CancelPlan | ReopenPlan | EditPlan)
            return planner.decide(plan, command, actor, at, planner.Known())

        request = Request(command, actor, random_id(), fingerprint_of(repr(command)), at)
        assert isinstance(command, CancelPlan | ReopenPlan | EditPlan | AnswerGate)
        try:
            return await self._desk.execute(request, f"plan-{command.plan}", decide)
        except Refused as refused:
            return Denied(refused.code, refused.detail, refused.faults, refused.facts)


async def together(*asked: Awaitable[Reply]) -> list[Any]:
    return await asyncio.gather(*asked)


async def types_of(house: House, plan: str) -> list[str]:
    return [fact.type for fact in await house.admin.read_stream(f"plan-{plan}")]


def codes(replies: Sequence[Any]) -> list[str]:
    return sorted(reply.code if isinstance(reply, Denied) else "accepted" for reply in replies)


async def test_two_people_who_press_execute_make_one_start_and_one_is_told_who_was_first(house: House) -> None:
    async with house.executor() as one, house.executor() as two:
        await one.put(TRUE)
        for _ in range(ROUNDS):
            plan = await house.executing(workflow_item(), NOTES, definition=TRUE)
            command = ExecuteItem(plan=plan, item="deploy")
            replies = await together(one.reply(command, OLIVIA), two.reply(command, OSCAR))
            first = next(
                fact for fact in await house.admin.read_stream(f"plan-{plan}") if fact.type == "item.started.v1"
            )
            assert (await types_of(house, plan)).count("item.started.v1") == 1
            assert codes(replies) in (["accepted", "item_running"], ["accepted", "item_settled"])
            told = next(reply for reply in replies if isinstance(reply, Denied))
            assert told.facts["by"] == first.actor


async def test_a_start_that_meets_a_cancel_or_a_reopening_agrees_with_the_order_in_the_log(house: House) -> None:
    others = Others(house)
    async with house.executor() as one:
        await one.put(TRUE)
        for i in range(2 * ROUNDS):
            plan = await house.executing(workflow_item(), NOTES, definition=TRUE)
            stop: Command = CancelPlan(plan=plan, reason="no") if i % 2 else ReopenPlan(plan=plan, reason="typo")
            started, stopped = await together(
                one.reply(ExecuteItem(plan=plan, item="deploy")),
                others.reply(stop),  # type: ignore[arg-type]
            )
            types = await types_of(house, plan)
            assert isinstance(stopped, Accepted), stopped
            end = types.index("plan.cancelled.v1" if i % 2 else "plan.reopened.v1")
            if isinstance(started, Accepted):
                assert types.index("item.started.v1") < end
            else:
                assert "item.started.v1" not in types
                assert (started.code, started.facts["status"]) == ("not_executing", "cancel" if i % 2 else "planning")


async def test_an_edit_of_what_runs_is_refused_whoever_comes_first(house: House) -> None:
    others = Others(house)
    async with house.executor() as one:
        await one.put(TRUE)
        plan = await house.executing(workflow_item(), NOTES, definition=TRUE)
        edit = EditPlan(plan=plan, changes=Changes(items=(NOTES,)))
        replies = await together(one.reply(ExecuteItem(plan=plan, item="deploy")), others.reply(edit))
        assert codes(replies) == ["accepted", "not_planning"]


async def test_a_skip_that_meets_an_execution_and_a_waiver_that_meets_a_retry_have_one_winner(house: House) -> None:
    async with house.executor() as one, house.executor() as two:
        await one.put(TRUE)
        for _ in range(ROUNDS):
            plan = await house.executing(workflow_item(), NOTES, definition=TRUE)
            skip = SkipItem(plan=plan, item="deploy", reason="later")
            replies = await together(one.reply(ExecuteItem(plan=plan, item="deploy")), two.reply(skip, OSCAR))
            assert codes(replies) in (["accepted", "item_running"], ["accepted", "item_settled"])
        for _ in range(ROUNDS):
            plan = await house.executing(workflow_item(), NOTES, definition=TRUE)
            lost = ItemStarted(item="deploy", attempt=1, run=run_id(plan, "deploy", 9))
            await house.append(plan, lost, ItemFinished(item="deploy", attempt=1, outcome="failed", error="why"))
            waive = WaiveItem(plan=plan, item="deploy", reason="known")
            replies = await together(one.reply(RetryItem(plan=plan, item="deploy")), two.reply(waive, OSCAR))
            assert codes(replies) in (["accepted", "item_running"], ["accepted", "item_not_failed"])


async def test_a_callback_that_meets_a_cancel_passes_the_gate_before_it_or_is_told_that_nothing_waits(
    house: House,
) -> None:
    others, again = Others(house), Others(house)
    for _ in range(ROUNDS):
        plan = await house.plan(NOTES, gates=Gates(finish_planning=GateRule()))
        code = random_id()[:16]
        await house.append(plan, GateOpened(gate="finish_planning", round=1, instance_code=code, deadline=2**52))
        answer = AnswerGate(plan=plan, gate="finish_planning", instance_code=code, result="success")
        answered, cancelled = await together(others.reply(answer), again.reply(CancelPlan(plan=plan, reason="no")))
        types = await types_of(house, plan)
        assert isinstance(cancelled, Accepted)
        if isinstance(answered, Accepted):
            assert types.index("gate.passed.v1") < types.index("plan.cancelled.v1")
        else:
            assert "gate.passed.v1" not in types
            assert answered.detail
        assert (await house.read(plan)).status == "cancel"


async def test_a_start_that_meets_the_windows_end_is_before_it_in_the_log_or_refused(house: House) -> None:
    clock = SetClock((NOON - EPOCH) // timedelta(microseconds=1))
    window = Window(start=NOON, end=NOON + timedelta(hours=1))
    async with house.executor(clock=clock) as one:
        await one.put(TRUE)
        for _ in range(ROUNDS):
            plan = await house.executing(workflow_item(), NOTES, definition=TRUE, window=window)
            command = ExecuteItem(plan=plan, item="deploy")
            asking = asyncio.create_task(one.reply(command))
            clock.advance(3600)
            late = await one.reply(command)
            reply = await asking
            types = await types_of(house, plan)
            assert isinstance(late, Denied)
            assert late.code in {"outside_window", "not_executing", "item_running", "item_settled"}
            if isinstance(reply, Accepted):
                end = types.index("plan.timed_out.v1") if "plan.timed_out.v1" in types else len(types)
                assert types.index("item.started.v1") < end
            else:
                assert reply.code in {"outside_window", "not_executing"}
                assert "item.started.v1" not in types
            clock.advance(-3600)


async def test_an_owner_who_meets_the_schedule_starts_the_plan_with_it_once(house: House) -> None:
    async with house.executor() as one, house.executor() as two:
        for _ in range(ROUNDS):
            plan = await house.plan(NOTES, schedule=Schedule(at=moment(SystemClock().now() + 150_000)))
            replies: list[Any] = []
            while not replies or any(isinstance(reply, Denied) for reply in replies):
                command = StartPlan(plan=plan)
                replies = await together(one.reply(command), two.reply(command, ADMIN))
                assert set(codes(replies)) <= {"accepted", "before_schedule"}
            types = await types_of(house, plan)
            assert types.count("plan.start_requested.v1") == types.count("plan.execution_started.v1") == 1
