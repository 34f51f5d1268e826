"""A freeze holds what would start: people are refused, the plan waits, and what runs goes on."""

from typing import Any

import pytest

from contracts.commands import CompleteItem, ExecuteItem, SkipItem, TickSubStep
from contracts.moments import moment
from contracts.plan_events import (
    ExecutionStarted,
    FreezeOverridden,
    Frozen,
    PlanHeld,
    ScheduleMissed,
    StartRequested,
)
from contracts.refusals import Refused
from contracts.values import Approval, ApprovalLevel, ApprovalRule, GateRule, Gates, Rules, Schedule
from services.executor.decider import items, walk
from services.planner.views import timer_rows
from tests.unit.executor.given import HOUR, NOON, OLIVIA, PLAN, Given, all_found, content, text, workflow

FREEZE = Frozen(freeze="f" * 24, name="Weekend", start=NOON - HOUR, end=NOON + HOUR)
HELD = PlanHeld(freeze=FREEZE.freeze, name="Weekend", until=FREEZE.end)
ASKED = Approval(levels=(ApprovalLevel(rules=(ApprovalRule(approvers=("user:ana",)),)),))


def due(given: Given, frozen: Frozen | None, at: int = NOON) -> tuple[Any, ...]:
    return walk.due(given.plan, at, all_found(given.plan), frozen)


def code_of(refused: pytest.ExceptionInfo[Refused]) -> tuple[str, object]:
    return refused.value.code, refused.value.facts["until"]


def test_an_approved_plan_is_held_visibly_once_and_starts_when_the_freeze_has_ended() -> None:
    given = Given(content(text(), approval=ASKED)).approved()
    assert due(given, FREEZE) == (HELD,)
    given.then(HELD)
    assert given.plan.held is not None
    assert due(given, FREEZE) == ()
    assert [(row.kind, row.due_at) for row in timer_rows(given.plan)] == [("freeze_end", FREEZE.end)]
    events = due(given, None, FREEZE.end)
    assert [type(event) for event in events] == [StartRequested, ExecutionStarted]
    given.then(*events)
    assert given.plan.held is None
    assert timer_rows(given.plan) == []


def test_a_freeze_that_was_made_longer_is_told_again() -> None:
    given = Given(content(text(), approval=ASKED)).approved().then(HELD)
    longer = Frozen(freeze=FREEZE.freeze, name="Weekend", start=FREEZE.start, end=FREEZE.end + HOUR)
    assert due(given, longer, FREEZE.end) == (PlanHeld(freeze=FREEZE.freeze, name="Weekend", until=longer.end),)


def test_an_overridden_hold_is_forgotten() -> None:
    given = Given(content(text(), approval=ASKED)).approved().then(HELD)
    given.then(FreezeOverridden(freezes=(FREEZE,), reason="It burns."))
    assert given.plan.held is None
    assert given.plan.overrides_freeze(FREEZE)


def test_the_start_command_is_refused_and_says_until_when() -> None:
    given = Given(content(text(), rules=Rules(start="by_owner"))).sealed()
    with pytest.raises(Refused) as refused:
        walk.start(given.plan, PLAN, OLIVIA, NOON, {}, FREEZE)
    assert code_of(refused) == ("frozen", moment(FREEZE.end).isoformat().replace("+00:00", "Z"))


def test_after_the_start_gate_a_plan_is_held_as_well() -> None:
    gates = Gates(start_execute=GateRule())
    given = Given(content(text(), approval=ASKED, gates=gates)).approved().then(StartRequested(by="approval"))
    from contracts.plan_events import GateOpened, GatePassed

    given.then(GateOpened(gate="start_execute", round=1, instance_code="0" * 16, deadline=NOON + HOUR))
    given.then(GatePassed(gate="start_execute", round=1))
    assert due(given, FREEZE) == (HELD,)
    assert [type(event) for event in due(given, None)] == [ExecutionStarted]


def test_a_schedule_in_a_freeze_is_missed_with_the_reason_unless_its_catch_up_reaches_the_end() -> None:
    late = Given(content(text(), schedule=Schedule(at=moment(NOON)))).sealed()
    assert due(late, FREEZE) == (ScheduleMissed(reason="freeze: Weekend"),)
    patient = Given(content(text(), schedule=Schedule(at=moment(NOON), catch_up_seconds=3_600))).sealed()
    assert due(patient, FREEZE) == (HELD,)
    patient.then(HELD)
    assert [type(event) for event in due(patient, None, FREEZE.end)] == [StartRequested, ExecutionStarted]


@pytest.mark.parametrize(
    "command",
    [
        ExecuteItem(plan=PLAN, item="deploy"),
        CompleteItem(plan=PLAN, item="notes"),
        TickSubStep(plan=PLAN, item="notes", step="a"),
    ],
)
def test_no_item_starts_in_a_freeze(command: Any) -> None:
    given = Given(content(workflow(), text(sub_steps=("a",)))).executing()
    context = items.Context(OLIVIA, NOON, all_found(given.plan), FREEZE)
    with pytest.raises(Refused) as refused:
        items.decide(given.plan, command, context)
    assert refused.value.code == "frozen"


def test_an_item_may_be_skipped_in_a_freeze() -> None:
    given = Given(content(workflow())).executing()
    assert items.decide(
        given.plan, SkipItem(plan=PLAN, item="deploy", reason="not now"), items.Context(OLIVIA, NOON, {}, FREEZE)
    )
