"""A system that stood still for a day, with two hundred plans in all statuses: started again, each goes on where it was.

Timers that were missed meanwhile behave by their policy, what was under way is taken up by its effect class, and a second
start finds nothing left to do. The plans are written as a day ago; nothing runs until all of them are there.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, get_args

import msgspec
import pytest_asyncio

from contracts import plan_events as e
from contracts import run as r
from contracts.evolve import fold
from contracts.moments import EPOCH
from contracts.plan import Plan, Status
from contracts.plan_events import Event
from contracts.registry import encode
from contracts.seal import seal_of
from contracts.values import Content, GateName, GateRule, Gates, Item, Rules, Schedule, TextSpec, Window, WorkflowSpec
from contracts.workflow import (
    HttpStep,
    ScriptStep,
    WorkflowDefinition,
    WorkflowRevised,
    workflow_digest,
    workflow_stream,
)
from infra.clock import SystemClock
from infra.eventlog import Append, Appended, Draft, EventLog
from infra.ids import derived_id, random_id
from infra.requests import fingerprint_of
from services.approval import app as approval_app
from services.approval.config import Settings as ApprovalSettings
from services.executor import app as executor_app
from services.executor.config import Settings as ExecutorSettings
from services.hook_dispatcher import app as hook_app
from services.hook_dispatcher.config import Settings as HookSettings
from services.planner import app as planner_app
from services.planner.config import Settings as PlannerSettings
from tests.support.apps import Apps, open_apps
from tests.support.builders import approval
from tests.support.executing import Target, counting_target, deploy, script
from tests.support.servers import Nats, Postgres
from tests.support.wait import eventually

DAY = 86_400 * 1_000_000
NOW = SystemClock().now()
THEN = NOW - DAY
EACH = 8
NOTES = (Item(id="notes", name="notes", spec=TextSpec()),)
ASKED = approval("user:ana")
GATE = GateRule(deadline_seconds=3600)


class Kind(NamedTuple):
    """A plan as it stood still, and the status in which it is to be found again. `item`: how its work item stands then."""

    status: Status
    events: Callable[["Story"], Sequence[Event]]
    then: Status
    fields: dict[str, Any] = {}
    run: Callable[["Story"], Sequence[Event]] | None = None
    work: HttpStep | ScriptStep | None = None
    item: str = ""
    error: str = ""


class Story(NamedTuple):
    """One plan of a kind."""

    plan: str
    content: Content
    sealed: e.PlanSealed
    definition: WorkflowDefinition | None

    @property
    def run(self) -> str:
        return r.run_id(self.plan, "deploy", 1)


def _at(micros: int) -> Any:
    return EPOCH + timedelta(microseconds=micros)


def window(opens: int, closes: int) -> Window:
    return Window(start=_at(opens), end=_at(closes), zone="UTC")


def opened(gate: GateName, deadline: int) -> Event:
    return e.GateOpened(gate=gate, round=1, instance_code=random_id()[:16], deadline=deadline)


def sealed(s: Story) -> list[Event]:
    return [s.sealed]


def asked(deadline: int | None = None) -> Callable[[Story], list[Event]]:
    return lambda s: [s.sealed, e.PlanSubmitted(round=1, seal=s.sealed.seal, deadline=deadline)]


def approved(s: Story) -> list[Event]:
    return [*asked()(s), e.PlanApproved(round=1, seal=s.sealed.seal)]


def executing(s: Story) -> list[Event]:
    return [s.sealed, e.StartRequested(by="owner"), e.ExecutionStarted(seal=s.sealed.seal)]


def at_work(s: Story) -> list[Event]:
    return [*executing(s), e.ItemStarted(item="deploy", attempt=1, run=s.run)]


def settled(s: Story) -> list[Event]:
    return [*executing(s), e.ItemCompleted(item="notes", attempt=1), e.ItemsSettled()]


def created(s: Story) -> list[Event]:
    definition = s.definition
    assert definition is not None
    return [
        r.RunCreated(
            plan=s.plan,
            item="deploy",
            attempt=1,
            revision=1,
            digest=workflow_digest(definition),
            definition=definition,
            inputs={},
        )
    ]


def claimed(s: Story) -> list[Event]:
    return [*created(s), r.RunClaimed(owner="elsewhere-1-2-abc", until=THEN + 30_000_000)]


def asking(s: Story) -> list[Event]:
    name = "one" if s.definition and isinstance(s.definition.stages[0].steps[0], ScriptStep) else "tell"
    return [*claimed(s), r.StepStarted(step=0, name=name, attempt=1, key=r.step_key(s.run, name, 1), place="lost")]


def passed(s: Story) -> list[Event]:
    return [*asking(s), r.StepFinished(step=0, attempt=1, outcome="passed"), r.RunFinished(outcome="passed")]


def kinds(url: str) -> list[Kind]:
    """Every status, every policy of a missed timer, every place where work can have been interrupted."""
    once = HttpStep(name="tell", url=url, method="POST")
    again = HttpStep(name="tell", url=url, method="POST", effect="idempotent")
    check, start, end = (
        {"gates": Gates(**{gate: GATE})} for gate in ("finish_planning", "start_execute", "all_job_done")
    )
    late = {"schedule": Schedule(at=_at(THEN + DAY // 2))}
    caught = {"schedule": Schedule(at=_at(THEN + DAY // 2), catch_up_seconds=86_400)}
    closed = {"window": window(THEN, THEN + DAY // 2)}
    ends = {**closed, "rules": Rules(on_window_end="cancel_running")}
    external, failed = "wait_for_finish_planning_external_check", "wait_for_finish_planning_external_check_failed"
    before, not_before = "wait_for_execute_external_check", "wait_for_execute_external_check_failed"
    last, not_last = "wait_for_all_done_external_check", "wait_for_all_done_external_check_failed"

    def gate_failed(name: GateName) -> Event:
        return e.GateFailed(gate=name, round=1, reason="red")

    return [
        Kind("planning", lambda s: [], "planning"),
        Kind(external, lambda s: [s.sealed, opened("finish_planning", THEN + DAY // 2)], failed, check),
        Kind(external, lambda s: [s.sealed, opened("finish_planning", NOW + DAY)], external, check),
        Kind(
            failed, lambda s: [s.sealed, opened("finish_planning", NOW), gate_failed("finish_planning")], failed, check
        ),
        Kind("finish_planning", sealed, "finish_planning"),
        Kind("finish_planning", approved, "executing", {"approval": ASKED}),
        Kind("finish_planning", sealed, "timeout", closed),
        Kind("finish_planning", sealed, "finish_planning", late),
        Kind("finish_planning", sealed, "executing", caught),
        Kind("wait_for_approval", asked(NOW + DAY), "wait_for_approval", {"approval": ASKED}),
        Kind("wait_for_approval", asked(THEN + DAY // 2), "timeout", {"approval": ASKED}),
        Kind(
            "denied", lambda s: [*asked()(s), e.PlanDenied(round=1, seal=s.sealed.seal)], "denied", {"approval": ASKED}
        ),
        Kind(
            before,
            lambda s: [s.sealed, e.StartRequested(by="owner"), opened("start_execute", THEN + DAY // 2)],
            not_before,
            start,
        ),
        Kind(
            before,
            lambda s: [
                s.sealed,
                e.StartRequested(by="owner"),
                opened("start_execute", NOW),
                e.GatePassed(gate="start_execute", round=1),
            ],
            "executing",
            start,
        ),
        Kind(
            not_before,
            lambda s: [
                s.sealed,
                e.StartRequested(by="owner"),
                opened("start_execute", NOW),
                gate_failed("start_execute"),
            ],
            not_before,
            start,
        ),
        Kind(
            not_last,
            lambda s: [*settled(s), opened("all_job_done", NOW), gate_failed("all_job_done")],
            not_last,
            end,
        ),
        Kind("executing", executing, "executing"),
        Kind("executing", at_work, "success", work=script("true")),
        Kind("executing", at_work, "success", run=created, work=once),
        Kind(
            "executing", at_work, "executing", run=asking, work=once, item="failed", error="lease_lost_unknown_effect"
        ),
        Kind("executing", at_work, "success", run=asking, work=again),
        Kind("executing", at_work, "success", run=passed, work=once),
        Kind("executing", at_work, "timeout", ends, run=claimed, work=once, item="todo"),
        Kind(last, lambda s: [*settled(s), opened("all_job_done", THEN + DAY // 2)], not_last, end),
        Kind(
            last,
            lambda s: [*settled(s), opened("all_job_done", NOW), e.GatePassed(gate="all_job_done", round=1)],
            "success",
            end,
        ),
        Kind(
            "cancel",
            lambda s: [*at_work(s), e.PlanCancelled(reason="no")],
            "cancel",
            run=created,
            work=once,
            item="todo",
        ),
        Kind("success", lambda s: [*settled(s), e.PlanSucceeded()], "success"),
        Kind("timeout", lambda s: [s.sealed, e.PlanTimedOut(reason="window_end")], "timeout"),
    ]


class Yesterday:
    """Writes the log as it stood a day ago."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    async def tell(self, stream: str, *events: Event) -> None:
        if not events:
            return
        key = random_id()
        outcome = await self._log.append(
            Append(
                stream=stream,
                expected=0,
                principal="yesterday",
                key=key,
                fingerprint=fingerprint_of(key),
                events=tuple(Draft(*encode(event)) for event in events),
                at=THEN,
                actor="user:olivia",
                channel="test",
            )
        )
        assert isinstance(outcome, Appended), outcome

    async def plan(self, kind: Kind, number: int) -> Story:
        """One plan of this kind, and its run where it has one."""
        definition = None if kind.work is None else deploy(kind.work)
        if definition is not None:
            definition = msgspec.structs.replace(definition, name=f"w{number}")
            revised = WorkflowRevised(revision=1, definition=definition, digest=workflow_digest(definition))
            await self.tell(workflow_stream("web", f"w{number}"), revised)
        items = NOTES
        resolved = {}
        if definition is not None:
            spec = WorkflowSpec(project="web", workflow=f"w{number}")
            items = (Item(id="deploy", name="deploy", spec=spec),)
            resolved["deploy"] = e.ResolvedWorkflow(
                project="web", workflow=f"w{number}", revision=1, digest=workflow_digest(definition)
            )
        content = Content(name=f"Plan {number}", owner=("user:olivia",), items=items, **kind.fields)
        story = Story(derived_id("plan", str(number)), content, seal_of(content, resolved), definition)
        await self.tell(
            f"plan-{story.plan}",
            e.PlanCreated(index=number, project="web", content=content),
            *kind.events(story),
        )
        if kind.run is not None:
            await self.tell(f"run-{story.run}", *kind.run(story))
        return story


