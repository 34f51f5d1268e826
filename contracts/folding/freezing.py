"""Freezes that hold the plan, and the ones that no longer do."""

from contracts import plan_events as e
from contracts.envelope import Fact
from contracts.folding.ground import Apply, touch
from contracts.plan import FreezeOverride, Hold, Plan


def _held(plan: Plan, event: e.PlanHeld, fact: Fact) -> None:
    plan.held = Hold(event.freeze, event.name, event.until, fact.at)


def _overridden(plan: Plan, event: e.FreezeOverridden, fact: Fact) -> None:
    plan.overrides = (*plan.overrides, FreezeOverride(event.freezes, event.reason, fact.actor, fact.at))
    plan.held = None
    touch(plan, fact)


APPLY: dict[str, Apply] = {
    "plan.held.v1": _held,
    "plan.freeze_overridden.v1": _overridden,
}
