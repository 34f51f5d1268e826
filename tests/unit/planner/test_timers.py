"""Timers of a plan: nothing is woken for ever for what no longer waits for time."""

from datetime import timedelta

from contracts import plan_events as e
from contracts.moments import moment
from contracts.seal import seal_of
from services.planner.views import timer_rows
from tests.support.builders import NOON, approval, content, created, plan_after, then, window


def test_a_denied_plan_has_no_timer_of_its_window_until_it_is_asked_about_again() -> None:
    opens = moment(NOON)
    fields = {"approval": approval("user:ana"), "window": window(opens, opens + timedelta(days=1))}
    sealed = seal_of(content(**fields), {})
    asked = plan_after(created(**fields), sealed, e.PlanSubmitted(round=1, seal=sealed.seal))
    assert [row.kind for row in timer_rows(asked)] == ["window_end"]
    denied = then(asked, [e.PlanDenied(round=1, seal=sealed.seal)])
    assert timer_rows(denied) == []
    again = then(denied, [e.PlanReopened(), sealed, e.PlanSubmitted(round=2, seal=sealed.seal)])
    assert [row.kind for row in timer_rows(again)] == ["window_end"]
