"""Casting and withdrawing votes.

A vote is one person's, for one seal, in one round: while the round is open, or early, once the plan is sealed. Whoever
casts it in another's place fills that other's slot, and casts none for themselves beside it.
"""

import msgspec

from contracts.commands import Actor, VoteOnPlan, WithdrawVote
from contracts.moments import rfc3339
from contracts.plan import Delegation, Plan, Vote
from contracts.plan_events import Event, VoteCast, VoteWithdrawn
from contracts.refusals import Fault, Refused
from contracts.slots import counted, may_fill, standing
from services.approval.decider.known import Known, separated_by
from services.approval.decider.rounds import expire, outcome


class Voter(msgspec.Struct, frozen=True):
    """Whose slot is filled: `identity` with `groups` is looked for in the rules. `caster` is who acts."""

    caster: str
    identity: str
    person: str
    groups: tuple[str, ...]

    @property
    def on_behalf_of(self) -> str:
        return "" if self.identity == self.caster else self.identity


def vote(plan: Plan, command: VoteOnPlan, actor: Actor, at: int, known: Known) -> tuple[Event, ...]:
    """The vote, and what it decides."""
    number, seal = _round(plan, at)
    if command.seal != seal:
        detail = "The plan was sealed anew since you looked at it. Look at it again, then vote."
        raise Refused("seal_changed", detail, seal=seal)
    voter = _voter(plan, command, actor, at, known)
    _demand_voter(plan, voter, actor, known)
    if _already(plan, voter, command, known):
        return ()
    _demand_comment(plan, command)
    cast = VoteCast(
        round=number,
        seal=seal,
        vote=command.vote,
        groups=voter.groups,
        comment=command.comment,
        person=voter.person,
        on_behalf_of=voter.on_behalf_of,
    )
    if plan.approval.state != "open":
        return (cast,)
    others = tuple(one for one in counted(plan) if known.person(one.fills_for) != voter.person)
    return (cast, *outcome(plan, (*others, _as_vote(plan, cast, actor, at)), number, seal, known))


def withdraw(plan: Plan, command: WithdrawVote, actor: Actor, at: int, known: Known) -> tuple[Event, ...]:
    """The asker's own vote goes, whoever of theirs cast it; else the one that they cast for another."""
    if not (waits_for_votes(plan, at) or takes_early_votes(plan)):
        raise no_round(plan, at, "the vote stands")
    votes = counted(plan)
    own = [one for one in votes if known.same(one.fills_for, actor.id)]
    cast = [one for one in votes if known.same(one.by, actor.id)]
    if not own and not cast:
        raise Refused("no_vote", f"{actor.id} has no vote in this round.")
    gone = (own or cast)[0]
    return (VoteWithdrawn(round=gone.round, reason=command.reason, person=gone.fills_for),)


def waits_for_votes(plan: Plan, at: int) -> bool:
    """Whether a round is open."""
    return plan.status == "wait_for_approval" and plan.approval.state == "open" and not expire(plan, at)


def no_round(plan: Plan, at: int, so: str) -> Refused:
    """The refusal where no round is open, saying why: it may be over by its deadline although the plan does not show it yet."""
    if expire(plan, at):
        over = rfc3339(plan.approval.deadline)
        detail = f"The deadline of round {plan.approval.round} passed at {over}, so {so}; reopen the plan to ask anew."
    else:
        detail = f"The plan is in {plan.status}: {so}."
    return Refused("not_waiting", detail, status=plan.status)


def takes_early_votes(plan: Plan) -> bool:
    """Whether votes may be cast before the plan is submitted: they count from then on."""
    asks = bool(plan.content.approval.levels)
    return plan.status == "finish_planning" and plan.seal is not None and asks and not plan.approved


