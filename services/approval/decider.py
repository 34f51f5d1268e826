"""The rules of approval: submit, vote, withdraw, expire.

Pure. A vote counts for the seal that the voter looked at and for no other; who may not approve follows from the plan's
own separation rule; the voter's groups are those of this moment and are recorded with the vote.
"""

from contracts.commands import Actor, SubmitPlan, VoteOnPlan, WithdrawVote
from contracts.plan import Plan, Vote
from contracts.plan_events import (
    ApprovalExpired,
    Event,
    PlanApproved,
    PlanDenied,
    PlanSubmitted,
    VoteCast,
    VoteWithdrawn,
)
from contracts.refusals import Refused
from contracts.rights import demand_mover, owners
from contracts.slots import may_fill, progress

Command = SubmitPlan | VoteOnPlan | WithdrawVote


def decide(plan: Plan | None, command: Command, actor: Actor, at: int) -> tuple[Event, ...]:
    """The events that this command makes of this plan; `()` when it is already so. Raises Refused."""
    if plan is None:
        raise Refused("plan_not_found", f"There is no plan {command.plan}.")
    match command:
        case SubmitPlan():
            return _submit(plan, actor, at)
        case VoteOnPlan():
            return _vote(plan, command, actor, at)
        case WithdrawVote():
            return _withdraw(plan, command, actor)


def expire(plan: Plan, at: int) -> tuple[Event, ...]:
    """What the passing of time does to an open round."""
    round_ = plan.approval
    if round_.state == "open" and round_.deadline and round_.deadline <= at:
        return (ApprovalExpired(round=round_.round),)
    return ()


def _submit(plan: Plan, actor: Actor, at: int) -> tuple[Event, ...]:
    demand_mover(plan, actor)
    if plan.status == "wait_for_approval":
        return ()
    if plan.seal is None or plan.status != "finish_planning":
        detail = f"The plan is in {plan.status}; only a plan that has finished planning is submitted."
        raise Refused("not_sealed", detail, status=plan.status)
    approval = plan.content.approval
    if not approval.levels:
        raise Refused("no_approval_asked", "The plan asks for no approval; start it.")
    if plan.approved:
        return ()
    seal, number = plan.seal.value, plan.approval.round + 1
    deadline = at + approval.deadline_seconds * 1_000_000 if approval.deadline_seconds else None
    submitted = PlanSubmitted(round=number, seal=seal, deadline=deadline)
    kept = tuple(vote for vote in plan.approval.votes if vote.seal == seal and vote.vote == "approve")
    if progress(approval, kept).level is None:
        return (submitted, PlanApproved(round=number, seal=seal))
    return (submitted,)


def _vote(plan: Plan, command: VoteOnPlan, actor: Actor, at: int) -> tuple[Event, ...]:
    round_ = plan.approval
    earlier = next((vote for vote in round_.votes if vote.by == actor.id and vote.seal == command.seal), None)
    if plan.status != "wait_for_approval" or round_.state != "open" or expire(plan, at):
        detail = f"The plan is in {plan.status} and waits for no vote."
        raise Refused("not_waiting", detail, status=plan.status)
    if command.seal != round_.seal:
        detail = "The plan was sealed anew since you looked at it. Look at it again, then vote."
        raise Refused("seal_changed", detail, seal=round_.seal)
    _demand_voter(plan, actor)
    if earlier is not None:
        if earlier.vote == command.vote:
            return ()
        raise Refused("already_voted", f"You voted {earlier.vote}; withdraw that vote first.", vote=earlier.vote)
    cast = VoteCast(
        round=round_.round, seal=command.seal, vote=command.vote, groups=actor.groups, comment=command.comment
    )
    return (cast, *_decision(plan, command, actor, at))


def _demand_voter(plan: Plan, actor: Actor) -> None:
    approval = plan.content.approval
    level = progress(approval, plan.approval.votes).level
    asked = [i for i, one in enumerate(approval.levels) if any(may_fill(r, actor.id, actor.groups) for r in one.rules)]
    if not asked:
        raise Refused("not_approver", f"{actor.id} is not among the approvers of this plan.")
    separation = plan.content.rules.separation
    if "owner" in separation and actor.among(owners(plan)):
        raise Refused(
            "self_approval", "Who owns the plan does not approve it (rule of separation: owner).", rule="owner"
        )
    if "editors" in separation and actor.id in plan.editors:
        detail = "Who wrote or changed the plan does not approve it (rule of separation: editors)."
        raise Refused("self_approval", detail, rule="editors")
    if level is not None and level not in asked:
        detail = f"Your level opens later: level {level + 1} is being asked, you are in level {asked[0] + 1}."
        raise Refused("not_approver", detail, level=level + 1)


def _decision(plan: Plan, command: VoteOnPlan, actor: Actor, at: int) -> tuple[Event, ...]:
    number, seal = plan.approval.round, command.seal
    if command.vote == "reject":
        return (PlanDenied(round=number, seal=seal, reason=command.comment),)
    vote = Vote(actor.id, "approve", seal, at, actor.channel, actor.groups)
    if progress(plan.content.approval, (*plan.approval.votes, vote)).level is None:
        return (PlanApproved(round=number, seal=seal),)
    return ()


def _withdraw(plan: Plan, command: WithdrawVote, actor: Actor) -> tuple[Event, ...]:
    round_ = plan.approval
    if plan.status != "wait_for_approval" or round_.state != "open":
        raise Refused("not_waiting", f"The plan is in {plan.status}; the vote stands.", status=plan.status)
    if not any(vote.by == actor.id and vote.seal == round_.seal for vote in round_.votes):
        raise Refused("no_vote", f"{actor.id} has no vote in this round.")
    return (VoteWithdrawn(round=round_.round, reason=command.reason),)
