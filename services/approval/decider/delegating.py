"""Delegation: one's vote goes to another person for a while, on one plan or on all.

It never makes a chain: a vote is cast in the place of whoever gave it away, and by nobody but whom they gave it to. Who
may not approve a plan gains nothing by it, on either side.
"""

from collections.abc import Iterator

from contracts.approval_commands import DelegateVote, EndDelegation
from contracts.approval_events import VoteDelegated, VoteDelegationEnded
from contracts.commands import Actor
from contracts.moments import micros
from contracts.people import DelegationEnded, DelegationGiven
from contracts.people_state import Delegate
from contracts.plan import ENDED, Delegation, Plan
from contracts.plan_events import Event
from contracts.refusals import Fault, Refused
from services.approval.decider.known import Known, named, separated_by

LONGEST_DAYS = 366


def delegate(plan: Plan, command: DelegateVote, actor: Actor, at: int, known: Known) -> tuple[Event, ...]:
    """The asker's vote on this plan goes to another. All that is wrong is told at once."""
    if plan.status in ENDED:
        raise Refused("final", f"The plan has ended with {plan.status}.", status=plan.status)
    if not named(plan, actor):
        raise Refused("not_approver", f"{actor.id} is not among the approvers of this plan and has no vote to give.")
    _demand_sound((*_faults(command, actor, at, known), *_separation(plan, command, known)))
    until = micros(command.until)
    if any(_same(one, actor, command.to, until) for one in plan.delegations):
        return ()
    return (VoteDelegated(to=command.to, until=until, reason=command.reason),)


def end(plan: Plan, command: EndDelegation, actor: Actor) -> tuple[Event, ...]:
    """The asker takes it back; `()` where there is nothing to take back any more."""
    if not any(one.by == actor.id and one.to == command.to for one in plan.delegations):
        return ()
    return (VoteDelegationEnded(to=command.to),)


def delegate_all(
    delegate_: Delegate | None, command: DelegateVote, actor: Actor, at: int, known: Known
) -> tuple[Event, ...]:
    """The asker's vote on all plans goes to another."""
    _demand_sound(tuple(_faults(command, actor, at, known)))
    until = micros(command.until)
    if delegate_ is not None and any(_same(one, actor, command.to, until) for one in delegate_.delegations):
        return ()
    return (DelegationGiven(to=command.to, until=until, reason=command.reason),)


def end_all(delegate_: Delegate | None, command: EndDelegation, actor: Actor) -> tuple[Event, ...]:
    """The asker takes it back."""
    if delegate_ is None or not any(one.by == actor.id for one in delegate_.delegations):
        return ()
    return (DelegationEnded(to=command.to),)


def _same(one: Delegation, actor: Actor, to: str, until: int) -> bool:
    return one.by == actor.id and one.to == to and one.until == until


def _faults(command: DelegateVote, actor: Actor, at: int, known: Known) -> Iterator[Fault]:
    if known.same(command.to, actor.id):
        yield Fault("/to", "is yourself", "self_delegation")
    elif command.to not in known.groups:
        yield Fault("/to", f"{command.to} does not exist", "unknown_person")
    until = micros(command.until)
    if until <= at:
        yield Fault("/until", "is in the past", "delegation_past")
    elif until > at + LONGEST_DAYS * 86_400_000_000:
        yield Fault("/until", f"is more than {LONGEST_DAYS} days away", "delegation_too_long")


def _separation(plan: Plan, command: DelegateVote, known: Known) -> Iterator[Fault]:
    rule = separated_by(plan, command.to, known.groups.get(command.to, ()), known)
    if rule:
        yield Fault("/to", f"{command.to} may not approve this plan (rule of separation: {rule})", "separated")


def _demand_sound(faults: tuple[Fault, ...]) -> None:
    if faults:
        raise Refused("invalid_delegation", "The vote cannot be delegated so.", faults)
