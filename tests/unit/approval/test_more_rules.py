"""Delegation, quorum, early votes, kept votes, reminders, one person with two identities: given / when / then."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from contracts import plan_events as e
from contracts.approval_commands import DelegateVote, EndDelegation
from contracts.approval_events import ApprovalReminded, VoteDelegated, VoteDelegationEnded
from contracts.commands import Actor, SubmitPlan, VoteOnPlan, WithdrawVote
from contracts.moments import moment
from contracts.people_state import People
from contracts.plan import Delegation, Plan
from contracts.refusals import Refused
from contracts.seal import seal_of
from contracts.slots import short_of, standing
from contracts.values import Approval, ApprovalLevel, ApprovalRule, Changes, Rules
from services.approval.decider import Known, decide, remind
from services.approval.decider.delegating import delegate_all
from tests.support.builders import (
    ANA,
    BEN,
    MALLORY,
    NOON,
    OLIVIA,
    PLAN,
    approval,
    content,
    created,
    plan_after,
    then,
)
from tests.support.spec import given

CAT = Actor("user:cat")
LATER = NOON + 3_600_000_000
TWO = approval("user:ana", "user:ben", needed=2)
EVERYBODY = {one.id: one.groups for one in (ANA, BEN, CAT, OLIVIA, MALLORY)}
KNOWN = Known(groups=EVERYBODY)


def sealed(asked: Approval, **fields: Any) -> Plan:
    return plan_after(created(approval=asked, **fields), seal_of(content(approval=asked, **fields), {}))


def waiting(asked: Approval = TWO, **fields: Any) -> Plan:
    seal = seal_of(content(approval=asked, **fields), {})
    return then(sealed(asked, **fields), [e.PlanSubmitted(round=1, seal=seal.seal, kept=())])


def seal_in(plan: Plan) -> str:
    assert plan.seal is not None
    return plan.seal.value


def voted(plan: Plan, actor: Actor, vote: Any = "approve", known: Known = KNOWN, at: int = NOON, **more: Any) -> Any:
    return decide(plan, VoteOnPlan(plan=PLAN, vote=vote, seal=seal_in(plan), **more), actor, at, known)


def after_vote(plan: Plan, actor: Actor, vote: Any = "approve", known: Known = KNOWN, **more: Any) -> Plan:
    return then(plan, voted(plan, actor, vote, known, **more), actor)


def levels(*rules: tuple[ApprovalRule, ...]) -> Approval:
    return Approval(levels=tuple(ApprovalLevel(rules=one) for one in rules))


def names(events: Any) -> list[str]:
    return [type(event).__name__ for event in events]


# Delegation


def given_to(by: Actor, to: Actor, until: int = LATER) -> Delegation:
    return Delegation(by.id, to.id, until, NOON)


def test_a_delegates_vote_fills_the_delegators_slot() -> None:
    known = replace(KNOWN, delegations=(given_to(ANA, CAT),))
    plan = waiting(approval("user:ana"))
    given(plan).when(lambda p: voted(p, CAT, known=known, on_behalf_of="user:ana")).then(
        e.VoteCast(
            round=1, seal=seal_in(plan), vote="approve", groups=ANA.groups, person="user:ana", on_behalf_of="user:ana"
        ),
        e.PlanApproved(round=1, seal=seal_in(plan)),
    )


def test_a_delegation_on_the_plan_counts_like_a_standing_one_and_with_the_delegators_groups() -> None:
    plan = then(waiting(approval("group:sre")), [VoteDelegated(to="user:cat", until=LATER)], ANA)
    assert names(voted(plan, CAT, on_behalf_of="user:ana")) == ["VoteCast", "PlanApproved"]


def test_nobody_votes_for_somebody_who_did_not_delegate_to_them() -> None:
    given(waiting()).when(lambda p: voted(p, CAT, on_behalf_of="user:ana")).refused("no_delegation")


def test_a_delegation_makes_no_chain() -> None:
    plan = then(waiting(), [VoteDelegated(to="user:ben", until=LATER)], ANA)
    plan = then(plan, [VoteDelegated(to="user:cat", until=LATER)], BEN)
    given(plan).when(lambda p: voted(p, CAT, on_behalf_of="user:ana")).refused("no_delegation")
    assert names(voted(plan, CAT, on_behalf_of="user:ben")) == ["VoteCast"]


def test_an_ended_delegation_gives_no_vote() -> None:
    plan = then(waiting(), [VoteDelegated(to="user:cat", until=LATER)], ANA)
    given(plan).when(lambda p: voted(p, CAT, at=LATER, on_behalf_of="user:ana")).refused("delegation_expired")
    back = then(plan, decide(plan, EndDelegation(plan=PLAN, to="user:cat"), ANA, NOON), ANA)
    given(back).when(lambda p: voted(p, CAT, on_behalf_of="user:ana")).refused("no_delegation")


def test_separation_holds_for_the_delegate_and_for_the_delegator() -> None:
    plan = then(waiting(), [VoteDelegated(to="user:olivia", until=LATER)], ANA)
    given(plan).when(lambda p: voted(p, OLIVIA, on_behalf_of="user:ana")).refused("self_approval")
    owned = waiting(approval("user:olivia", "user:ana"))
    owned = then(owned, [VoteDelegated(to="user:cat", until=LATER)], OLIVIA)
    given(owned).when(lambda p: voted(p, CAT, on_behalf_of="user:olivia")).refused("self_approval")


def test_one_person_fills_one_slot_also_with_somebody_elses_vote() -> None:
    plan = then(waiting(), [VoteDelegated(to="user:ben", until=LATER)], ANA)
    plan = after_vote(plan, BEN)
    given(plan).when(lambda p: voted(p, BEN, on_behalf_of="user:ana")).refused("already_voted")
    assert names(voted(plan, ANA)) == ["VoteCast", "PlanApproved"]


def test_the_delegator_may_withdraw_what_the_delegate_cast() -> None:
    plan = then(waiting(), [VoteDelegated(to="user:cat", until=LATER)], ANA)
    plan = after_vote(plan, CAT, on_behalf_of="user:ana")
    given(plan).when(lambda p: voted(p, ANA, "reject")).refused("already_voted")
    withdrawn = decide(plan, WithdrawVote(plan=PLAN), ANA, NOON)
    assert withdrawn == (e.VoteWithdrawn(round=1, person="user:ana"),)
    assert then(plan, withdrawn, ANA).approval.votes == ()


def test_nobody_votes_for_a_delegator_who_has_left() -> None:
    plan = then(waiting(), [VoteDelegated(to="user:cat", until=LATER)], ANA)
    given(plan).when(lambda p: voted(p, CAT, known=Known(), on_behalf_of="user:ana")).refused("not_approver")


def delegating(to: str, until: int = LATER, plan: str | None = PLAN) -> DelegateVote:
    return DelegateVote(plan=plan, to=to, until=moment(until))


def test_a_vote_is_delegated_once_and_taken_back_once() -> None:
    plan = waiting()
    made = decide(plan, delegating("user:cat"), ANA, NOON, KNOWN)
    assert made == (VoteDelegated(to="user:cat", until=LATER),)
    plan = then(plan, made, ANA)
    assert decide(plan, delegating("user:cat"), ANA, NOON, KNOWN) == ()
    back = decide(plan, EndDelegation(plan=PLAN, to="user:cat"), ANA, NOON)
    assert back == (VoteDelegationEnded(to="user:cat"),)
    assert decide(then(plan, back, ANA), EndDelegation(plan=PLAN, to="user:cat"), ANA, NOON) == ()


@pytest.mark.parametrize(
    ("to", "until", "codes"),
    [
        ("user:ana", NOON - 1, ["self_delegation", "delegation_past"]),
        ("user:nobody", LATER, ["unknown_person"]),
        (
            "user:olivia",
            NOON + int(timedelta(days=400) / timedelta(microseconds=1)),
            ["delegation_too_long", "separated"],
        ),
    ],
)
def test_all_that_is_wrong_with_a_delegation_is_told_at_once(to: str, until: int, codes: list[str]) -> None:
    refusal = (
        given(waiting())
        .when(lambda p: decide(p, delegating(to, until), ANA, NOON, KNOWN))
        .refused("invalid_delegation")
    )
    assert [fault.code for fault in refusal.faults] == codes


def test_who_has_no_vote_delegates_none() -> None:
    given(waiting()).when(lambda p: decide(p, delegating("user:cat"), MALLORY, NOON, KNOWN)).refused("not_approver")


def test_a_standing_delegation_to_oneself_under_another_name_is_refused() -> None:
    known = replace(KNOWN, people=People(persons={"user:ana": "user:ana", "user:cat": "user:ana"}))
    with pytest.raises(Refused) as refused:
        delegate_all(None, delegating("user:cat", plan=None), ANA, NOON, known)
    assert [fault.code for fault in refused.value.faults] == ["self_delegation"]


# One person, two identities

LINKED = replace(KNOWN, people=People(persons={"user:ben": "user:ana", "user:ana": "user:ana"}))


def test_a_person_with_two_identities_counts_once() -> None:
    plan = after_vote(waiting(), ANA, known=LINKED)
    given(plan).when(lambda p: voted(p, BEN, known=LINKED)).then_nothing()
    given(plan).when(lambda p: voted(p, BEN, "reject", known=LINKED)).refused("already_voted")


def test_votes_that_two_identities_cast_before_they_were_linked_count_once() -> None:
    three = approval("user:ana", "user:ben", "user:cat", needed=3)
    plan = after_vote(after_vote(waiting(three), ANA), BEN)
    assert names(voted(plan, CAT)) == ["VoteCast", "PlanApproved"]
    assert names(voted(plan, CAT, known=LINKED)) == ["VoteCast"]


def test_separation_looks_at_the_person_not_at_the_identity() -> None:
    owner_too = replace(KNOWN, people=People(persons={"user:ana": "user:olivia"}))
    given(waiting()).when(lambda p: voted(p, ANA, known=owner_too)).refused("self_approval")


def test_the_vote_carries_the_one_person_behind_the_identity() -> None:
    (cast, *_) = voted(waiting(), BEN, known=LINKED)
    assert (cast.person, cast.on_behalf_of) == ("user:ana", "")


def test_who_leaves_a_group_after_voting_has_still_voted() -> None:
    plan = after_vote(waiting(approval("group:sre", needed=2)), ANA)
    assert names(voted(plan, BEN, known=Known(groups={"user:ana": ()}))) == ["VoteCast", "PlanApproved"]


# Rejections


def quorum(*approvers: str, needed: int) -> Approval:
    return levels((ApprovalRule(approvers=approvers, needed=needed, on_reject="quorum"),))


def test_with_a_quorum_a_rejection_denies_only_when_too_few_are_left() -> None:
    plan = waiting(quorum("user:ana", "user:ben", "user:cat", needed=2))
    assert names(voted(plan, ANA, "reject")) == ["VoteCast"]
    plan = after_vote(plan, ANA, "reject")
    assert names(voted(plan, BEN)) == ["VoteCast"]
    assert names(voted(plan, BEN, "reject", comment="no")) == ["VoteCast", "PlanDenied"]


def test_a_quorum_counts_the_members_of_a_group_and_not_those_who_may_not_approve() -> None:
    plan = waiting(quorum("group:sre", needed=1))
    members = frozenset({"user:ana", "user:ben", "user:olivia"})
    known = replace(KNOWN, members={"group:sre": members})
    plan = after_vote(plan, ANA, "reject", known)
    assert plan.status == "wait_for_approval"
    assert names(voted(plan, BEN, "reject", known)) == ["VoteCast", "PlanDenied"]


def test_a_quorum_does_not_wait_for_those_who_own_the_plan_through_a_group() -> None:
    plan = waiting(quorum("group:sre", needed=1), owner=("group:release",))
    members = {"group:sre": frozenset({"user:ana", "user:ben"}), "group:release": frozenset({"user:ben"})}
    assert names(voted(plan, ANA, "reject", replace(KNOWN, members=members))) == ["VoteCast", "PlanDenied"]


def test_a_group_that_the_directory_does_not_know_is_not_taken_for_empty() -> None:
    plan = waiting(quorum("group:sre", needed=2))
    assert names(voted(plan, ANA, "reject", replace(KNOWN, members={"group:sre": frozenset()}))) == ["VoteCast"]


def test_a_rejection_needs_a_comment_where_the_plan_says_so() -> None:
    plan = waiting(replace(TWO, reject_needs_comment=True))
    given(plan).when(lambda p: voted(p, ANA, "reject")).refused("reason_required")
    assert names(voted(plan, ANA, "reject", comment="not on a Friday")) == ["VoteCast", "PlanDenied"]


# Before the submission, and after a reopening


def test_an_early_vote_counts_when_the_plan_is_submitted() -> None:
    plan = sealed(TWO)
    plan = after_vote(plan, ANA)
    assert plan.status == "finish_planning"
    (opened,) = decide(plan, SubmitPlan(plan=PLAN), OLIVIA, NOON)
    assert opened.kept == ("user:ana",)  # type: ignore[attr-defined]  # it is a PlanSubmitted
    plan = then(plan, [opened])
    assert names(voted(plan, BEN)) == ["VoteCast", "PlanApproved"]


def test_early_votes_that_suffice_approve_with_the_submission() -> None:
    plan = after_vote(after_vote(sealed(TWO), ANA), BEN)
    assert not plan.approved
    assert names(decide(plan, SubmitPlan(plan=PLAN), OLIVIA, NOON)) == ["PlanSubmitted", "PlanApproved"]


def test_an_early_rejection_denies_with_the_submission() -> None:
    plan = after_vote(sealed(TWO), ANA, "reject", comment="wrong image")
    submitted = decide(plan, SubmitPlan(plan=PLAN), OLIVIA, NOON)
    assert names(submitted) == ["PlanSubmitted", "PlanDenied"]
    assert then(plan, submitted).approval.reason == "wrong image"


def test_an_early_vote_can_be_withdrawn() -> None:
    plan = after_vote(sealed(TWO), ANA)
    plan = then(plan, decide(plan, WithdrawVote(plan=PLAN), ANA, NOON), ANA)
    assert standing(plan).missing == (2,)


def test_a_draft_and_a_plan_that_asks_for_no_approval_take_no_early_votes() -> None:
    draft = plan_after(created(approval=TWO))
    vote = VoteOnPlan(plan=PLAN, vote="approve", seal="0" * 64)
    given(draft).when(lambda p: decide(p, vote, ANA, NOON)).refused("not_waiting")
    given(sealed(Approval())).when(lambda p: voted(p, ANA)).refused("not_waiting")


def test_an_earlier_rounds_rejection_does_not_deny_the_next_round_of_the_same_seal() -> None:
    plan = after_vote(waiting(), ANA, "reject")
    assert plan.status == "denied"
    plan = then(plan, [e.PlanReopened(), seal_of(content(approval=TWO), {})])
    assert names(decide(plan, SubmitPlan(plan=PLAN), OLIVIA, NOON)) == ["PlanSubmitted"]
    assert names(voted(plan, ANA)) == ["VoteCast"]


def reopened_with(plan: Plan, asked: Approval, actor: Actor = OLIVIA, **fields: Any) -> Plan:
    edited = e.PlanEdited(changes=Changes(**fields))
    plan = then(plan, [e.PlanReopened()])
    plan = then(plan, [edited], actor)
    return then(plan, [seal_of(content(approval=asked, **fields), {})])


def test_only_those_whose_sections_changed_are_asked_again() -> None:
    asked = levels(
        (
            ApprovalRule(approvers=("user:ana",), keep_votes="unchanged_sections", signs=("gates",)),
            ApprovalRule(approvers=("user:ben",), keep_votes="unchanged_sections", signs=("items",)),
            ApprovalRule(approvers=("user:cat",)),
        )
    )
    plan = after_vote(after_vote(waiting(asked), ANA), BEN)
    plan = reopened_with(plan, asked, items=())
    (opened,) = decide(plan, SubmitPlan(plan=PLAN), OLIVIA, NOON)
    assert opened.kept == ("user:ana",)  # type: ignore[attr-defined]  # it is a PlanSubmitted
    plan = then(plan, [opened])
    assert standing(plan).asked == ("user:ben", "user:cat")


def test_a_kept_vote_is_replaced_by_one_for_the_new_seal() -> None:
    keeps = ApprovalRule(
        approvers=("user:ana", "user:ben"), needed=2, keep_votes="unchanged_sections", signs=("gates",)
    )
    asked = levels((keeps,))
    plan = reopened_with(after_vote(waiting(asked), ANA), asked, items=())
    plan = then(plan, decide(plan, SubmitPlan(plan=PLAN), OLIVIA, NOON))
    assert standing(plan).asked == ("user:ben",)
    assert names(voted(plan, ANA)) == ["VoteCast"]
    assert names(voted(plan, ANA, "reject", comment="what about the items?")) == ["VoteCast", "PlanDenied"]
    again = after_vote(plan, ANA)
    assert [(vote.by, vote.seal) for vote in again.approval.votes] == [("user:ana", seal_in(plan))]


def test_a_vote_is_not_kept_when_who_must_agree_or_who_may_not_has_changed() -> None:
    asked = levels((ApprovalRule(approvers=("user:ana",), keep_votes="unchanged_sections", signs=("gates",)),))
    changed = reopened_with(after_vote(waiting(asked), ANA), asked, rules=Rules(separation=()))
    assert standing(changed).asked == ("user:ana",)
    same = reopened_with(after_vote(waiting(asked), ANA), asked, rules=Rules())
    assert standing(same).level is None


def test_who_edits_the_plan_after_voting_has_approved_it_no_more() -> None:
    plan = after_vote(waiting(), ANA)
    plan = reopened_with(plan, TWO, actor=ANA, description="as before")
    (opened,) = decide(plan, SubmitPlan(plan=PLAN), OLIVIA, NOON)
    assert opened.kept == ()  # type: ignore[attr-defined]  # it is a PlanSubmitted


# Overlapping rules


def test_an_earlier_slot_is_asked_for_again_where_its_holder_is_needed_later() -> None:
    plan = waiting(
        levels((ApprovalRule(approvers=("user:ana", "user:ben")),), (ApprovalRule(approvers=("user:ana",)),))
    )
    plan = after_vote(plan, ANA)
    assert standing(plan).asked == ("user:ben",)
    assert names(voted(plan, BEN)) == ["VoteCast", "PlanApproved"]


def test_slots_that_cannot_all_be_filled_are_counted() -> None:
    both = frozenset({"ana", "ben"})
    assert short_of([1, 1], [both, both]) == [0, 0]
    assert short_of([1, 1, 1], [both, both, frozenset({"ana"})]).count(1) == 1
    assert short_of([2, 1], [both, frozenset({"ana"})]) in ([1, 0], [0, 1])


# Reminders


def test_who_has_not_voted_is_reminded_once_before_the_deadline() -> None:
    asked = replace(TWO, deadline_seconds=600, remind_before_seconds=60)
    plan = sealed(asked)
    plan = then(plan, decide(plan, SubmitPlan(plan=PLAN), OLIVIA, NOON))
    plan = after_vote(plan, ANA)
    due = NOON + 540_000_000
    assert remind(plan, due - 1) == ()
    assert remind(plan, due) == (ApprovalReminded(round=1, asked=("user:ben",)),)
    assert remind(then(plan, remind(plan, due)), due) == ()
    assert remind(plan, NOON + 600_000_000) == ()
