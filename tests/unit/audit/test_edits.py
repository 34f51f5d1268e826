"""What the operation record says of edits: which items, what they were and are, and never more than fits an entry."""

from typing import Any

import msgspec

from contracts import edit_events as ee
from contracts import plan_events as e
from contracts.evolve import evolve, fold
from contracts.plan_events import Event
from contracts.record import Entry
from contracts.seal import seal_of
from contracts.values import Changes
from services.audit.views import entry
from tests.support.builders import created, facts, text_item

A, B, C = (text_item(one) for one in "abc")


def last(*events: Event) -> Entry:
    """The entry of the last of these events."""
    *before, fact = facts(*events)
    plan = fold(before)
    made = entry(fact, plan, evolve(plan, fact))
    assert made is not None
    return made


def told(item: Any) -> Any:
    return msgspec.to_builtins(item)


def test_an_item_that_changed_is_told_as_it_was_and_is_and_the_others_are_not() -> None:
    new = text_item("b", name="New")
    made = last(created(items=(A, B)), ee.ItemsPut(items=(new, C)))
    assert (made.verb, made.before, made.after) == (
        "put items",
        {"items": {"b": told(B)}},
        {"items": {"b": told(new), "c": told(C)}},
    )


def test_items_that_went_and_items_that_moved_are_told() -> None:
    gone = last(created(items=(A, B)), ee.ItemsRemoved(items=("a",)))
    assert (gone.before, gone.after) == ({"items": {"a": told(A)}}, {})
    moved = last(created(items=(A, B, C)), ee.ItemsPlaced(runs=(ee.Run(("c",)),)))
    assert (moved.verb, moved.before, moved.after) == ("move items", {}, {"moved": ["c"]})


def test_of_many_items_some_are_told_and_how_many_there_are() -> None:
    many = tuple(text_item(f"i{i}") for i in range(500))
    put = last(created(items=()), ee.ItemsPut(items=many))
    assert (len(put.after["items"]), put.after["items in all"]) == (20, 500)
    plan = created(items=many)
    sealed = last(plan, seal_of(plan.content, {}))
    assert len([name for name in sealed.after if name.startswith("item ")]) == 20
    assert sealed.after["items in all"] == 500


def test_a_restore_is_told_as_one() -> None:
    made = last(created(), e.PlanEdited(changes=Changes(name="B")), e.PlanEdited(changes=Changes(), restored=1))
    assert (made.verb, made.detail) == ("restore", "version 1")
