"""The rules of approval, given / when / then."""

from collections.abc import Callable
from typing import Any, Literal

from contracts import plan_events as e
from contracts.commands import Actor, SubmitPlan, VoteOnPlan, WithdrawVote
from contracts.plan import Plan
from contracts.seal import seal_of
from contracts.values import Approval, ApprovalLevel, ApprovalRule, Rules
from services.approval.decider import decide, expire
from tests.support.builders import (
    ADA,
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

TWO = approval("user:ana", "user:ben", needed=2)


def waiting(asked: Approval = TWO, *more: Any, **fields: Any) -> Plan:
    seal = seal_of(content(approval=asked, **fields), {})
    submitted = e.PlanSubmitted(round=1, seal=seal.seal)
    return plan_after(created(approval=asked, **fields), seal, submitted, *more)


def seal_in(plan: Plan) -> str:
    assert plan.seal is not None
    return plan.seal.value


def voting(actor: Actor, vote: Literal["approve", "reject"] = "approve", **fields: Any) -> Callable[[Plan], Any]:
    def decided(plan: Plan) -> Any:
        command = VoteOnPlan(
            plan=PLAN, vote=vote, seal=fields.get("seal") or seal_in(plan), comment=fields.get("comment", "")
        )
        return decide(plan, command, actor, fields.get("at", NOON))

    return decided


def cast(plan: Plan, vote: Literal["approve", "reject"] = "approve", actor: Actor = ANA) -> e.VoteCast:
    return e.VoteCast(round=1, seal=seal_in(plan), vote=vote, groups=actor.groups, person=actor.id)


def test_a_sealed_plan_is_submitted_with_its_deadline() -> None:
    rules = approval("user:ana", deadline_seconds=60)
    seal = seal_of(content(approval=rules), {})
    plan = plan_after(created(approval=rules), seal)
    given(plan).when(lambda p: decide(p, SubmitPlan(plan=PLAN), OLIVIA, NOON)).then(
        e.PlanSubmitted(round=1, seal=seal.seal, deadline=NOON + 60_000_000, kept=())
    )


def test_a_draft_is_not_submitted() -> None:
    given(plan_after(created(approval=TWO))).when(lambda p: decide(p, SubmitPlan(plan=PLAN), OLIVIA, NOON)).refused(
        "not_sealed"
    )


def test_a_plan_that_asks_for_no_approval_is_not_submitted() -> None:
    plan = plan_after(created(), seal_of(content(), {}))
    given(plan).when(lambda p: decide(p, SubmitPlan(plan=PLAN), OLIVIA, NOON)).refused("no_approval_asked")


def test_the_first_of_two_votes_does_not_approve() -> None:
    plan = waiting()
    given(plan).when(voting(ANA)).then(cast(plan))


def test_the_second_vote_approves_for_this_seal() -> None:
    plan = waiting()
    plan = then(plan, [cast(plan)], ANA)
    given(plan).when(voting(BEN)).then(cast(plan, actor=BEN), e.PlanApproved(round=1, seal=seal_in(plan)))


def test_one_rejection_denies() -> None:
    plan = waiting()
    given(plan).when(voting(BEN, "reject", comment="not today")).then(
        e.VoteCast(round=1, seal=seal_in(plan), vote="reject", groups=BEN.groups, comment="not today", person=BEN.id),
        e.PlanDenied(round=1, seal=seal_in(plan), reason="not today"),
    )


def test_the_same_vote_again_is_already_so_and_another_is_refused() -> None:
    plan = waiting()
    plan = then(plan, [cast(plan)], ANA)
    given(plan).when(voting(ANA)).then_nothing()
    given(plan).when(voting(ANA, "reject")).refused("already_voted")


def test_a_vote_for_another_seal_is_refused() -> None:
    given(waiting()).when(voting(ANA, seal="0" * 64)).refused("seal_changed")


def test_who_is_no_approver_does_not_vote() -> None:
    given(waiting()).when(voting(MALLORY)).refused("not_approver")


def test_the_owner_does_not_approve() -> None:
    plan = waiting(approval("user:olivia", "user:ana", "user:ben", needed=2))
    given(plan).when(voting(OLIVIA)).refused("self_approval")


def test_an_editor_does_not_approve() -> None:
    rules = approval("user:ada", "user:ana", "user:ben", needed=2)
    seal = seal_of(content(approval=rules, name="B"), {})
    edited = (e.PlanEdited(changes=e.Changes(name="B")), ADA)
    plan = plan_after(created(approval=rules), edited, seal, e.PlanSubmitted(round=1, seal=seal.seal))
    refusal = given(plan).when(voting(ADA)).refused("self_approval")
    assert refusal.facts == {"rule": "editors"}


def test_a_plan_may_relax_the_separation() -> None:
    rules = approval("user:olivia")
    plan = waiting(rules, rules=Rules(separation=()))
    given(plan).when(voting(OLIVIA)).then(cast(plan, actor=OLIVIA), e.PlanApproved(round=1, seal=seal_in(plan)))


def levels(*rules: tuple[ApprovalRule, ...]) -> Approval:
    return Approval(levels=tuple(ApprovalLevel(rules=one) for one in rules))


def test_a_level_opens_when_the_one_before_it_is_met() -> None:
    plan = waiting(levels((ApprovalRule(approvers=("user:ana",)),), (ApprovalRule(approvers=("user:ben",)),)))
    given(plan).when(voting(BEN)).refused("not_approver")
    plan = then(plan, [cast(plan)], ANA)
    given(plan).when(voting(BEN)).then(cast(plan, actor=BEN), e.PlanApproved(round=1, seal=seal_in(plan)))


def test_one_person_fills_one_slot_of_a_level() -> None:
    both = (ApprovalRule(approvers=("group:sre",)), ApprovalRule(approvers=("user:ana",)))
    plan = waiting(levels(both))
    given(plan).when(voting(ANA)).then(cast(plan))


def test_slots_are_matched_to_people_in_whatever_order_they_vote() -> None:
    both = (ApprovalRule(approvers=("user:ana", "user:ben")), ApprovalRule(approvers=("user:ana",)))
    plan = waiting(levels(both))
    plan = then(plan, [cast(plan)], ANA)
    given(plan).when(voting(BEN)).then(cast(plan, actor=BEN), e.PlanApproved(round=1, seal=seal_in(plan)))


def test_a_group_member_votes_with_the_groups_of_that_moment() -> None:
    plan = waiting(approval("group:sre"))
    given(plan).when(voting(ANA)).then(cast(plan), e.PlanApproved(round=1, seal=seal_in(plan)))
    given(plan).when(voting(Actor("user:ana"))).refused("not_approver")


def test_a_withdrawn_vote_no_longer_counts() -> None:
    plan = waiting()
    plan = then(plan, [cast(plan)], ANA)
    withdrawing = WithdrawVote(plan=PLAN, reason="looked again")
    given(plan).when(lambda p: decide(p, withdrawing, ANA, NOON)).then(
        e.VoteWithdrawn(round=1, reason="looked again", person="user:ana")
    )
    plan = then(plan, [e.VoteWithdrawn(round=1)], ANA)
    given(plan).when(voting(BEN)).then(cast(plan, actor=BEN))


def test_who_has_not_voted_withdraws_nothing() -> None:
    given(waiting()).when(lambda p: decide(p, WithdrawVote(plan=PLAN), ANA, NOON)).refused("no_vote")


def test_a_round_expires_at_its_deadline_and_not_before() -> None:
    rules = approval("user:ana")
    seal = seal_of(content(approval=rules), {})
    plan = plan_after(created(approval=rules), seal, e.PlanSubmitted(round=1, seal=seal.seal, deadline=NOON))
    assert expire(plan, NOON - 1) == ()
    assert expire(plan, NOON) == (e.ApprovalExpired(round=1),)
    given(plan).when(voting(ANA, at=NOON)).refused("not_waiting")


def test_a_reopened_plan_with_the_same_seal_keeps_its_votes_and_with_another_asks_again() -> None:
    plan = waiting()
    seal = seal_of(content(approval=TWO), {})
    plan = then(plan, [cast(plan)], ANA)
    same = then(plan, [e.PlanReopened(), seal, e.PlanSubmitted(round=2, seal=seal.seal)])
    assert [vote.by for vote in same.approval.votes] == ["user:ana"]
    other = seal_of(content(approval=TWO, rules=Rules(run="in_order")), {})
    changed = then(plan, [e.PlanReopened(), other, e.PlanSubmitted(round=2, seal=other.seal)])
    assert changed.approval.votes == ()


def test_a_vote_after_the_deadline_is_refused_with_the_reason_also_before_the_timer_has_fired() -> None:
    rules = approval("user:ana", deadline_seconds=60)
    seal = seal_of(content(approval=rules), {})
    plan = plan_after(created(approval=rules), seal, e.PlanSubmitted(round=1, seal=seal.seal, deadline=NOON))
    late = given(plan)
    for refused in (
        late.when(voting(ANA)).refused("not_waiting"),
        late.when(lambda p: decide(p, WithdrawVote(plan=PLAN), ANA, NOON)).refused("not_waiting"),
    ):
        assert "deadline of round 1" in refused.detail
        assert "reopen" in refused.detail
