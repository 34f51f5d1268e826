"""The bodies of editing over HTTP: single items, their order, versions and what differs between them."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from contracts.difference import Difference
from contracts.http import Answered, Done, Read
from contracts.values import Content, Item, ItemId, Ref, TextSpec, WorkflowSpec


class ItemBody(Read, frozen=True, kw_only=True):
    """An item as it is to be. Its id is that of the address and may be repeated here."""

    name: Annotated[str, Meta(min_length=1, max_length=1_000)]
    spec: TextSpec | WorkflowSpec
    id: ItemId | None = None
    owner: Annotated[tuple[Ref, ...], Meta(max_length=50)] = ()
    needs: Annotated[tuple[ItemId, ...], Meta(max_length=100)] = ()
    may_fail: bool = False
    group: Annotated[str, Meta(max_length=1_000)] = ""

    def item(self, id_: str) -> Item:
        """The item with this id."""
        fields = {name: getattr(self, name) for name in Item.__struct_fields__ if name != "id"}
        return Item(id=id_, **fields)


class PutItemQuery(Read, frozen=True, kw_only=True):
    """`after`: behind which item a new one stands; without it, at the end. An item that is there stays in its place."""

    after: ItemId | None = None


class Place(Read, frozen=True, kw_only=True):
    """`after`: the item to stand directly behind; `null` or absent: in front of all."""

    after: ItemId | None = None


class ItemOrder(Read, frozen=True, kw_only=True):
    """The ids of all items, each once, in their new order."""

    items: Annotated[tuple[ItemId, ...], Meta(max_length=10_000)]


class Restoration(Read, frozen=True, kw_only=True):
    """The version whose content is brought back."""

    version: Annotated[int, Meta(ge=1)]


class Copied(Done, frozen=True, kw_only=True):
    """A new plan. `left_behind` names what the old plan has and the new one does not, because times are not copied."""

    left_behind: tuple[Literal["window", "schedule"], ...]


class VersionsQuery(Read, frozen=True, kw_only=True):
    """Newest first. `before`: only versions before this one, for the next page."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 100
    before: Annotated[int, Meta(ge=1)] | None = None


class DifferenceQuery(Read, frozen=True, kw_only=True):
    """`new`: absent, the plan as it is now. `old`: absent, the version before the change that made `new`."""

    old: Annotated[int, Meta(ge=1)] | None = None
    new: Annotated[int, Meta(ge=1)] | None = None


class VersionRow(Answered, frozen=True, kw_only=True):
    """One change of a plan's content. `version` was its ETag; `restored` is the version that was brought back, if one was."""

    version: int
    previous: int | None
    kind: Literal["create", "edit", "restore"]
    sections: tuple[str, ...]
    by: str
    channel: str
    at: datetime
    restored: int | None


class VersionPage(Answered, frozen=True, kw_only=True):
    """`next` is the `before` of the next page, `null` at the end."""

    versions: tuple[VersionRow, ...]
    next: int | None


class VersionView(Answered, frozen=True, kw_only=True):
    """The content as it was at `version`; `change` is the change that had made it so."""

    plan: str
    version: int
    change: VersionRow
    content: Content


class DifferenceView(Answered, frozen=True, kw_only=True):
    """What was changed from version `old` to version `new`."""

    plan: str
    old: int
    new: int
    difference: Difference
