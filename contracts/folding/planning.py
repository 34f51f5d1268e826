"""Drafting, sealing, reopening, cancelling."""

from collections.abc import Mapping

from msgspec.structs import replace

from contracts import plan_events as e
from contracts.envelope import Fact
from contracts.folding.ground import Apply, closed, end, gate_due, touch
from contracts.plan import NOT_BEGUN, Digests, ItemState, Plan, Seal, Times
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
    asked = {
        item.id: _asked_again(plan.items.get(item.id, NOT_BEGUN), event.items[item.id], item.id in kept)
        for item in plan.content.items
    }
    plan.items = asked | _removed_items(plan, asked)
    plan.times = replace(plan.times, finish_planning=fact.at)
    plan.settled, plan.drift, plan.start_requested, plan.schedule_missed = False, None, "", False
    plan.status = "finish_planning"
    gate_due(plan, "finish_planning")
    touch(plan, fact)


def _kept_items(plan: Plan, event: e.PlanSealed) -> set[str]:
    """The done items that stay done: their digest did not change, nor did they use what another item is to give anew."""
    states = {item.id: plan.items.get(item.id, NOT_BEGUN) for item in plan.content.items}
    kept = {one for one, state in states.items() if state.status == "done" and state.digest == event.items[one]}
    sources = {item.id: sources_of(item) for item in plan.content.items if item.id in kept}
    while stale := {one for one in kept if not sources[one] <= kept}:
        kept -= stale
    return kept


def _removed_items(plan: Plan, asked: Mapping[str, ItemState]) -> dict[str, ItemState]:
    """Attempts of items that are not in the plan any more: one that still stops has its end told here, and an item that
    is put again under the same id goes on counting, since a run's id is made of the attempt's number."""
    return {
        one: replace(NOT_BEGUN, attempts=state.attempts)
        for one, state in plan.items.items()
        if state.attempts and one not in asked
    }


def _asked_again(state: ItemState, digest: str, kept: bool) -> ItemState:
    """A kept item as it is; all else is asked for again, its attempts kept."""
    if kept:
        return state
    return replace(NOT_BEGUN, attempts=state.attempts, digest=digest)


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
