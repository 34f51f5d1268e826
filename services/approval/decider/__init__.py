"""The rules of approval: submit, vote, withdraw, delegate, expire, emergency.

Pure. A vote counts for the seal that the voter looked at and for no other; who may not approve follows from the plan's
own separation rule; who people are, their groups of this moment included, comes in `Known` and is recorded with the vote.
"""

from contracts.approval_commands import ApproveInEmergency, DelegateVote, EndDelegation, ReviewEmergency
from contracts.commands import Actor, SubmitPlan, VoteOnPlan, WithdrawVote
from contracts.plan import Plan
from contracts.plan_events import Event
from contracts.refusals import Refused
from services.approval.decider import delegating, emergency, rounds, voting
from services.approval.decider.known import Known
from services.approval.decider.rounds import expire, remind

__all__ = ["Command", "Known", "decide", "expire", "remind"]

Command = SubmitPlan | VoteOnPlan | WithdrawVote | DelegateVote | EndDelegation | ApproveInEmergency | ReviewEmergency


def decide(plan: Plan | None, command: Command, actor: Actor, at: int, known: Known | None = None) -> tuple[Event, ...]:
    """The events that this command makes of this plan; `()` when it is already so. Raises Refused."""
    if plan is None:
        raise Refused("plan_not_found", f"There is no plan {command.plan}.")
    known = known or Known()
    match command:
        case SubmitPlan():
            return rounds.submit(plan, actor, at, known)
        case VoteOnPlan():
            return voting.vote(plan, command, actor, at, known)
        case WithdrawVote():
            return voting.withdraw(plan, command, actor, at, known)
        case DelegateVote():
            return delegating.delegate(plan, command, actor, at, known)
        case EndDelegation():
            return delegating.end(plan, command, actor)
        case ApproveInEmergency():
            return emergency.approve(plan, command, actor, at, known)
        case ReviewEmergency():
            return emergency.review(plan, command, actor, known)
