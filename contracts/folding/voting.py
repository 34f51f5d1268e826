"""The approval round."""

from msgspec.structs import replace

from contracts import plan_events as e
from contracts.envelope import Fact
from contracts.folding.ground import Apply, end, touch
from contracts.plan import ApprovalRound, Plan, Vote


def _submitted(plan: Plan, event: e.PlanSubmitted, fact: Fact) -> None:
    votes = tuple(vote for vote in plan.approval.votes if _counts_on(vote, event))
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


def _counts_on(vote: Vote, event: e.PlanSubmitted) -> bool:
    if event.kept is not None:
        return vote.fills_for in event.kept
    return vote.seal == event.seal and vote.vote == "approve"


def _voted(plan: Plan, event: e.VoteCast, fact: Fact) -> None:
    vote = Vote(
        by=fact.actor,
        vote=event.vote,
        seal=event.seal,
        at=fact.at,
        channel=fact.channel,
        groups=event.groups,
        comment=event.comment,
        person=event.person or fact.actor,
        on_behalf_of=event.on_behalf_of,
        round=event.round,
        sections=plan.seal.sections if plan.seal else {},
    )
    plan.approval = replace(plan.approval, votes=(*_without(plan, vote.fills_for), vote))


def _withdrawn(plan: Plan, event: e.VoteWithdrawn, fact: Fact) -> None:
    plan.approval = replace(plan.approval, votes=_without(plan, event.person or fact.actor))


def _without(plan: Plan, person: str) -> tuple[Vote, ...]:
    return tuple(vote for vote in plan.approval.votes if vote.fills_for != person)


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
