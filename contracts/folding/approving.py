"""What else happens around an approval: delegation, reminder, emergency."""

from msgspec.structs import replace

from contracts import approval_events as e
from contracts.envelope import Fact
from contracts.folding.ground import Apply
from contracts.plan import Delegation, Emergency, Plan


def _delegated(plan: Plan, event: e.VoteDelegated, fact: Fact) -> None:
    given = Delegation(fact.actor, event.to, event.until, fact.at, event.reason)
    plan.delegations = (*(one for one in plan.delegations if one.by != fact.actor), given)


def _delegation_ended(plan: Plan, event: e.VoteDelegationEnded, fact: Fact) -> None:
    plan.delegations = tuple(one for one in plan.delegations if one.by != fact.actor)


def _reminded(plan: Plan, event: e.ApprovalReminded, fact: Fact) -> None:
    plan.approval = replace(plan.approval, reminded_at=fact.at)


def _emergency_approved(plan: Plan, event: e.EmergencyApproved, fact: Fact) -> None:
    owed = Emergency(event.round, event.seal, fact.actor, event.person, fact.at, event.reason)
    plan.emergencies = (*plan.emergencies, owed)


def _emergency_reviewed(plan: Plan, event: e.EmergencyReviewed, fact: Fact) -> None:
    paid = {"reviewed_by": fact.actor, "reviewed_at": fact.at, "finding": event.finding, "comment": event.comment}
    plan.emergencies = tuple(
        replace(one, **paid) if one.round == event.round and one.owed else one for one in plan.emergencies
    )


APPLY: dict[str, Apply] = {
    "plan.vote_delegated.v1": _delegated,
    "plan.vote_delegation_ended.v1": _delegation_ended,
    "plan.approval_reminded.v1": _reminded,
    "plan.emergency_approved.v1": _emergency_approved,
    "plan.emergency_reviewed.v1": _emergency_reviewed,
}
