"""The fold of a plan: pure, total over every prefix, and right about the moves that lose work elsewhere."""

from typing import Any

import msgspec

from contracts import edit_events as edits
from contracts import plan_events as e
from contracts.evolve import evolve, fold
from contracts.plan import Plan
from contracts.seal import seal_of
from contracts.values import Changes, Content, GateRule, Gates
from tests.support.builders import (
    ANA,
    BEN,
    NOON,
    OLIVIA,
    approval,
    content,
    created,
    facts,
    plan_after,
    text_item,
    then,
)

ITEMS = (text_item("one"), text_item("two"))


def sealed(**fields: Any) -> e.PlanSealed:
    return seal_of(content(items=ITEMS, **fields), {})


def frozen(plan: Plan | None) -> bytes:
    return msgspec.json.encode(plan, order="deterministic")


LIFE = (
    created(items=ITEMS),
    sealed(),
    e.PlanSubmitted(round=1, seal=sealed().seal),
    (e.VoteCast(round=1, seal=sealed().seal, vote="approve"), ANA),
    (e.VoteCast(round=1, seal=sealed().seal, vote="approve"), BEN),
    e.PlanApproved(round=1, seal=sealed().seal),
    e.StartRequested(by="approval"),
    e.ExecutionStarted(seal=sealed().seal),
    e.ItemCompleted(item="one", attempt=1),
    e.ItemSkipped(item="two", reason="no"),
    e.ItemsSettled(),
    e.PlanSucceeded(skipped=("two",)),
)


def test_evolve_leaves_the_state_before_untouched() -> None:
    plan: Plan | None = None
    for fact in facts(*LIFE):
        before = frozen(plan)
        after = evolve(plan, fact)
        assert frozen(plan) == before
        plan = after


def test_folding_in_pieces_equals_folding_at_once() -> None:
    whole = facts(*LIFE)
    expected = frozen(fold(whole))
    for cut in range(len(whole)):
        assert frozen(fold(whole[cut:], fold(whole[:cut]))) == expected


def test_a_plan_ends_in_success_with_its_milestones() -> None:
    plan = plan_after(*LIFE)
    assert plan.status == "success"
    assert plan.times.approval == NOON + 5_000_000
    assert plan.times.success == plan.times.ended == NOON + 11_000_000


def test_an_unknown_event_moves_only_the_version() -> None:
    plan = plan_after(*LIFE[:2])
    foreign = msgspec.structs.replace(facts(e.ItemsSettled(), after=plan.version)[0], type="plan.blessed.v7")
    after = evolve(plan, foreign)
    assert after is not None
    assert after.version == plan.version + 1
    assert after.status == plan.status


def test_reopening_twice_keeps_what_was_done() -> None:
    plan = plan_after(*LIFE[:9])
    assert plan.state_of("one").status == "done"
    for _ in range(2):
        plan = then(plan, [e.PlanReopened(reason="again"), sealed()])
    assert plan.state_of("one").status == "done"
    assert plan.state_of("two").status == "todo"


def test_an_item_that_changed_is_asked_for_again_after_a_reopening() -> None:
    plan = plan_after(*LIFE[:9])
    changed = content(items=(text_item("one", name="Another one"), ITEMS[1]))
    plan = then(plan, [e.PlanReopened(), e.PlanEdited(changes=_items(changed)), seal_of(changed, {})])
    assert plan.state_of("one").status == "todo"
    assert len(plan.state_of("one").attempts) == 1


def _items(changed: Content) -> Changes:
    return Changes(items=changed.items)


def test_approval_does_not_survive_a_reopening_until_it_is_submitted_again() -> None:
    asked = approval("user:ana", "user:ben", needed=2)
    plan = plan_after(created(items=ITEMS, approval=asked), *LIFE[1:6])
    plan = then(plan, [e.PlanReopened(), sealed()])
    assert not plan.approved
    assert len(plan.approval.votes) == 2


def test_a_gate_of_the_plan_makes_it_wait_and_a_passed_one_lets_it_go_on() -> None:
    gates = Gates(finish_planning=GateRule())
    plan = plan_after(created(items=ITEMS, gates=gates), sealed(gates=gates))
    assert plan.status == "wait_for_finish_planning_external_check"
    assert plan.gates["finish_planning"].state == "due"
    opened = e.GateOpened(gate="finish_planning", round=1, instance_code="0" * 16, deadline=NOON)
    plan = then(plan, [opened, e.GateFailed(gate="finish_planning", round=1, reason="red")])
    assert plan.status == "wait_for_finish_planning_external_check_failed"
    plan = then(plan, [msgspec.structs.replace(opened, round=2), e.GatePassed(gate="finish_planning", round=2)])
    assert plan.status == "finish_planning"


def test_an_attempt_that_ends_after_the_plan_was_reopened_is_recorded_and_changes_no_status() -> None:
    start = e.ItemStarted(item="one", attempt=1, run="r1")
    plan = then(plan_after(*LIFE[:8]), [start, e.PlanReopened(), sealed()])
    assert plan.state_of("one").status == "todo"
    assert plan.state_of("one").running is not None
    plan = then(plan, [e.ItemFinished(item="one", attempt=1, outcome="done")], OLIVIA)
    assert plan.state_of("one").status == "todo"
    assert plan.state_of("one").running is None
    assert plan.state_of("one").attempts[0].outcome == "done"


def test_an_item_that_was_removed_keeps_its_attempts_and_counts_on_where_it_is_put_again() -> None:
    start, end = e.ItemStarted(item="one", attempt=1, run="r1"), e.ItemFinished(item="one", attempt=1, outcome="done")
    without = content(items=ITEMS[1:])
    plan = then(
        plan_after(*LIFE[:8]), [start, e.PlanReopened(), edits.ItemsRemoved(items=("one",)), seal_of(without, {})]
    )
    assert [item.id for item in plan.content.items] == ["two"]
    running = plan.state_of("one").running
    assert running is not None
    assert running.number == 1
    plan = then(plan, [end, e.PlanReopened(), edits.ItemsPut(items=ITEMS[:1]), sealed()])
    assert plan.state_of("one").status == "todo"
    assert [attempt.number for attempt in plan.state_of("one").attempts] == [1]


def test_an_item_that_was_removed_before_it_was_tried_leaves_nothing() -> None:
    plan = then(
        plan_after(*LIFE[:8]),
        [e.PlanReopened(), edits.ItemsRemoved(items=("one",)), seal_of(content(items=ITEMS[1:]), {})],
    )
    assert set(plan.items) == {"two"}
