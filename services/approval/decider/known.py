"""What approval found out about people for one decision, and the questions about them that all its rules ask."""

from collections.abc import Mapping

import msgspec

from contracts.commands import Actor
from contracts.people_state import People
from contracts.plan import Delegation, Plan
from contracts.rights import owners
from contracts.values import ApprovalRule


class Known(msgspec.Struct, frozen=True):
    """`people` says which identities are one person. `groups` has the groups, at this moment, of identities that exist.

    `delegations` are the standing ones to the actor; for letters, those of the people who are asked. `members` has the
    active members of the groups in the plan's rules and among its owners.
    """

    people: People = People()
    groups: Mapping[str, tuple[str, ...]] = {}
    delegations: tuple[Delegation, ...] = ()
    members: Mapping[str, frozenset[str]] = {}

    def person(self, identity: str) -> str:
        """The one person behind an identity."""
        return self.people.person(identity)

    def same(self, one: str, other: str) -> bool:
        """Whether two identities are one person."""
        return self.people.person(one) == self.people.person(other)


def separated_by(plan: Plan, identity: str, groups: tuple[str, ...], known: Known) -> str:
    """The part of the plan's separation rule that keeps the person behind this identity from approving; "" for none."""
    separation = plan.content.rules.separation
    if "owner" in separation and _owns(plan, identity, groups, known):
        return "owner"
    if "editors" in separation and any(known.same(identity, editor) for editor in plan.editors):
        return "editors"
    return ""


def _owns(plan: Plan, identity: str, groups: tuple[str, ...], known: Known) -> bool:
    mine = {*groups, *(group for one in known.people.identities(identity) for group in known.groups.get(one, ()))}
    named = {one for owner in owners(plan) for one in (owner, *known.members.get(owner, ()))}
    return any(one in mine or known.same(identity, one) for one in named)


def named(plan: Plan, actor: Actor) -> bool:
    """Whether one of the plan's rules names this actor, in whichever level."""
    return any(actor.among(rule.approvers) for level in plan.content.approval.levels for rule in level.rules)


def possible_voters(rule: ApprovalRule, plan: Plan, known: Known) -> frozenset[str] | None:
    """The persons who could fill a slot of this rule: named and not separated. `None` where a group's members are not known.

    A group whose members the directory does not have may still vote: their tokens say so.
    """
    people: set[str] = set()
    for ref in rule.approvers:
        if ref.startswith("group:") and not known.members.get(ref):
            return None
        people |= known.members.get(ref, frozenset({ref}))
    return frozenset(known.person(one) for one in people if not separated_by(plan, one, (), known))
