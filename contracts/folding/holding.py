"""Items that the system could not start."""

from msgspec.structs import replace

from contracts import executing_events as e
from contracts.envelope import Fact
from contracts.folding.ground import Apply
from contracts.plan import TODO, Plan


def _held(plan: Plan, event: e.ItemHeld, fact: Fact) -> None:
    plan.items[event.item] = replace(plan.items.get(event.item, TODO), held=event.detail)


APPLY: dict[str, Apply] = {"item.held.v1": _held}
