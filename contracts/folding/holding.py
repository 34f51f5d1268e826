"""A start out of its time, items that the system could not start, and attempts that are to be cancelled."""

from msgspec.structs import replace

from contracts import executing_events as e
from contracts.envelope import Fact
from contracts.folding.ground import Apply
from contracts.plan import NOT_BEGUN, Plan, StartOverride


def _held(plan: Plan, event: e.ItemHeld, fact: Fact) -> None:
    plan.items[event.item] = replace(plan.items.get(event.item, NOT_BEGUN), held=event.detail)


def _start_overridden(plan: Plan, event: e.StartOverridden, fact: Fact) -> None:
    plan.start_override = StartOverride(event.rules, event.reason, fact.actor, fact.at)


def _cancel_requested(plan: Plan, event: e.ItemCancelRequested, fact: Fact) -> None:
    plan.items[event.item] = replace(plan.items.get(event.item, NOT_BEGUN), stopping=event.reason)


APPLY: dict[str, Apply] = {
    "item.held.v1": _held,
    "item.cancel_requested.v1": _cancel_requested,
    "plan.start_overridden.v1": _start_overridden,
}
