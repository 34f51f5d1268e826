"""A start out of its time, and items that the system could not start."""

from msgspec.structs import replace

from contracts import executing_events as e
from contracts.envelope import Fact
from contracts.folding.ground import Apply
from contracts.plan import TODO, Plan, StartOverride


def _held(plan: Plan, event: e.ItemHeld, fact: Fact) -> None:
    plan.items[event.item] = replace(plan.items.get(event.item, TODO), held=event.detail)


def _start_overridden(plan: Plan, event: e.StartOverridden, fact: Fact) -> None:
    plan.start_override = StartOverride(event.rules, event.reason, fact.actor, fact.at)


APPLY: dict[str, Apply] = {"item.held.v1": _held, "plan.start_overridden.v1": _start_overridden}
