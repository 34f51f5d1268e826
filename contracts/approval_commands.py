"""What can be asked of approval beside submitting and voting: delegation, emergency, identities of one person."""

from typing import Annotated, Literal

from msgspec import Meta

from contracts.command import Command, PlanId, Sealed
from contracts.values import Moment, ShortText

User = Annotated[str, Meta(pattern=r"^user:[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$(?!\n)", max_length=110, title="user:NAME")]


class DelegateVote(Command, frozen=True, tag="delegate_vote"):
    """The asker's vote goes to `to` until `until`: on one plan, or without one on all."""

    to: User
    until: Moment
    plan: PlanId | None = None
    reason: ShortText = ""


class EndDelegation(Command, frozen=True, tag="end_delegation"):
    to: User
    plan: PlanId | None = None


class ApproveInEmergency(Command, frozen=True, tag="approve_in_emergency"):
    """`seal` is the one that the administrator looked at. Another person owes a review."""

    plan: PlanId
    seal: Sealed
    reason: ShortText = ""


class ReviewEmergency(Command, frozen=True, tag="review_emergency"):
    """The second person's review. `seal` names the emergency approval where there are several; else the newest owed one."""

    plan: PlanId
    finding: Literal["accept", "object"]
    comment: ShortText = ""
    seal: Sealed | None = None


class ResendLetters(Command, frozen=True, tag="resend_letters"):
    """The letters about the newest round that were given up are tried again."""

    plan: PlanId


class LinkIdentities(Command, frozen=True, tag="link_identities"):
    """These identities are one person."""

    identities: Annotated[tuple[User, ...], Meta(min_length=2, max_length=20)]
    reason: ShortText = ""


class UnlinkIdentity(Command, frozen=True, tag="unlink_identity"):
    identity: User
    reason: ShortText = ""


ApprovalCommand = (
    DelegateVote
    | EndDelegation
    | ApproveInEmergency
    | ReviewEmergency
    | ResendLetters
    | LinkIdentities
    | UnlinkIdentity
)
APPROVAL: tuple[type[Command], ...] = (
    DelegateVote,
    EndDelegation,
    ApproveInEmergency,
    ReviewEmergency,
    ResendLetters,
    LinkIdentities,
    UnlinkIdentity,
)
