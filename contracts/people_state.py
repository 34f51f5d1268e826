"""The folds of `contracts.people`: which identities are one person, and who gave a delegate their vote."""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from contracts.envelope import Fact
from contracts.people import DelegationEnded, DelegationGiven, IdentitiesLinked, IdentityUnlinked
from contracts.plan import Delegation
from contracts.registry import DECODERS


class People(msgspec.Struct, frozen=True):
    """Which identities are one person. Those that stand alone are not listed."""

    version: int = 0
    persons: Mapping[str, str] = {}

    def person(self, identity: str) -> str:
        """The one person behind an identity; mostly itself."""
        return self.persons.get(identity, identity)

    def identities(self, identity: str) -> tuple[str, ...]:
        """All identities of the person behind this one, this one included; sorted."""
        person = self.person(identity)
        return tuple(sorted({identity, person, *(one for one, whose in self.persons.items() if whose == person)}))


class Delegate(msgspec.Struct, frozen=True):
    """Who gave this delegate their vote on all plans."""

    version: int = 0
    delegations: tuple[Delegation, ...] = ()


def fold_people(facts: Iterable[Fact], people: People | None = None) -> People | None:
    """The links after these facts."""
    for fact in facts:
        people = people or People()
        event = DECODERS[fact.type](fact.payload) if fact.type in DECODERS else None
        match event:
            case IdentitiesLinked():
                persons = {**people.persons, **dict.fromkeys(event.identities, event.person)}
                people = replace(people, persons=persons)
            case IdentityUnlinked():
                people = replace(people, persons=_without(people.persons, event.identity))
        people = replace(people, version=fact.version)
    return people


def _without(persons: Mapping[str, str], identity: str) -> dict[str, str]:
    """Where the person was called by the one that leaves, the others are called by the first of them."""
    left = {one: whose for one, whose in persons.items() if one != identity}
    orphans = sorted(one for one, whose in left.items() if whose == identity)
    return {**left, **dict.fromkeys(orphans, orphans[0])} if orphans else left


def fold_delegate(facts: Iterable[Fact], delegate: Delegate | None = None) -> Delegate | None:
    """The delegations after these facts."""
    for fact in facts:
        delegate = delegate or Delegate()
        event = DECODERS[fact.type](fact.payload) if fact.type in DECODERS else None
        others = tuple(one for one in delegate.delegations if one.by != fact.actor)
        match event:
            case DelegationGiven():
                given = Delegation(fact.actor, event.to, event.until, fact.at, event.reason)
                delegate = replace(delegate, delegations=(*others, given))
            case DelegationEnded():
                delegate = replace(delegate, delegations=others)
        delegate = replace(delegate, version=fact.version)
    return delegate
