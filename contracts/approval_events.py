"""What else can happen around an approval: delegation, reminder, emergency. Events of a `plan-<id>` stream.

Voting itself, submission and decision stand in `contracts.plan_events`.
"""

from typing import Literal

from contracts.plan_events import Event


class VoteDelegated(Event, frozen=True, gc=False):
    """The actor lets `to` vote in their place on this plan until `until` (Unix microseconds)."""

    to: str
    until: int
    reason: str = ""


class VoteDelegationEnded(Event, frozen=True, gc=False):
    """The actor takes it back. Votes that were cast under it stand."""

    to: str


class ApprovalReminded(Event, frozen=True, gc=False):
    """The deadline is near. `asked` are the references that had not voted yet."""

    round: int
    asked: tuple[str, ...] = ()


class EmergencyApproved(Event, frozen=True, gc=False):
    """An administrator approves without the approvers. `person` is who stands behind the identity; another one reviews."""

    round: int
    seal: str
    reason: str
    person: str


class EmergencyReviewed(Event, frozen=True, gc=False):
    """The second person's review of the emergency approval of this round. It pays the debt, whatever it finds."""

    round: int
    seal: str
    finding: Literal["accept", "object"]
    comment: str
    person: str


EVENTS: dict[str, type[Event]] = {
    "plan.vote_delegated.v1": VoteDelegated,
    "plan.vote_delegation_ended.v1": VoteDelegationEnded,
    "plan.approval_reminded.v1": ApprovalReminded,
    "plan.emergency_approved.v1": EmergencyApproved,
    "plan.emergency_reviewed.v1": EmergencyReviewed,
}
OWNERS: dict[str, tuple[str, ...]] = {"approval": tuple(EVENTS)}
