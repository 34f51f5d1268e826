"""Which identities are one person. Administrators say so; it counts from then on, votes that were cast included."""

from contracts.approval_commands import LinkIdentities, UnlinkIdentity
from contracts.commands import Actor
from contracts.people import IdentitiesLinked, IdentityUnlinked
from contracts.people_state import People
from contracts.plan_events import Event
from contracts.refusals import Fault, Refused


def link(people: People | None, command: LinkIdentities, actor: Actor, existing: frozenset[str]) -> tuple[Event, ...]:
    """These identities, and all that were linked to one of them, are one person, called as the first was."""
    _demand_administrator(actor)
    people = people or People()
    wanted = tuple(dict.fromkeys(command.identities))
    faults = [
        Fault(f"/identities/{i}", f"{one} does not exist", "unknown_person")
        for i, one in enumerate(command.identities)
        if one not in existing
    ]
    if len(wanted) < 2:
        faults.append(Fault("/identities", "names one identity only", "too_few"))
    if faults:
        raise Refused("invalid_link", "The identities cannot be linked so.", faults)
    person = people.person(wanted[0])
    everybody = tuple(sorted({one for identity in wanted for one in people.identities(identity)}))
    if all(people.person(one) == person for one in everybody):
        return ()
    return (IdentitiesLinked(person=person, identities=everybody, reason=command.reason),)


def unlink(people: People | None, command: UnlinkIdentity, actor: Actor) -> tuple[Event, ...]:
    """This identity is a person of its own again."""
    _demand_administrator(actor)
    if people is None or len(people.identities(command.identity)) == 1:
        return ()
    return (IdentityUnlinked(identity=command.identity, reason=command.reason),)


def _demand_administrator(actor: Actor) -> None:
    if not actor.administrator:
        raise Refused("forbidden", f"{actor.id} may not link identities; administrators may.")
