"""Drafting, sealing, reopening, cancelling."""

from msgspec.structs import replace

from contracts import plan_events as e
from contracts.envelope import Fact
from contracts.folding.ground import Apply, closed, end, gate_due, touch
from contracts.folding.items import ask_again, keep_only, state_of
from contracts.plan import Digests, Plan, Seal, Times
from contracts.references import sources_of


def _edited(plan: Plan, event: e.PlanEdited, fact: Fact) -> None:
    plan.content = replace(plan.content, **event.changes.named())
    plan.editors = plan.editors | {fact.actor}
    touch(plan, fact)


def _sealed(plan: Plan, event: e.PlanSealed, fact: Fact) -> None:
    if plan.digests.items:  # a seal in portions: this is the last one
        items, workflows = plan.digests.items | event.items, plan.digests.workflows | event.workflows
        event = replace(event, items=items, workflows=workflows)
        plan.digests = Digests()
    plan.seal = Seal(event.seal, event.sections, event.items, event.workflows, fact.actor, fact.at)
    kept = _kept_items(plan, event)
    keep_only(plan, (item.id for item in plan.content.items))
    for item in plan.items:
        if item not in kept:
            ask_again(plan, item, event.items.get(item, ""))
    plan.times = replace(plan.times, finish_planning=fact.at)
    plan.settled, plan.drift, plan.start_requested, plan.schedule_missed = False, None, "", False
    plan.status = "finish_planning"
    gate_due(plan, "finish_planning")
    touch(plan, fact)


def _kept_items(plan: Plan, event: e.PlanSealed) -> set[str]:
    """The done items that stay done: their digest did not change, nor did they use what another item is to give anew."""
    sources = {}
    for item in plan.content.items:
        state = state_of(plan, item.id)
        if state.status == "done" and state.digest == event.items[item.id]:
            sources[item.id] = sources_of(item)
    kept = set(sources)
    while stale := {one for one in kept if not sources[one] <= kept}:
        kept -= stale
    return kept


def _reopened(plan: Plan, event: e.PlanReopened, fact: Fact) -> None:
    plan.status, plan.seal, plan.drift = "planning", None, None
    plan.held, plan.overrides, plan.start_override = None, (), None  # given for what is now open to change
    plan.settled, plan.start_requested, plan.schedule_missed, plan.reason = False, "", False, event.reason
    if plan.approval.state != "none":  # the votes stay: a submission of the same seal counts them again
        plan.approval = replace(plan.approval, state="closed")
    plan.gates = {gate: closed(state) for gate, state in plan.gates.items()}
    plan.times = Times(planning=fact.at)
    touch(plan, fact)


def _cancelled(plan: Plan, event: e.PlanCancelled, fact: Fact) -> None:
    plan.status, plan.reason = "cancel", event.reason
    end(plan, fact)


APPLY: dict[str, Apply] = {
    "plan.edited.v1": _edited,
    "plan.sealed.v1": _sealed,
    "plan.reopened.v1": _reopened,
    "plan.cancelled.v1": _cancelled,
}
