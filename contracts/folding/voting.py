"""The approval round."""

from msgspec.structs import replace

from contracts import plan_events as e
from contracts.envelope import Fact
from contracts.folding.ground import Apply, end, touch
from contracts.plan import ApprovalRound, Plan, Vote


def _submitted(plan: Plan, event: e.PlanSubmitted, fact: Fact) -> None:
    votes = tuple(vote for vote in plan.approval.votes if vote.seal == event.seal and vote.vote == "approve")
    plan.approval = ApprovalRound(
        round=event.round,
        state="open",
        seal=event.seal,
        votes=votes,
        submitted_at=fact.at,
        submitted_by=fact.actor,
        deadline=event.deadline or 0,
    )
    plan.status = "wait_for_approval"
    touch(plan, fact)


def _voted(plan: Plan, event: e.VoteCast, fact: Fact) -> None:
    vote = Vote(fact.actor, event.vote, event.seal, fact.at, fact.channel, event.groups, event.comment)
    others = tuple(v for v in plan.approval.votes if v.by != fact.actor)
    plan.approval = replace(plan.approval, votes=(*others, vote))


def _withdrawn(plan: Plan, event: e.VoteWithdrawn, fact: Fact) -> None:
    plan.approval = replace(plan.approval, votes=tuple(v for v in plan.approval.votes if v.by != fact.actor))


def _approved(plan: Plan, event: e.PlanApproved, fact: Fact) -> None:
    plan.approval = replace(plan.approval, state="passed", decided_at=fact.at)
    plan.times = replace(plan.times, approval=fact.at)
    plan.status = "finish_planning"


def _denied(plan: Plan, event: e.PlanDenied, fact: Fact) -> None:
    plan.approval = replace(plan.approval, state="denied", decided_at=fact.at, reason=event.reason)
    plan.times = replace(plan.times, approval=fact.at)
    plan.status = "denied"


def _approval_expired(plan: Plan, event: e.ApprovalExpired, fact: Fact) -> None:
    plan.approval = replace(plan.approval, state="expired", decided_at=fact.at)
    plan.status, plan.reason = "timeout", "approval_deadline"
    end(plan, fact)


APPLY: dict[str, Apply] = {
    "plan.submitted.v1": _submitted,
    "plan.vote_cast.v1": _voted,
    "plan.vote_withdrawn.v1": _withdrawn,
    "plan.approved.v1": _approved,
    "plan.denied.v1": _denied,
    "plan.approval_expired.v1": _approval_expired,
}
