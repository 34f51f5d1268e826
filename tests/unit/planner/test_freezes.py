"""Who writes freezes, who overrides them, and what cannot be sealed into them."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from contracts import plan_events as e
from contracts.commands import DeleteFreeze, OverrideFreeze, PutFreeze
from contracts.freeze import Freeze, FreezeDeleted, FreezePut, FreezeState, FrozenTouch, Scope
from contracts.moments import micros
from contracts.plan import Plan
from contracts.refusals import Fault
from contracts.registry import encode
from contracts.values import Schedule, Touch
from infra.eventlog.check import EVENT_BYTES
from services.planner.decider.freezes import freeze_faults, override, write
from tests.support.builders import ADA, NOON, OLIVIA, PLAN, content, created, plan_after, then, utc, window
from tests.support.spec import given

ID = "5f1d7f0b3c7e4a1f9d2b6c80"
FREEZE = Freeze(
    name="Weekend", start=datetime.fromisoformat("2026-10-02T18:00"), end=datetime.fromisoformat("2026-10-05T06:00")
)
PUT = PutFreeze(freeze=ID, definition=FREEZE)
DELETE = DeleteFreeze(freeze=ID, reason="over")
STATE = FreezeState(ID, FREEZE, "user:ada", NOON, 1)


def frozen(start: datetime, end: datetime, name: str = "Weekend") -> e.Frozen:
    return e.Frozen(freeze=name, name=name, start=micros(start), end=micros(end))


WEEKEND = frozen(utc(2026, 10, 2, 18), utc(2026, 10, 5, 6))
NEXT = frozen(utc(2026, 10, 5, 6), utc(2026, 10, 7), "Quarter end")


def test_an_administrator_writes_a_freeze_and_the_same_again_is_already_so() -> None:
    given(None).when(lambda state: write(state, PUT, ADA)).then(FreezePut(freeze=FREEZE))
    given(STATE).when(lambda state: write(state, PUT, ADA)).then_nothing()
    given(STATE).when(lambda state: write(state, DELETE, ADA)).then(FreezeDeleted(reason="over"))


def test_nobody_else_writes_one() -> None:
    for command in (PUT, DELETE):
        given(STATE).when(lambda state, c=command: write(state, c, OLIVIA)).refused("forbidden")


def test_a_faulty_freeze_is_refused_with_all_that_is_wrong() -> None:
    fault = Fault("/rrule", "no")
    assert given(None).when(lambda state: write(state, PUT, ADA, [fault])).refused("invalid_freeze").faults == (fault,)


def test_a_freeze_that_never_was_is_not_deleted_and_a_deleted_one_stays_so() -> None:
    given(None).when(lambda state: write(state, DELETE, ADA)).refused("freeze_not_found")
    gone = FreezeState(ID, None, "user:ada", NOON, 2)
    given(gone).when(lambda state: write(state, DELETE, ADA)).then_nothing()
    given(gone).when(lambda state: write(state, PUT, ADA)).then(FreezePut(freeze=FREEZE))


@pytest.mark.parametrize(
    ("scope", "yes"),
    [
        (Scope(), True),
        (Scope(projects=("web", "shop")), True),
        (Scope(projects=("shop",)), False),
        (Scope(labels=("big", "small")), True),
        (Scope(labels=("small",)), False),
        (Scope(touches=(FrozenTouch(environment="production"),)), True),
        (Scope(touches=(FrozenTouch(service="api"),)), True),
        (Scope(touches=(FrozenTouch(service="api", environment="staging"),)), False),
        (Scope(touches=(FrozenTouch(service="db"), FrozenTouch(environment="production"))), True),
        (Scope(projects=("web",), labels=("small",)), False),
    ],
)
def test_a_scope_concerns_a_plan_when_all_that_it_gives_fits(scope: Scope, yes: bool) -> None:
    plan = content(labels=("big",), touches=(Touch(service="api", environment="production"),))
    assert scope.concerns("web", plan) is yes


def test_a_plan_that_touches_nothing_is_in_no_freeze_of_touches() -> None:
    assert not Scope(touches=(FrozenTouch(),)).concerns("web", content())


def faults(plan: Plan, *spans: e.Frozen) -> list[tuple[str, str]]:
    return [(fault.path, fault.code) for fault in freeze_faults(plan, NOON, spans)]


def draft(**fields: Any) -> Plan:
    return plan_after(created(**fields))


def test_a_window_inside_a_freeze_cannot_be_sealed_and_one_that_leaves_a_minute_can() -> None:
    inside = draft(window=window(utc(2026, 10, 3), utc(2026, 10, 4)))
    assert faults(inside, WEEKEND) == [("/window", "in_freeze")]
    before = draft(window=window(utc(2026, 10, 2, 17, 59), utc(2026, 10, 4)))
    assert faults(before, WEEKEND) == []
    after = draft(window=window(utc(2026, 10, 3), utc(2026, 10, 5, 6, 1)))
    assert faults(after, WEEKEND) == []
    assert faults(after, WEEKEND, NEXT) == [("/window", "in_freeze")]


def test_what_is_left_of_a_running_window_must_have_free_time_too() -> None:
    running = draft(window=window(utc(2026, 9, 1), utc(2026, 10, 4)))
    covering = frozen(utc(2026, 9, 20), utc(2026, 10, 20))
    assert faults(running, covering) == [("/window", "in_freeze")]


def test_a_schedule_in_a_freeze_cannot_be_sealed_and_its_end_is_outside() -> None:
    assert faults(draft(schedule=Schedule(at=utc(2026, 10, 3))), WEEKEND) == [("/schedule/at", "in_freeze")]
    assert faults(draft(schedule=Schedule(at=utc(2026, 10, 5, 6))), WEEKEND) == []


def overriding(plan: Plan | None, *spans: e.Frozen, actor: Any = ADA, reason: str = "It burns.") -> Any:
    return given(plan).when(lambda p: override(p, OverrideFreeze(plan=PLAN, reason=reason), actor, spans))


def test_an_administrator_overrides_with_a_reason_and_then_it_can_be_sealed() -> None:
    plan = draft(window=window(utc(2026, 10, 3), utc(2026, 10, 4)))
    event = e.FreezeOverridden(freezes=(WEEKEND,), reason="It burns.")
    overriding(plan, WEEKEND).then(event)
    after = then(plan, (event,), ADA)
    assert faults(after, WEEKEND) == []
    overriding(after, WEEKEND).then_nothing()


def test_an_override_does_not_cover_a_freeze_that_was_changed_to_reach_further() -> None:
    plan = draft(window=window(utc(2026, 10, 3), utc(2026, 10, 4)))
    after = then(plan, (e.FreezeOverridden(freezes=(WEEKEND,), reason="x"),), ADA)
    longer = frozen(utc(2026, 10, 2, 18), utc(2026, 10, 6))
    assert faults(after, longer) == [("/window", "in_freeze")]


def test_a_reopened_plan_must_be_let_through_anew() -> None:
    plan = draft(window=window(utc(2026, 10, 3), utc(2026, 10, 4)))
    after = then(plan, (e.FreezeOverridden(freezes=(WEEKEND,), reason="x"), e.PlanReopened()), ADA)
    assert after.overrides == ()


def test_an_override_wants_an_administrator_a_reason_and_a_freeze() -> None:
    plan = draft()
    overriding(plan, WEEKEND, actor=OLIVIA).refused("forbidden")
    assert overriding(plan, WEEKEND, reason=" ").refused("reason_required").faults[0].path == "/reason"
    overriding(plan).refused("not_frozen")
    overriding(None, WEEKEND).refused("plan_not_found")
    overriding(then(plan, (e.PlanCancelled(reason="no"),)), WEEKEND).refused("final")


def test_an_override_of_very_many_occurrences_is_told_in_events_that_the_log_takes() -> None:
    nine = utc(2027, 1, 1, 9)
    days = [frozen(nine + timedelta(days=i), nine + timedelta(days=i, hours=1), "n" * 100) for i in range(1_100)]
    plan = draft(window=window(nine, nine + timedelta(days=1_100)))
    events = overriding(plan, *days, reason="é" * 2_000).events
    assert max(len(encode(event)[1]) for event in events or ()) <= EVENT_BYTES
    assert all(then(plan, events or (), ADA).overrides_freeze(day) for day in days)
