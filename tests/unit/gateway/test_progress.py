"""When a plan may end: from what is left, what needs what, and how long earlier runs took; and what nobody knows."""

from typing import Any

import pytest

from contracts import plan_events as e
from contracts.moments import moment
from contracts.plan import Plan
from contracts.progress import ProgressView
from contracts.seal import seal_of
from contracts.values import Item, Rules, Schedule, Window
from services.gateway.progress import Usual, Workflow, progress_view
from tests.support.builders import NOON, content, created, plan_after, text_item, then, workflow_item

MINUTE = 60_000_000
USUAL: dict[Workflow, Usual] = {
    ("web", "build"): Usual(10 * MINUTE, 7),
    ("web", "deploy"): Usual(5 * MINUTE, 3),
    ("web", "check"): Usual(2 * MINUTE, 1),
}


def item(name: str, workflow: str, *needs: str, **fields: Any) -> Item:
    return workflow_item(name, workflow, needs=needs, **fields)


def sealed(*items: Item, **fields: Any) -> Plan:
    return plan_after(created(items=items, **fields), seal_of(content(items=items, **fields), {}))


def executing(*items: Item, **fields: Any) -> Plan:
    plan = sealed(*items, **fields)
    assert plan.seal is not None
    return then(plan, (e.StartRequested(by="owner"), e.ExecutionStarted(seal=plan.seal.value)))


def look(plan: Plan, at: int = NOON) -> ProgressView:
    return progress_view(plan, USUAL, at)


BRANCHES = (
    item("build", "build"),
    item("eu", "deploy", "build"),
    item("us", "check", "build"),
    item("end", "check", "eu", "us"),
)


def test_the_end_is_the_longest_way_through_what_items_need() -> None:
    view = look(executing(*BRANCHES))
    assert view.expected_end == moment(NOON + 17 * MINUTE)
    assert view.critical_path == ("build", "eu", "end")
    assert [one.expected_end for one in view.items] == [moment(NOON + n * MINUTE) for n in (10, 15, 12, 17)]
    assert (view.items[0].usual_seconds, view.items[0].from_runs) == (600.0, 7)


def test_in_order_the_lengths_add_up() -> None:
    view = look(executing(*BRANCHES, rules=Rules(run="in_order")))
    assert view.expected_end == moment(NOON + 19 * MINUTE)
    assert view.critical_path == ("build", "eu", "us", "end")


def test_what_runs_has_its_rest_left_and_is_never_over_in_the_past() -> None:
    plan = then(executing(*BRANCHES), (e.ItemStarted(item="build", attempt=1, run="ab"),), at=NOON)
    assert look(plan, NOON + 4 * MINUTE).expected_end == moment(NOON + 17 * MINUTE)
    assert look(plan, NOON + 30 * MINUTE).expected_end == moment(NOON + 37 * MINUTE)
    done = then(plan, (e.ItemFinished(item="build", attempt=1, outcome="done"),), at=NOON + 6 * MINUTE)
    view = look(done, NOON + 6 * MINUTE)
    assert (view.settled, view.total, view.expected_end) == (1, 4, moment(NOON + 13 * MINUTE))


def test_what_was_never_run_and_what_people_do_is_unknown_and_not_guessed() -> None:
    view = look(executing(item("build", "build"), text_item("tell", needs=("build",)), item("new", "never")))
    assert view.expected_end is None
    assert view.unknown == ("tell", "new")
    assert view.earliest_end == moment(NOON + 10 * MINUTE)
    assert [one.expected_end for one in view.items] == [moment(NOON + 10 * MINUTE), None, None]


def test_a_failed_item_makes_the_end_unknown_until_somebody_decides() -> None:
    plan = executing(*BRANCHES)
    plan = then(plan, (e.ItemStarted(item="build", attempt=1, run="ab"),))
    plan = then(plan, (e.ItemFinished(item="build", attempt=1, outcome="failed"),))
    assert (look(plan).expected_end, look(plan).failed) == (None, 1)
    assert look(then(plan, (e.ItemSkipped(item="build", reason="no"),))).expected_end == moment(NOON + 7 * MINUTE)


def test_a_plan_that_waits_for_people_has_no_expected_end_and_a_scheduled_one_has() -> None:
    at = NOON + 60 * MINUTE
    window = Window(start=moment(at), end=moment(at + 100 * MINUTE))
    waiting = look(sealed(*BRANCHES, window=window))
    assert (waiting.expected_end, waiting.earliest_end) == (None, moment(at + 17 * MINUTE))
    scheduled = look(sealed(*BRANCHES, window=window, schedule=Schedule(at=moment(at + MINUTE))))
    assert scheduled.expected_end == moment(at + 18 * MINUTE)


def test_an_ended_plan_ended_when_it_ended() -> None:
    plan = then(executing(*BRANCHES), (e.PlanCancelled(reason="no"),), at=NOON + MINUTE)
    view = look(plan, NOON + 9 * MINUTE)
    assert (view.expected_end, view.critical_path, view.unknown) == (moment(NOON + MINUTE), (), ())


def test_a_draft_whose_needs_form_a_circle_is_answered_all_the_same() -> None:
    draft = plan_after(created(items=(item("a", "build", "b"), item("b", "build", "a"), item("c", "check", "gone"))))
    assert look(draft).expected_end is None
    assert look(plan_after(created(items=()))).critical_path == ()


@pytest.mark.parametrize("run", ["by_hand", "in_order"])
def test_ten_thousand_items_one_after_the_other_are_walked_once(run: Any) -> None:
    """Walked once for each of them, this takes minutes, and a gateway answers nobody meanwhile."""
    names = [f"i{n}" for n in range(10_000)]
    needs = dict(zip(names[1:], names, strict=False)) if run == "by_hand" else {}
    items = [item(name, "build", *filter(None, [needs.get(name)])) for name in names]
    draft = plan_after(created(items=tuple(items if run == "in_order" else reversed(items)), rules=Rules(run=run)))
    view = look(draft)
    assert view.critical_path == tuple(names)
    assert view.earliest_end == moment(NOON + 100_000 * MINUTE)


def test_what_stands_behind_a_circle_ends_nobody_knows_when_and_what_does_not_is_told() -> None:
    running = executing(item("a", "build", "b"), item("b", "build", "a"), item("c", "check", "a"), item("d", "deploy"))
    ends = {one.item: one.expected_end for one in look(running).items}
    assert ends == {"a": None, "b": None, "c": None, "d": moment(NOON + 5 * MINUTE)}
