"""The emergency: an administrator approves alone, with a reason, and another person owes a review until it is done.

The debt is a fact about the seal that was approved: it survives success, cancellation and a reopening.
"""

from contracts.approval_commands import ApproveInEmergency, ReviewEmergency
from contracts.approval_events import EmergencyApproved, EmergencyReviewed
from contracts.commands import Actor
from contracts.plan import Emergency, Plan
from contracts.plan_events import Event, PlanApproved
from contracts.refusals import Fault, Refused
from services.approval.decider.known import Known, named, separated_by
from services.approval.decider.rounds import opening
from services.approval.decider.voting import no_round, takes_early_votes, waits_for_votes


def approve(plan: Plan, command: ApproveInEmergency, actor: Actor, at: int, known: Known) -> tuple[Event, ...]:
    """The approval, in the open round or in one that is opened for it."""
    if not actor.administrator:
        raise Refused("forbidden", f"{actor.id} may not approve in an emergency; administrators may.")
    if plan.approved and plan.seal is not None and plan.content.approval.levels:
        if any(one.seal == command.seal == plan.seal.value for one in plan.emergencies):
            return ()
        raise Refused("already_approved", "The plan is approved; there is nothing to approve in an emergency.")
    open_now, early = waits_for_votes(plan, at), takes_early_votes(plan)
    if plan.seal is None or not (open_now or early):
        raise no_round(plan, at, "it waits for no approval")
    seal = plan.seal.value
    if command.seal != seal:
        detail = "The plan was sealed anew since you looked at it. Look at it again, then approve."
        raise Refused("seal_changed", detail, seal=seal)
    if not command.reason.strip():
        raise Refused("reason_required", "Say what the emergency is.", [Fault("/reason", "is missing or empty")])
    before: tuple[Event, ...] = () if open_now else (opening(plan, seal, at, known)[0],)
    number = plan.approval.round if open_now else plan.approval.round + 1
    given = EmergencyApproved(round=number, seal=seal, reason=command.reason, person=known.person(actor.id))
    return (*before, given, PlanApproved(round=number, seal=seal))


def review(plan: Plan, command: ReviewEmergency, actor: Actor, known: Known) -> tuple[Event, ...]:
    """The second person's review, in whatever status the plan is by now."""
    debt = _debt(plan, command)
    if debt is None:
        raise Refused("no_review_owed", "The plan owes no review of an emergency approval.")
    if known.same(debt.by, actor.id) or debt.person == known.person(actor.id):
        raise Refused("self_review", "Another person reviews what you approved in an emergency.", by=debt.by)
    if not (actor.administrator or named(plan, actor)):
        raise Refused("forbidden", f"{actor.id} may not review it; the plan's approvers and administrators may.")
    rule = separated_by(plan, actor.id, actor.groups, known)
    if rule:
        detail = f"Who is kept from approving the plan does not review it either (rule of separation: {rule})."
        raise Refused("self_approval", detail, rule=rule)
    if not command.comment.strip():
        raise Refused("reason_required", "Say what you found.", [Fault("/comment", "is missing or empty")])
    return (
        EmergencyReviewed(
            round=debt.round,
            seal=debt.seal,
            finding=command.finding,
            comment=command.comment,
            person=known.person(actor.id),
        ),
    )


def _debt(plan: Plan, command: ReviewEmergency) -> Emergency | None:
    owed = [one for one in plan.emergencies if one.owed and command.seal in {None, one.seal}]
    return owed[-1] if owed else None
