"""Who stands for whom: identities of one person, and standing delegations. Their events and streams.

`person-<fixed id>` holds all links between identities; `delegation-<id>` the standing delegations to one delegate. The
name, the groups and the address of a person are not here: they can be forgotten, the log cannot.
"""

import hashlib

from contracts.plan_events import Event

PEOPLE_STREAM = "person-000000000000000000000000"
"""The one stream of links: they are few, made by administrators, and must agree with each other."""


class IdentitiesLinked(Event, frozen=True, gc=False):
    """These identities are one person from now on, called `person`."""

    person: str
    identities: tuple[str, ...]
    reason: str = ""


class IdentityUnlinked(Event, frozen=True, gc=False):
    """This identity is a person of its own again."""

    identity: str
    reason: str = ""


class DelegationGiven(Event, frozen=True, gc=False):
    """The actor lets `to` vote in their place on all plans until `until` (Unix microseconds)."""

    to: str
    until: int
    reason: str = ""


class DelegationEnded(Event, frozen=True, gc=False):
    """The actor takes it back. Votes that were cast under it stand."""

    to: str


EVENTS: dict[str, type[Event]] = {
    "person.identities_linked.v1": IdentitiesLinked,
    "person.identity_unlinked.v1": IdentityUnlinked,
    "delegation.given.v1": DelegationGiven,
    "delegation.ended.v1": DelegationEnded,
}
OWNERS: dict[str, tuple[str, ...]] = {"approval": tuple(EVENTS)}


def delegate_stream(delegate: str) -> str:
    """The stream of the delegations to this identity (`user:ben`)."""
    return f"delegation-{hashlib.sha256(delegate.encode()).hexdigest()[:24]}"
