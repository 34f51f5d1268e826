"""What may be done next where something went wrong, and by whom: the same words in answers, in the feed, in the record.

Pure, and only advice: the deciders alone say yes or no. People are named by the references that the plan names them by.
"""

from itertools import islice
from typing import Any

from contracts.plan import ItemState, Plan
from contracts.plan_events import NextMove
from contracts.rights import owners
from contracts.values import Item

ADMINISTRATORS = "administrators"
"""Stands beside the references for everybody who is an administrator."""


_MOST_TOLD = 10


def movers(plan: Plan) -> tuple[str, ...]:
    """Who moves the plan."""
    return (*owners(plan), ADMINISTRATORS)


def item_actors(plan: Plan, item: Item) -> tuple[str, ...]:
    """Who acts on the item, its own owners first."""
    return (*item.owner, *(name for name in movers(plan) if name not in item.owner))


def held_because(plan: Plan, state: ItemState) -> str:
    """Why the system leaves this item to people, though the plan has the system start items; empty where it does not."""
    if state.held:
        return state.held
    last = state.attempts[-1] if state.attempts else None
    if last is not None and last.outcome == "cancelled" and last.started_at >= plan.times.executing:
        return f"attempt {last.number} was cancelled"
    return ""


def moves_of_failed(plan: Plan, item: Item) -> tuple[NextMove, ...]:
    """What may be done with an item that has failed. Nothing of it happens by itself."""
    by = item_actors(plan, item)
    return tuple(NextMove(verb=verb, by=by, item=item.id) for verb in ("retry", "waive", "skip"))


def moves_left(plan: Plan, but: frozenset[str]) -> tuple[NextMove, ...]:
    """What may be done about the items that have failed and block the plan, `but` these; of the first few of them."""
    failed = (
        item
        for item in plan.content.items
        if not item.may_fail and item.id not in but and plan.state_of(item.id).status == "failed"
    )
    return tuple(move for item in islice(failed, _MOST_TOLD) for move in moves_of_failed(plan, item))


def moves_of_drift(plan: Plan) -> tuple[NextMove, ...]:
    """What may be done with a plan that would not run as it was approved."""
    return tuple(NextMove(verb=verb, by=movers(plan)) for verb in ("reopen", "cancel"))


def told(moves: tuple[NextMove, ...]) -> list[dict[str, Any]]:
    """As a refusal's facts carry them."""
    return [{"verb": one.verb, "by": list(one.by), **({"item": one.item} if one.item else {})} for one in moves]
