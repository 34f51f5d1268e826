"""Items put, removed, placed, digested. Each step takes time in proportion to the plan and the event, never their product."""

from collections.abc import Iterable

from msgspec.structs import replace

from contracts import edit_events as e
from contracts.envelope import Fact
from contracts.folding.ground import Apply, touch
from contracts.plan import Digests, Places, Plan
from contracts.values import Item


def _put(plan: Plan, event: e.ItemsPut, fact: Fact) -> None:
    places = _places(plan)
    items = list(plan.content.items)
    for item in event.items:
        if (place := places.get(item.id)) is None:
            places[item.id] = len(items)
            items.append(item)
        else:
            items[place] = item
    _set(plan, items, fact)
    plan.places = Places(plan.content.items, places)


def _places(plan: Plan) -> dict[str, int]:
    """Where each item stands; kept from one put to the next of a fold, so that ten thousand of them need no search."""
    if plan.places is not None and plan.places.items is plan.content.items:
        return plan.places.by_id
    return {item.id: i for i, item in enumerate(plan.content.items)}


def _removed(plan: Plan, event: e.ItemsRemoved, fact: Fact) -> None:
    gone = frozenset(event.items)
    _set(plan, (item for item in plan.content.items if item.id not in gone), fact)


def _placed(plan: Plan, event: e.ItemsPlaced, fact: Fact) -> None:
    _set(plan, placed(plan.content.items, event.runs), fact)


def placed(items: Iterable[Item], runs: Iterable[e.Run]) -> tuple[Item, ...]:
    """The items in their new order. Names that the plan does not have move nothing; behind one of them is the end."""
    by_id = {item.id: item for item in items}
    behind: dict[str, list[str]] = {}
    for run in runs:
        behind.setdefault(run.after, []).extend(run.items)
    named = {one for run in behind.values() for one in run}
    order: list[Item] = []
    waiting = [one for one in reversed(by_id) if one not in named]
    waiting += reversed(behind.pop("", []))
    while waiting or behind:
        if not waiting:
            waiting += reversed(behind.pop(next(iter(behind))))
        one = waiting.pop()
        if one in by_id:
            order.append(by_id.pop(one))
        waiting += reversed(behind.pop(one, []))
    return tuple(order)


def _set(plan: Plan, items: Iterable[Item], fact: Fact) -> None:
    plan.content = replace(plan.content, items=tuple(items))
    plan.editors = plan.editors | {fact.actor}
    touch(plan, fact)


def _digested(plan: Plan, event: e.ItemsDigested, fact: Fact) -> None:
    before = plan.digests
    plan.digests = Digests({**before.items, **event.items}, {**before.workflows, **event.workflows})


APPLY: dict[str, Apply] = {
    "plan.items_put.v1": _put,
    "plan.items_removed.v1": _removed,
    "plan.items_placed.v1": _placed,
    "plan.items_digested.v1": _digested,
}
