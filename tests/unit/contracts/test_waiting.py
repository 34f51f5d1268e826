"""What a plan waits for from people, and from whom exactly."""

from typing import Any

import pytest

from contracts import plan_events as e
from contracts.approval_events import EmergencyApproved, VoteDelegated
from contracts.commands import Actor
from contracts.moments import micros
from contracts.people_state import People
from contracts.plan import Plan
from contracts.seal import seal_of
from contracts.values import GateRule, Gates, Rules, Schedule
from contracts.waiting import Reader, asked_of, asked_through, waiting
from tests.support.builders import (
    ADA,
    ANA,
    BEN,
    MALLORY,
    NOON,
    OLIVIA,
    approval,
    content,
    created,
    plan_after,
    text_item,
    utc,
    window,
    workflow_item,
)


def sealed(**fields: Any) -> tuple[e.Event, ...]:
    return (created(**fields), seal_of(content(**fields), {}))


def submitted(**fields: Any) -> tuple[e.Event, ...]:
    made = sealed(**fields)
    return (*made, e.PlanSubmitted(round=1, seal=made[1].seal, deadline=NOON + 9))  # type: ignore[attr-defined]


def executing(**fields: Any) -> tuple[e.Event, ...]:
    made = sealed(**fields)
    return (*made, e.StartRequested(by="owner"), e.ExecutionStarted(seal=made[1].seal))  # type: ignore[attr-defined]


def seen(plan: Plan) -> list[tuple[str, tuple[str, ...], str]]:
    return [(one.kind, one.by, one.item or one.gate) for one in waiting(plan)]


def test_a_draft_and_an_ended_plan_wait_for_nobody() -> None:
    assert waiting(plan_after(created())) == ()
    assert waiting(plan_after(created(), e.PlanCancelled(reason="no"))) == ()


def test_a_sealed_plan_waits_for_its_owner_to_submit_it_or_to_start_it() -> None:
    assert seen(plan_after(*sealed(approval=approval("user:ana")))) == [("submit", ("user:olivia",), "")]
    assert seen(plan_after(*sealed())) == [("start", ("user:olivia",), "")]
    assert seen(plan_after(*sealed(schedule=Schedule(at=utc(2027, 1, 1))))) == []


def test_a_submitted_plan_waits_for_those_who_are_asked_until_the_round_or_the_window_ends() -> None:
    closes = utc(2027, 1, 1)
    plan = plan_after(*submitted(approval=approval("group:sre", "user:ben"), window=window(utc(2026, 9, 1), closes)))
    [vote] = waiting(plan)
    assert (vote.kind, vote.by, vote.until) == ("vote", ("group:sre", "user:ben"), NOON + 9)
    assert asked_of(plan) == (("group:sre", "user:ben"), NOON + 9)
    assert micros(closes) > NOON + 9


def through(plan: Plan, actor: Actor, **known: Any) -> tuple[str, ...]:
    reader = Reader(actor, known.pop("at", NOON), **known)
    return tuple(ref for one in waiting(plan) for ref in asked_through(plan, one, reader))


def asked(plan: Plan, actor: Actor) -> bool:
    return bool(through(plan, actor))


def test_who_has_voted_owns_the_plan_or_edited_it_is_not_asked_for_a_vote_though_their_group_is() -> None:
    events = submitted(approval=approval("group:sre", needed=2))
    vote = e.VoteCast(round=1, seal=events[2].seal, vote="approve", groups=("group:sre",))  # type: ignore[attr-defined]
    assert asked(plan_after(*events), ANA)
    plan = plan_after(*events, (vote, ANA))
    assert not asked(plan, ANA)
    assert asked(plan, BEN)
    assert not asked(plan, Actor("user:olivia", groups=("group:sre",)))
    assert not asked(plan, MALLORY)
    edited = plan_after(events[0], (e.PlanEdited(changes=e.Changes(description="x")), BEN), *events[1:])
    assert not asked(edited, BEN)


def test_a_delegate_is_asked_in_the_place_of_whom_they_vote_for_also_where_a_group_is_asked() -> None:
    plan = plan_after(*submitted(approval=approval("user:ana")))
    given: dict[str, Any] = {"principals": frozenset({"user:ana"}), "groups": {"user:ana": ("group:sre",)}}
    assert through(plan, MALLORY) == ()
    assert through(plan, MALLORY, **given) == ("user:ana",)
    assert through(plan, MALLORY, **{**given, "groups": {}}) == (), "ana is no active user any more"
    by_group = plan_after(*submitted(approval=approval("group:sre", needed=2)))
    assert through(by_group, MALLORY, **given) == ("user:ana",)
    assert through(by_group, BEN, **given) == ("group:sre", "user:ana")


def test_a_delegation_on_one_plan_holds_until_its_end_and_until_somebody_has_voted() -> None:
    events = submitted(approval=approval("group:sre", needed=2))
    delegated = (VoteDelegated(to="user:mallory", until=NOON + 60_000_000), ANA)
    plan, groups = plan_after(*events, delegated), {"user:ana": ("group:sre",)}
    assert "user:mallory" in asked_of(plan)[0]
    assert through(plan, MALLORY, groups=groups) == ("user:ana",)
    assert through(plan, MALLORY, groups=groups, at=NOON + 60_000_000) == ()
    voted = (e.VoteCast(round=1, seal=events[2].seal, vote="approve", groups=("group:sre",)), ANA)  # type: ignore[attr-defined]
    assert through(plan_after(*events, delegated, voted), MALLORY, groups=groups) == ()


