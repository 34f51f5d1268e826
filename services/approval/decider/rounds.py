"""Opening a round, what its votes lead to, and what the passing of time does to it."""

from collections.abc import Sequence

from msgspec.structs import replace

from contracts.approval_events import ApprovalReminded
from contracts.commands import Actor
from contracts.plan import Plan, Vote
from contracts.plan_events import ApprovalExpired, Event, PlanApproved, PlanDenied, PlanSubmitted
from contracts.refusals import Refused
from contracts.rights import demand_mover
from contracts.slots import kept, may_fill, short_of, standing
from contracts.values import ApprovalRule
from services.approval.decider.known import Known, possible_voters, separated_by


def submit(plan: Plan, actor: Actor, at: int, known: Known) -> tuple[Event, ...]:
    """A round opens, and ends at once where the votes that were cast before suffice."""
    demand_mover(plan, actor)
    if plan.status == "wait_for_approval":
        return ()
    if plan.seal is None or plan.status != "finish_planning":
        detail = f"The plan is in {plan.status}; only a plan that has finished planning is submitted."
        raise Refused("not_sealed", detail, status=plan.status)
    if not plan.content.approval.levels:
        raise Refused("no_approval_asked", "The plan asks for no approval; start it.")
    if plan.approved:
        return ()
    opened, votes = opening(plan, plan.seal.value, at, known)
    return (opened, *outcome(plan, votes, opened.round, opened.seal, known))


def opening(plan: Plan, seal: str, at: int, known: Known) -> tuple[PlanSubmitted, tuple[Vote, ...]]:
    """The next round of this seal, and the votes that it begins with."""
    seconds = plan.content.approval.deadline_seconds
    votes = tuple(vote for vote in kept(plan) if not _separated_since(plan, vote, known))
    opened = PlanSubmitted(
        round=plan.approval.round + 1,
        seal=seal,
        deadline=at + seconds * 1_000_000 if seconds else None,
        kept=tuple(vote.fills_for for vote in votes),
    )
    return opened, votes


def _separated_since(plan: Plan, vote: Vote, known: Known) -> bool:
    """Who edited the plan after voting approves it no more."""
    return any(separated_by(plan, one, vote.groups, known) for one in {vote.by, vote.fills_for})


def outcome(plan: Plan, votes: Sequence[Vote], number: int, seal: str, known: Known) -> tuple[Event, ...]:
    """What these votes of a round lead to, if anything yet."""
    votes = [replace(vote, person=known.person(vote.fills_for)) for vote in votes]
    for vote in votes:
        if vote.vote == "reject" and (_denies_alone(plan, vote) or _unreachable(plan, votes, known)):
            return (PlanDenied(round=number, seal=seal, reason=vote.comment),)
    if standing(plan, votes).level is None:
        return (PlanApproved(round=number, seal=seal),)
    return ()


def _denies_alone(plan: Plan, vote: Vote) -> bool:
    """A rejection denies unless all rules that name the voter ask for a quorum."""
    rules = [rule for rule in _rules(plan) if may_fill(rule, vote.on_behalf_of or vote.by, vote.groups)]
    return not rules or any(rule.on_reject == "first_reject" for rule in rules)


def _unreachable(plan: Plan, votes: Sequence[Vote], known: Known) -> bool:
    """Whether some level can be met no more, whoever of the rest agrees."""
    against = {vote.fills_for for vote in votes if vote.vote == "reject"}
    for level in plan.content.approval.levels:
        able: list[frozenset[str]] = []
        for rule in level.rules:
            possible = possible_voters(rule, plan, known)
            if possible is None:
                break
            able.append((possible - against) | _agreed(rule, votes))
        else:
            if any(short_of([rule.needed for rule in level.rules], able)):
                return True
    return False


def _agreed(rule: ApprovalRule, votes: Sequence[Vote]) -> frozenset[str]:
    agreeing = (vote for vote in votes if vote.vote == "approve")
    return frozenset(v.fills_for for v in agreeing if may_fill(rule, v.on_behalf_of or v.by, v.groups))


def _rules(plan: Plan) -> tuple[ApprovalRule, ...]:
    return tuple(rule for level in plan.content.approval.levels for rule in level.rules)


def expire(plan: Plan, at: int) -> tuple[Event, ...]:
    """What the passing of time does to an open round."""
    round_ = plan.approval
    if round_.state == "open" and round_.deadline and round_.deadline <= at:
        return (ApprovalExpired(round=round_.round),)
    return ()


def remind(plan: Plan, at: int) -> tuple[Event, ...]:
    """The reminder that is due, once per round. Nobody is reminded of what has expired."""
    due = plan.remind_at
    if not due or at < due or expire(plan, at):
        return ()
    return (ApprovalReminded(round=plan.approval.round, asked=standing(plan).asked),)
