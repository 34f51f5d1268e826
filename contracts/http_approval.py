"""The bodies of the HTTP interface around approval: ballots, delegations, emergencies, reviews, identities, letters."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from contracts.approval_commands import User
from contracts.command import Sealed
from contracts.difference import Difference
from contracts.http_base import Answered, Read
from contracts.letter import LetterKind
from contracts.plan import Status
from contracts.plan_events import Source
from contracts.refusals import Fault
from contracts.values import Content, Moment, ShortText

# What is sent to us


class Ballot(Read, frozen=True, kw_only=True):
    """`seal` is the one that the voter looked at (`seal.value` of the plan).

    `on_behalf_of` names who delegated the vote that is cast; absent: one's own.
    """

    vote: Literal["approve", "reject"]
    seal: Sealed
    comment: ShortText = ""
    on_behalf_of: User | None = None


class Delegating(Read, frozen=True, kw_only=True):
    """My vote on this plan goes to `to` until `until`."""

    to: User
    until: Moment
    reason: ShortText = ""


class TakingBack(Read, frozen=True, kw_only=True):
    """The delegation to `to` ends now."""

    to: User


class StandingDelegation(Read, frozen=True, kw_only=True):
    """My vote on all plans goes to the person in the address until `until`."""

    until: Moment
    reason: ShortText = ""


class EmergencyApproval(Read, frozen=True, kw_only=True):
    """`seal` is the one that the administrator looked at; `reason` says what the emergency is."""

    seal: Sealed
    reason: ShortText = ""


class EmergencyFinding(Read, frozen=True, kw_only=True):
    """What the second person finds. `seal` where the plan owes several reviews; else the newest is meant."""

    finding: Literal["accept", "object"]
    comment: ShortText = ""
    seal: Sealed | None = None


class Link(Read, frozen=True, kw_only=True):
    """These identities are one person."""

    identities: Annotated[tuple[User, ...], Meta(min_length=2, max_length=20)]
    reason: ShortText = ""


class Unlink(Read, frozen=True, kw_only=True):
    """This identity is a person of its own again."""

    identity: User
    reason: ShortText = ""


# What we answer


class DelegationView(Answered, frozen=True, kw_only=True):
    """`by` lets `to` vote in their place; `plan` is empty where it holds for all plans."""

    by: str
    to: str
    plan: str
    until: datetime
    since: datetime
    reason: str


class Delegations(Answered, frozen=True, kw_only=True):
    """The standing delegations that I gave and that I was given. Those on one plan are shown with that plan."""

    given: tuple[DelegationView, ...]
    received: tuple[DelegationView, ...]


class EmergencyView(Answered, frozen=True, kw_only=True):
    """An emergency approval. `owed`: no second person has reviewed it yet."""

    round: int
    seal: str
    by: str
    at: datetime
    reason: str
    owed: bool
    reviewed_by: str
    reviewed_at: datetime | None
    finding: Literal["", "accept", "object"]
    comment: str


class SinceView(Answered, frozen=True, kw_only=True):
    """How the plan differs from what it was at `version`, at that time, under that seal."""

    version: int
    at: datetime
    seal: str
    difference: Difference


class TemplateNewsView(Answered, frozen=True, kw_only=True):
    """The template that the plan was made from, now. `put_by` and `put_at` are those of its newest revision.

    `difference` is what the newest revision makes otherwise of the same values than the one that was used; `null` where
    it makes no plan of them, `faults` say why. `deleted`: the template is offered no more.
    """

    name: str
    revision: int
    newest: int
    put_by: str
    put_at: datetime
    deleted: bool
    difference: Difference | None
    faults: tuple[Fault, ...]


class ReviewView(Answered, frozen=True, kw_only=True):
    """What an approver must see. Each `since_...` is `null` where there is nothing to compare with.

    `seal` is the one to vote for; `asked` who is asked now. `you_are_asked`: your vote, or that of somebody who gave it
    to you, is still wanted, and you may cast it. `since_source` compares with what the plan was made as (of a template:
    the revision that was used, with its values); `template` tells what became of the template since, and is `null` for a
    plan that was made from none.
    """

    id: str
    name: str
    status: Status
    version: int
    seal: str
    sealed_by: str
    sealed_at: datetime | None
    asked: tuple[str, ...]
    you_are_asked: bool
    source: Source | None
    since_my_vote: SinceView | None
    since_approved: SinceView | None
    since_source: SinceView | None
    template: TemplateNewsView | None
    content: Content


class PersonView(Answered, frozen=True, kw_only=True):
    """One person with several identities, called `id`."""

    id: str
    identities: tuple[str, ...]


class PeoplePage(Answered, frozen=True, kw_only=True):
    people: tuple[PersonView, ...]


class LetterView(Answered, frozen=True, kw_only=True):
    """A letter about an approval round. `next_at`: when it is tried again. `given_up`: it will not be sent, see `error`."""

    round: int
    person: str
    kind: LetterKind
    state: Literal["written", "sending", "retrying", "sent", "given_up"]
    attempts: int
    error: str
    written_at: datetime
    next_at: datetime | None
    ended_at: datetime | None


class LetterPage(Answered, frozen=True, kw_only=True):
    letters: tuple[LetterView, ...]
