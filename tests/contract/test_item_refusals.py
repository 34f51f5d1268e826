"""What the interface says about orders on items, against what their rules really answer."""

from collections.abc import Iterator
from itertools import product
from typing import Any, cast

import pytest

from contracts.commands import CancelItem, CompleteItem, ExecuteItem, RetryItem, SkipItem, TickSubStep, WaiveItem
from contracts.plan import Plan
from contracts.plan_events import Event, ItemCompleted, ItemFinished, ItemSkipped, ItemStarted
from contracts.refusals import Refused
from contracts.values import Item, TextSpec
from services.executor.decider.items import Context, ItemCommand, decide
from services.gateway.routes.items import item_orders
from tests.unit.executor.given import EVE, HOUR, NOON, OLIVIA, OPEN, PLAN, Given, all_found, content, text, workflow

RUN = "ab" * 12
ORDERS: dict[str, list[ItemCommand]] = {
    "complete": [CompleteItem(plan=PLAN, item="one")],
    "execute": [ExecuteItem(plan=PLAN, item="one")],
    "skip": [SkipItem(plan=PLAN, item="one", reason=reason) for reason in ("", "late")],
    "cancel": [CancelItem(plan=PLAN, item="one", reason=reason) for reason in ("", "late")],
    "retry": [RetryItem(plan=PLAN, item="one")],
    "waive": [WaiveItem(plan=PLAN, item="one", reason=reason) for reason in ("", "late")],
    "tick": [TickSubStep(plan=PLAN, item="one", step=step, ticked=True) for step in ("a", "z")],
}
BEGUN = ItemStarted(item="one", attempt=1, run=RUN)
PASTS: list[tuple[Event, ...]] = [
    (),
    (BEGUN,),
    (BEGUN, ItemFinished(item="one", attempt=1, outcome="failed", error="exit code 1")),
    (BEGUN, ItemFinished(item="one", attempt=1, outcome="done")),
    (ItemSkipped(item="one", reason="late"),),
    (ItemCompleted(item="one", attempt=1, remark=""),),
]
REFERRING = {"version": "${items.first.outputs.tag}"}
ITEMS: list[Item] = [
    text("one", sub_steps=("a",)),
    text("one", needs=("first",)),
    workflow("one"),
    workflow("one", needs=("first",)),
    workflow("one", inputs=REFERRING, needs=("first",)),
    workflow("one", inputs={"nonsense": "1"}),
]


def plans() -> Iterator[Plan]:
    for item, past in product(ITEMS, PASTS):
        if BEGUN in past and isinstance(item.spec, TextSpec):
            continue  # nothing runs for a text
        whole = content(item, workflow("first"), text("last"), window=OPEN)
        yield Given(whole).plan
        yield Given(whole).executing().then(*past).plan


@pytest.mark.parametrize("verb", ORDERS)
def test_whatever_the_rules_answer_to_an_order_on_an_item_is_described(verb: str) -> None:
    (route,) = [route for route in item_orders(cast(Any, None)) if route.path.endswith(f"/{verb}")]
    answered: set[str] = set()
    for plan, command in product(plans(), ORDERS[verb]):
        for actor, at, workflows in product((OLIVIA, EVE), (NOON, NOON + 2 * HOUR), (all_found(plan), {})):
            try:
                decide(plan, command, Context(actor, at, workflows))
            except Refused as refused:
                answered.add(refused.code)
    assert answered - set(route.all_codes) == set()
    assert len(answered) >= 3, answered
