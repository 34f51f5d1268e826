"""What sealing would say: the very rule that seals, asked without being carried out."""

from itertools import islice

from contracts.commands import Actor, SealPlan
from contracts.foresight import MOST_TOLD, SealCheck
from contracts.moments import moment
from contracts.plan import Plan
from contracts.refusals import Refused
from services.planner.decider import Known, decide, faults_of_sealing
from services.planner.decider.writing import whole_seal


def check_seal(plan: Plan | None, plan_id: str, actor: Actor, at: int, known: Known) -> SealCheck:
    """The answer, whoever asks. Raises Refused(plan_not_found)."""
    if plan is None:
        raise Refused("plan_not_found", f"There is no plan {plan_id}.")
    asked = {"plan": plan.id, "version": plan.version, "at": moment(at)}
    sealed = None
    refused = Refused("not_sealable", "")
    try:
        sealed = whole_seal(decide(plan, SealPlan(plan=plan.id), actor, at, known))
    except Refused as said:
        refused = said
    if sealed is None:
        faults = refused.faults or faults_of_sealing(plan, at, known)
        return SealCheck(sealable=False, code=refused.code, detail=refused.detail, faults=faults[:MOST_TOLD], **asked)  # type: ignore[arg-type]  # the fields of Foreseen
    return SealCheck(
        sealable=True,
        seal=sealed.seal,
        sections=sealed.sections,
        items=dict(islice(sealed.items.items(), MOST_TOLD)),
        workflows=dict(islice(sealed.workflows.items(), MOST_TOLD)),
        **asked,  # type: ignore[arg-type]  # as above
    )
