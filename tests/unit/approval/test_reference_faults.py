"""The faults of the reference system's approval, one by one, and that ours does not have them.

Each name is the fault turned round; the places are those of `zadig-release-plan.md`, sections 4 and 8.
"""

from typing import Any

import msgspec
import pytest

from contracts import plan_events as e
from contracts.commands import SubmitPlan, VoteOnPlan
from contracts.http import NewPlan
from contracts.seal import seal_of
from contracts.slots import standing
from contracts.values import ApprovalRule, Changes, Rules
from services.approval.decider import decide, expire, remind
from services.audit.views import entry
from tests.support.builders import ANA, BEN, NOON, OLIVIA, PLAN, approval, content, created, facts, plan_after, then
from tests.support.spec import given
from tests.unit.approval.test_more_rules import KNOWN, TWO, after_vote, names, seal_in, sealed, voted, waiting


def test_8_1_an_approval_does_not_survive_an_edit() -> None:
    plan = after_vote(after_vote(waiting(), ANA), BEN)
    assert plan.approved
    by_hand = Rules(start="by_owner")
    edited = e.PlanEdited(changes=Changes(rules=by_hand))
    plan = then(plan, [e.PlanReopened(), edited, seal_of(content(approval=TWO, rules=by_hand), {})])
    assert not plan.approved
    assert names(decide(plan, SubmitPlan(plan=PLAN), OLIVIA, NOON)) == ["PlanSubmitted"]


@pytest.mark.parametrize("more", [{"status": "passed"}, {"votes": []}, {"levels": [], "approved": True}])
def test_8_2_an_approval_cannot_be_supplied_by_the_client(more: dict[str, Any]) -> None:
    body = msgspec.json.encode({"project": "web", "name": "Release", "approval": more})
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=NewPlan)


@pytest.mark.parametrize("needed", [0, -1, None])
def test_4_1_nobody_asks_for_no_approvers(needed: int | None) -> None:
    body = msgspec.json.encode({"approvers": ["user:ana"], "needed": needed})
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=ApprovalRule)


def test_4_1_a_vote_leaves_the_groups_in_the_rules_for_later_rounds() -> None:
    asked = approval("group:sre", needed=2)
    plan = after_vote(waiting(asked), ANA)
    assert plan.content.approval == asked
    assert standing(plan).asked == ("group:sre",)


def test_4_1_a_vote_and_what_it_decides_are_one_append() -> None:
    plan = after_vote(waiting(), ANA)
    assert names(voted(plan, BEN)) == ["VoteCast", "PlanApproved"]


def test_4_1_a_vote_can_be_changed_while_the_round_is_open() -> None:
    plan = after_vote(waiting(), ANA)
    plan = then(plan, [e.VoteWithdrawn(round=1, person="user:ana")], ANA)
    assert names(voted(plan, ANA, "reject")) == ["VoteCast", "PlanDenied"]


def test_4_5_looking_at_a_plan_in_which_nothing_is_due_writes_nothing() -> None:
    plan = waiting(msgspec.structs.replace(TWO, deadline_seconds=600, remind_before_seconds=60))
    assert (expire(plan, NOON), remind(plan, NOON)) == ((), ())


def test_2_4_an_approval_times_out_also_while_nobody_votes() -> None:
    plan = sealed(msgspec.structs.replace(TWO, deadline_seconds=600))
    plan = then(plan, decide(plan, SubmitPlan(plan=PLAN), OLIVIA, NOON))
    plan = then(plan, expire(plan, NOON + 600_000_000))
    assert (plan.status, plan.reason, plan.approval.state) == ("timeout", "approval_deadline", "expired")


def test_8_14_submitting_twice_opens_one_round() -> None:
    given(waiting()).when(lambda p: decide(p, SubmitPlan(plan=PLAN), OLIVIA, NOON)).then_nothing()


@pytest.mark.parametrize("end", [e.PlanReopened(), e.PlanCancelled(reason="no")])
def test_4_2_a_plan_that_goes_elsewhere_leaves_no_round_open(end: e.Event) -> None:
    plan = then(waiting(), [end])
    assert plan.approval.state == "closed"
    given(then(waiting(), [end])).when(_vote_of_ana).refused("not_waiting")


def _vote_of_ana(plan: Any) -> Any:
    return decide(plan, VoteOnPlan(plan=PLAN, vote="approve", seal=seal_in(waiting())), ANA, NOON, KNOWN)


def test_6_5_the_time_that_an_approval_takes_can_be_told() -> None:
    plan = then(sealed(TWO), [e.PlanSubmitted(round=1, seal=seal_in(sealed(TWO)))], at=NOON)
    plan = then(plan, [e.PlanApproved(round=1, seal=seal_in(plan))], at=NOON + 90_000_000)
    assert plan.approval.decided_at - plan.approval.submitted_at == 90_000_000


def test_2_3_the_record_says_who_voted_with_which_comment() -> None:
    seal = seal_of(content(approval=TWO), {})
    cast = e.VoteCast(round=1, seal=seal.seal, vote="reject", comment="wrong image")
    life = facts(created(approval=TWO), seal, e.PlanSubmitted(round=1, seal=seal.seal), (cast, ANA))
    found = entry(life[-1], plan_after(created(approval=TWO)), None)
    assert found is not None
    assert (found.actor, found.verb, found.detail) == ("user:ana", "vote", "wrong image; reject")
