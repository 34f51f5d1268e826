"""Orders about single items of a draft, about their order, and about bringing back an earlier version.

`base` is the stream version that the asker looked at; `None` takes what is there now. What somebody else changed since
is merged by the rule of `contracts.merging`, or the order is refused with the clashes.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from contracts.command import Command, PlanId
from contracts.values import Item, ItemId, Ref, TextSpec, WorkflowSpec


class ItemChanges(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Some fields of an item with their new values, `spec` as a whole. A field that is absent is unchanged."""

    name: Annotated[str, Meta(min_length=1, max_length=1_000)] | msgspec.UnsetType = msgspec.UNSET
    spec: TextSpec | WorkflowSpec | msgspec.UnsetType = msgspec.UNSET
    owner: Annotated[tuple[Ref, ...], Meta(max_length=50)] | msgspec.UnsetType = msgspec.UNSET
    needs: Annotated[tuple[ItemId, ...], Meta(max_length=100)] | msgspec.UnsetType = msgspec.UNSET
    may_fail: bool | msgspec.UnsetType = msgspec.UNSET
    group: Annotated[str, Meta(max_length=1_000)] | msgspec.UnsetType = msgspec.UNSET


class PutItem(Command, frozen=True, tag="put_item"):
    """The item is like this, whether it was there or not. A new one stands behind `after`, or at the end."""

    plan: PlanId
    item: Item
    after: ItemId | None = None
    base: int | None = None


class ChangeItem(Command, frozen=True, tag="change_item"):
    plan: PlanId
    item: ItemId
    changes: ItemChanges
    base: int | None = None


class RemoveItem(Command, frozen=True, tag="remove_item"):
    """The item is gone. What others need of it is theirs to change: the check before sealing names it."""

    plan: PlanId
    item: ItemId
    base: int | None = None


class MoveItem(Command, frozen=True, tag="move_item"):
    """The item stands directly behind `after`; in front of all others where that is `None`."""

    plan: PlanId
    item: ItemId
    after: ItemId | None = None
    base: int | None = None


class ReorderItems(Command, frozen=True, tag="reorder_items"):
    """The items stand in this order. Every item is named once: an order can neither drop an item nor make one."""

    plan: PlanId
    items: Annotated[tuple[ItemId, ...], Meta(max_length=10_000)]
    base: int | None = None


class RestorePlan(Command, frozen=True, tag="restore_plan"):
    """The content is again what it was at stream version `version`: a new change, nothing is taken back."""

    plan: PlanId
    version: Annotated[int, Meta(ge=1)]
    base: int | None = None


AnyEdit = PutItem | ChangeItem | RemoveItem | MoveItem | ReorderItems | RestorePlan
