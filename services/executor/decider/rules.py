"""The questions that several rules ask: is the window open, does the seal still hold, what is settled, what comes of it."""

from collections.abc import Mapping

from contracts.guidance import moves_of_drift, told
from contracts.moments import micros, rfc3339
from contracts.plan import ItemStatus, Plan
from contracts.plan_events import Event, ItemsSettled, PlanSucceeded
from contracts.refusals import Refused
from contracts.seal import drifted_fields, drifted_order, drifted_sections
from contracts.values import Item, WorkflowSpec
from services.executor.views import Workflows

Statuses = Mapping[str, ItemStatus]

MOST_NAMED = 300
"""Items in each list of an event that ends a plan: it has three lists at most and 64 kB, an id 64 characters."""


def before_window(plan: Plan, at: int) -> bool:
    """It has not opened yet, and nobody who may has said that this does not matter."""
    window, override = plan.content.window, plan.start_override
    return window is not None and at < micros(window.start) and not (override and "window" in override.rules)


def after_window(plan: Plan, at: int) -> bool:
    """The end itself is outside."""
    window = plan.content.window
    return window is not None and at >= micros(window.end)


def demand_window(plan: Plan, at: int) -> None:
    """Raises Refused(outside_window) that says when it opens, or when it closed."""
    window = plan.content.window
    if window is None or not (before_window(plan, at) or after_window(plan, at)):
        return
    opens, closes = rfc3339(micros(window.start)), rfc3339(micros(window.end))
    how = f"opens at {opens}" if before_window(plan, at) else f"closed at {closes}"
    raise Refused("outside_window", f"The window of this plan {how}.", opens=opens, closes=closes, zone=window.zone)


def drift_of(plan: Plan, items: tuple[Item, ...], workflows: Workflows) -> tuple[str, tuple[str, ...]] | None:
    """The first of these items that would run differently from what was sealed, and its fields; `None` if none would.

    The window, the rules and all else that was sealed beside the items come first, with an empty item; where all items are
    asked about, whether they are the ones that were sealed, and in that order, comes last, likewise.
    """
    if plan.seal is None:
        return None
    sections = drifted_sections(plan.content, plan.seal.sections)
    if sections:
        return "", sections
    for item in items:
        sealed_as = plan.seal.workflows.get(item.id)
        now = workflows.get(item.id) if isinstance(item.spec, WorkflowSpec) else None
        fields = drifted_fields(item, plan.seal.items, sealed_as, now.resolved if now else None)
        if fields:
            return item.id, fields
    if len(items) == len(plan.content.items) and drifted_order(plan.content, plan.seal.items, plan.seal.sections):
        return "", ("items",)
    return None


def seal_drift(plan: Plan, item: str, fields: tuple[str, ...]) -> Refused:
    """The refusal of anything that would not run as it was approved. An empty `item` stands for the plan as a whole."""
    what = f"What item {item} would run" if item else "What the plan would do"
    detail = f"{what} is not what was approved; it differs in {', '.join(fields)}. Reopen and seal anew."
    return Refused("seal_drift", detail, item=item, fields=list(fields), next=told(moves_of_drift(plan)))


def is_settled(item: Item, status: ItemStatus) -> bool:
    """Nothing is left to do for it: done, skipped, waived, or failed where the plan says that it may."""
    return status in {"done", "skipped", "waived"} or (status == "failed" and item.may_fail)


def statuses(plan: Plan, changed: Statuses = {}) -> Statuses:  # noqa: B006 - read only
    """Where every item stands, once `changed` has happened."""
    return {item.id: plan.state_of(item.id).status for item in plan.content.items} | dict(changed)


def settling(plan: Plan, now: Statuses) -> tuple[Event, ...]:
    """What follows if no item can change any more: the last gate, or at once the end. Else nothing."""
    if plan.settled or any(not is_settled(item, now[item.id]) for item in plan.content.items):
        return ()
    if plan.content.gates.all_job_done is not None:
        return (ItemsSettled(),)
    return (ItemsSettled(), success(plan, now))


def success(plan: Plan, now: Statuses) -> PlanSucceeded:
    """The end, naming the items that were not simply done."""

    def those(status: ItemStatus) -> tuple[str, ...]:
        return tuple(item.id for item in plan.content.items if now[item.id] == status)

    skipped, waived, failed = those("skipped"), those("waived"), those("failed")
    return PlanSucceeded(
        skipped=skipped[:MOST_NAMED],
        waived=waived[:MOST_NAMED],
        failed=failed[:MOST_NAMED],
        more=not_named(skipped, waived, failed),
    )


def not_named(*lists: tuple[str, ...]) -> int:
    """How many items stand in these lists behind the ones that an event names."""
    return sum(max(0, len(one) - MOST_NAMED) for one in lists)