@pytest_asyncio.fixture(loop_scope="session")
async def target() -> AsyncIterator[Target]:
    async with counting_target() as one:
        yield one


@asynccontextmanager
async def running(apps: Apps) -> AsyncIterator[None]:
    """All services that decide, from their first sweep on."""
    settings = {"http_allow": ("127.0.0.0/8",), "kill_grace_seconds": 0.5, "drain_seconds": 4.0}
    async with (
        planner_app.build(apps.settings("planner", PlannerSettings)),
        approval_app.build(apps.settings("approval", ApprovalSettings)),
        hook_app.build(apps.settings("hook_dispatcher", HookSettings)),
        executor_app.build(apps.settings("executor", ExecutorSettings, **settings)),
    ):
        yield


async def state_of(log: EventLog, plan: str) -> Plan:
    found = fold(await log.read_stream(f"plan-{plan}"))
    assert found is not None
    return found


async def test_two_hundred_plans_in_all_statuses_go_on_where_they_were(
    postgres: Postgres, nats: Nats, tmp_path: Path, target: Target
) -> None:
    all_kinds = kinds(target.url)
    last_kind = next(kind for kind in all_kinds if (kind.status, kind.then) == ("finish_planning", "executing"))
    assert {kind.status for kind in all_kinds} == set(get_args(Status))
    async with open_apps(postgres, nats, tmp_path) as apps:
        log = await EventLog.open(apps.dsns.admin)
        try:
            yesterday = Yesterday(log)
            stories = [
                (kind, await yesterday.plan(kind, number * len(all_kinds) + place))
                for number in range(EACH)
                for place, kind in enumerate(all_kinds)
            ]
            assert len(stories) > 200
            for kind, story in stories:
                assert (await state_of(log, story.plan)).status == kind.status
            async with running(apps):
                await eventually(lambda: everything_went_on(log, stories), 300, "each plan goes on")
            head = (await log.head()).position
            async with running(apps):
                last = await yesterday.plan(last_kind, len(stories))  # its turn comes after all that a sweep names
                await eventually(lambda: everything_went_on(log, [(last_kind, last)]), what="all was looked at again")
            assert {fact.stream for fact in await log.read_after(head)} == {f"plan-{last.plan}"}
        finally:
            await log.close()
    once = [story for kind, story in stories if kind.run in (created, asking) and kind.then == "success"]
    assert sorted(target.keys) == sorted(r.step_key(story.run, "tell", 1) for story in once)


async def everything_went_on(log: EventLog, stories: Sequence[tuple[Kind, Story]]) -> bool:
    wrong = {}
    for kind, story in stories:
        plan = await state_of(log, story.plan)
        item = plan.state_of("deploy")
        running = [attempt for attempt in item.attempts if not attempt.outcome]
        right = plan.status == kind.then and (not kind.item or item.status == kind.item) and not running
        if not right or kind.error not in (item.attempts[-1].error if item.attempts else ""):
            wrong[f"{kind.status} -> {kind.then}"] = f"{plan.status}, item {item.status}"
    assert not wrong, wrong
    return True