def test_who_has_voted_or_edited_under_another_identity_is_not_asked_again() -> None:
    events = submitted(approval=approval("user:ana", "user:ben", needed=2))
    people = People(persons={"user:ana": "user:ana", "user:ben": "user:ana"})
    vote = (e.VoteCast(round=1, seal=events[2].seal, vote="approve", person="user:ana"), ANA)  # type: ignore[attr-defined]
    plan = plan_after(*events, vote)
    assert through(plan, BEN) == ("user:ben",)
    assert through(plan, BEN, people=people) == ()
    edited = plan_after(events[0], (e.PlanEdited(changes=e.Changes(description="x")), ANA), *events[1:])
    assert through(edited, BEN, people=people) == ()


def test_an_item_waits_for_its_owners_else_the_plans_once_what_it_needs_is_settled() -> None:
    items = (text_item("a", owner=("user:ana",)), text_item("b"), text_item("c", needs=("a",)))
    events = executing(items=items)
    plan = plan_after(*events)
    assert seen(plan) == [("item", ("user:ana",), "a"), ("item", ("user:olivia",), "b")]
    done = plan_after(*events, e.ItemCompleted(item="a", attempt=1))
    assert seen(done) == [("item", ("user:olivia",), "b"), ("item", ("user:olivia",), "c")]
    assert waiting(done)[1].since == done.state_of("a").at > done.times.executing


def test_in_order_only_the_next_item_waits() -> None:
    plan = plan_after(*executing(items=(text_item("a"), text_item("b")), rules=Rules(run="in_order")))
    assert seen(plan) == [("item", ("user:olivia",), "a")]


def test_an_item_that_the_system_runs_waits_for_nobody_until_it_fails() -> None:
    items = (workflow_item("deploy", owner=("user:ana",)),)
    resolved = {"deploy": e.ResolvedWorkflow(project="web", workflow="deploy", revision=1, digest="d" * 64)}
    seal = seal_of(content(items=items, rules=Rules(run="by_needs")), resolved)
    events = (created(items=items, rules=Rules(run="by_needs")), seal, e.StartRequested(by="owner"))
    plan = plan_after(*events, e.ExecutionStarted(seal=seal.seal))
    assert seen(plan) == []
    failed = (
        e.ItemStarted(item="deploy", attempt=1, run="0" * 24),
        e.ItemFinished(item="deploy", attempt=1, outcome="failed"),
    )
    plan = plan_after(*events, e.ExecutionStarted(seal=seal.seal), *failed)
    assert seen(plan) == [("failed_item", ("user:ana", "user:olivia"), "deploy")]


def test_a_gate_waits_for_the_owner_when_it_is_open_and_when_it_failed() -> None:
    events = sealed(gates=Gates(finish_planning=GateRule()))
    opened = e.GateOpened(gate="finish_planning", round=1, instance_code="0" * 16, deadline=NOON + 5)
    plan = plan_after(*events, opened)
    assert seen(plan) == [("gate", ("user:olivia",), "finish_planning")]
    assert waiting(plan)[0].until == NOON + 5
    failed = plan_after(*events, opened, e.GateFailed(gate="finish_planning", round=1, reason="no"))
    assert seen(failed) == [("failed_gate", ("user:olivia",), "finish_planning")]


def test_a_denied_plan_and_a_drifted_one_wait_for_their_owner() -> None:
    events = submitted(approval=approval("user:ana"))
    denied = plan_after(*events, e.PlanDenied(round=1, seal=events[2].seal))  # type: ignore[attr-defined]
    assert seen(denied) == [("denied", ("user:olivia",), "")]
    drifted = plan_after(*executing(), e.PlanDrifted(item="announce", fields=("spec",)))
    assert seen(drifted) == [("drift", ("user:olivia",), "")]


def test_a_review_is_owed_by_approvers_and_administrators_but_not_by_who_approved() -> None:
    events = submitted(approval=approval("user:ana"))
    emergency = EmergencyApproved(round=1, seal=events[2].seal, reason="fire", person="user:ada")  # type: ignore[attr-defined]
    plan = plan_after(*events, (emergency, ADA))
    [review] = [one for one in waiting(plan) if one.kind == "review"]
    other = Actor("user:zoe", administrator=True)
    asked = [bool(asked_through(plan, review, Reader(who, NOON))) for who in (ADA, ANA, other, OLIVIA, MALLORY)]
    assert asked == [False, True, True, False, False]


@pytest.mark.parametrize("count", [10_000])
def test_ten_thousand_items_are_looked_at_quickly_enough_for_a_list(count: int) -> None:
    items = tuple(text_item(f"i{number}", needs=(f"i{number - 1}",) if number else ()) for number in range(count))
    assert len(waiting(plan_after(*executing(items=items)))) == 1
