"""Time and the start: overriding it with right and reason, schedules that lapse, windows that drift."""

import pytest
from msgspec.structs import replace

from contracts.commands import Actor, ExecuteItem, OverrideStart
from contracts.executing_events import StartOverridden
from contracts.moments import moment
from contracts.plan import Plan
from contracts.plan_events import (
    Event,
    ExecutionStarted,
    Frozen,
    PlanDenied,
    PlanDrifted,
    PlanReopened,
    PlanSubmitted,
    PlanTimedOut,
    ScheduleMissed,
    StartRequested,
)
from contracts.refusals import Refused
from contracts.timing import PUNCTUAL_SECONDS, schedule_lapses
from contracts.values import Approval, ApprovalLevel, ApprovalRule, GateRule, Gates, Rules, Schedule, Window
from services.executor.decider.items import Context, decide
from services.executor.decider.rules import drift_of
from services.executor.decider.walk import due, override_start
from services.planner.views import timer_rows
from tests.unit.executor.given import ADMIN, HOUR, NOON, OLIVIA, OPEN, PLAN, Given, all_found, content, text, workflow

SECOND = 1_000_000
ASKED = Approval(levels=(ApprovalLevel(rules=(ApprovalRule(approvers=("user:ada",)),)),))
LATER = Window(start=moment(NOON + HOUR), end=moment(NOON + 3 * HOUR))
SCHEDULE = Schedule(at=moment(NOON + 2 * HOUR))


def override(
    plan: Plan, actor: Actor = ADMIN, at: int = NOON, reason: str = "it cannot wait", frozen: Frozen | None = None
) -> tuple[Event, ...]:
    return override_start(plan, OverrideStart(plan=PLAN, reason=reason), actor, at, all_found(plan), frozen)


def refusal(plan: Plan, actor: Actor = ADMIN, at: int = NOON, reason: str = "why", frozen: Frozen | None = None) -> str:
    with pytest.raises(Refused) as caught:
        override(plan, actor, at, reason, frozen)
    return caught.value.code


def test_an_administrator_starts_before_window_and_schedule_and_the_record_says_which() -> None:
    given = Given(content(workflow(), window=LATER, schedule=SCHEDULE)).sealed()
    events = override(given.plan)
    assert [type(event) for event in events] == [StartOverridden, StartRequested, ExecutionStarted]
    assert events[0] == StartOverridden(reason="it cannot wait", rules=("window", "schedule"))
    plan = given.then(*events, by="user:root").plan
    assert decide(plan, ExecuteItem(plan=PLAN, item="deploy"), Context(OLIVIA, NOON, all_found(plan)))
    assert due(plan, NOON + 3 * HOUR, {})[0] == PlanTimedOut(reason="window_end", open=("deploy",))
    assert override(plan) == ()


def test_the_override_holds_through_the_gate() -> None:
    given = Given(content(text(), window=LATER, gates=Gates(start_execute=GateRule()))).sealed()
    plan = given.then(*override(given.plan)).plan
    assert plan.status == "wait_for_execute_external_check"
    passed = replace(plan, gates={**plan.gates, "start_execute": replace(plan.gates["start_execute"], state="passed")})
    assert type(due(passed, NOON, {})[0]) is ExecutionStarted


def test_a_reopened_plan_keeps_its_time_again() -> None:
    given = Given(content(text(), window=LATER)).sealed()
    given.then(*override(given.plan), PlanReopened())
    assert given.plan.start_override is None


def test_only_administrators_override_only_with_a_reason_and_never_more_than_time() -> None:
    plan = Given(content(text(), window=LATER)).sealed().plan
    assert refusal(plan, OLIVIA) == "forbidden"
    assert refusal(plan, reason="  ") == "reason_required"
    assert refusal(plan, at=NOON + 3 * HOUR) == "outside_window"
    frozen = Frozen(freeze="ab" * 12, name="Holidays", start=NOON, end=NOON + 1)
    assert refusal(plan, frozen=frozen) == "frozen"
    assert refusal(Given(content(text(), approval=ASKED)).sealed().plan) == "not_approved"
    assert refusal(Given(content(text())).plan) == "not_sealed"


def test_a_schedule_lapses_at_the_same_moment_for_the_rule_and_for_its_timer() -> None:
    given = Given(content(text(), schedule=Schedule(at=moment(NOON), catch_up_seconds=600))).sealed()
    lapses = schedule_lapses(given.plan.content)
    assert lapses == NOON + 600 * SECOND
    assert type(due(given.plan, lapses, {})[0]) is StartRequested
    assert due(given.plan, lapses + 1, {}) == (ScheduleMissed(reason="down"),)
    timers = {row.kind: row.due_at for row in timer_rows(given.plan)}
    assert timers == {"schedule": NOON, "schedule_lapse": lapses + 1}


def test_without_catch_up_a_schedule_is_only_punctual_or_missed() -> None:
    assert schedule_lapses(content(text(), schedule=Schedule(at=moment(NOON)))) == NOON + PUNCTUAL_SECONDS * SECOND
    assert schedule_lapses(content(text())) is None


def test_the_schedule_of_a_denied_plan_is_missed_and_the_record_says_why() -> None:
    given = Given(content(text(), approval=ASKED, schedule=Schedule(at=moment(NOON)))).sealed()
    assert given.plan.seal is not None
    seal = given.plan.seal.value
    given.then(PlanSubmitted(round=1, seal=seal), PlanDenied(round=1, seal=seal, reason="no"))
    assert due(given.plan, NOON + 30 * SECOND, {}) == ()
    late = NOON + 30 * SECOND + 1
    assert due(given.plan, late, {}) == (ScheduleMissed(reason="denied"),)
    assert due(given.then(ScheduleMissed(reason="denied")).plan, late, {}) == ()


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("window", replace(OPEN, end=moment(NOON + 5 * HOUR))),
        ("rules", Rules(run="in_order")),
        ("owner", ("user:eve",)),
        ("gates", Gates(all_job_done=GateRule())),
        ("schedule", Schedule(at=moment(NOON))),
        ("approval", ASKED),
    ],
)
def test_a_section_that_is_not_what_was_sealed_stops_every_start_and_is_named(section: str, value: object) -> None:
    plan = Given(content(workflow(), window=OPEN)).executing().plan
    plan.content = replace(plan.content, **{section: value})
    assert drift_of(plan, plan.content.items, all_found(plan)) == ("", (section,))
    with pytest.raises(Refused) as caught:
        decide(plan, ExecuteItem(plan=PLAN, item="deploy"), Context(ADMIN, NOON, all_found(plan)))
    if section == "rules":  # an order that nobody approved is seen before anything starts by it
        assert due(plan, NOON, all_found(plan), None, OLIVIA) == (PlanDrifted(item="", fields=("rules",)),)
    assert caught.value.code == "seal_drift"
    assert [move["verb"] for move in caught.value.facts["next"]] == ["reopen", "cancel"]  # type: ignore[index, union-attr]


@pytest.mark.parametrize("left", [(2, 1, 0), (0, 1), (1,)])
def test_items_that_are_gone_or_stand_elsewhere_than_they_were_sealed_stop_the_start(left: tuple[int, ...]) -> None:
    plan = Given(content(workflow(), text("one"), text("two"), window=OPEN)).sealed().plan
    sealed = plan.content.items
    assert drift_of(plan, sealed, all_found(plan)) is None
    plan.content = replace(plan.content, items=tuple(sealed[i] for i in left))
    assert drift_of(plan, plan.content.items, all_found(plan)) == ("", ("items",))