def _round(plan: Plan, at: int) -> tuple[int, str]:
    """The round that is voted in, and its seal."""
    if waits_for_votes(plan, at):
        return plan.approval.round, plan.approval.seal
    if plan.seal is not None and takes_early_votes(plan):
        return plan.approval.round + 1, plan.seal.value
    raise no_round(plan, at, "it waits for no vote")


def _voter(plan: Plan, command: VoteOnPlan, actor: Actor, at: int, known: Known) -> Voter:
    principal = command.on_behalf_of
    if principal is None or principal == actor.id:
        return Voter(actor.id, actor.id, known.person(actor.id), actor.groups)
    given = [one for one in (*plan.delegations, *known.delegations) if _from_to(one, principal, actor, known)]
    if not given:
        raise Refused("no_delegation", f"{principal} has not delegated their vote to {actor.id}.")
    if all(one.until <= at for one in given):
        raise Refused("delegation_expired", f"The delegation of {principal} to {actor.id} has ended.")
    if principal not in known.groups:
        raise Refused("not_approver", f"{principal} is no active user any more; nobody votes for them.")
    return Voter(actor.id, principal, known.person(principal), known.groups[principal])


def _from_to(one: Delegation, principal: str, actor: Actor, known: Known) -> bool:
    return one.by == principal and known.same(one.to, actor.id)


def _demand_voter(plan: Plan, voter: Voter, actor: Actor, known: Known) -> None:
    levels = plan.content.approval.levels
    mine = [
        i for i, level in enumerate(levels) if any(may_fill(rule, voter.identity, voter.groups) for rule in level.rules)
    ]
    if not mine:
        raise Refused("not_approver", f"{voter.identity} is not among the approvers of this plan.")
    for identity, groups in ((voter.identity, voter.groups), (voter.caster, actor.groups)):
        rule = separated_by(plan, identity, groups, known)
        if rule:
            what = "owns the plan does" if rule == "owner" else "wrote or changed the plan does"
            detail = f"Who {what} not approve it (rule of separation: {rule})."
            raise Refused("self_approval", detail, rule=rule)
    level = standing(plan).level
    if level is not None and level < mine[0]:
        detail = f"Your level opens later: level {level + 1} is being asked, you are in level {mine[0] + 1}."
        raise Refused("not_approver", detail, level=level + 1)


def _already(plan: Plan, voter: Voter, command: VoteOnPlan, known: Known) -> bool:
    """Whether this very vote was cast before. Raises Refused where another one was.

    A vote that was kept from an earlier seal is replaced by one for the seal that is asked about now.
    """
    votes = [one for one in counted(plan) if one.seal == command.seal or known.person(one.fills_for) != voter.person]
    for one in votes:
        if known.person(one.fills_for) == voter.person:
            if one.vote == command.vote:
                return True
            whose = "You" if voter.person == known.person(voter.caster) else voter.identity
            detail = f"{whose} voted {one.vote} (cast by {one.by}); withdraw that vote first."
            raise Refused("already_voted", detail, vote=one.vote)
    for one in votes:
        if known.same(one.by, voter.caster):
            detail = f"One person fills one slot: you cast the vote of {one.fills_for} in this round."
            raise Refused("already_voted", detail, vote=one.vote)
    return False


def _demand_comment(plan: Plan, command: VoteOnPlan) -> None:
    if command.vote == "reject" and plan.content.approval.reject_needs_comment and not command.comment.strip():
        raise Refused("reason_required", "Say why you reject it.", [Fault("/comment", "is missing or empty")])


def _as_vote(plan: Plan, cast: VoteCast, actor: Actor, at: int) -> Vote:
    """The vote as the fold will have it."""
    return Vote(
        by=actor.id,
        vote=cast.vote,
        seal=cast.seal,
        at=at,
        channel=actor.channel,
        groups=cast.groups,
        comment=cast.comment,
        person=cast.person,
        on_behalf_of=cast.on_behalf_of,
        round=cast.round,
        sections=plan.seal.sections if plan.seal else {},
    )
