"""The bodies of freezes over HTTP. Times with an offset are instants; `start` and `end` of a freeze are wall-clock times."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from contracts.freeze import Freeze, Scope, WallTime
from contracts.http import Answered, FrozenView, Read
from contracts.values import Moment, ShortText


class FreezeBody(Read, frozen=True, kw_only=True):
    """A freeze; its name is that of the address. The fields are those of `contracts.freeze.Freeze`."""

    start: WallTime
    end: WallTime
    zone: Annotated[str, Meta(max_length=64)] = "UTC"
    rrule: Annotated[str, Meta(max_length=500)] = ""
    exdates: Annotated[tuple[WallTime, ...], Meta(max_length=500)] = ()
    reason: ShortText = ""
    scope: Scope = Scope()

    def freeze(self, name: str) -> Freeze:
        """The freeze under this name."""
        return Freeze(name=name, **{field: getattr(self, field) for field in self.__struct_fields__})


class FreezeQuery(Read, frozen=True, kw_only=True):
    """`after`: the occurrences shown are the first ones that end after it. Default: now."""

    after: Moment | None = None
    limit: Annotated[int, Meta(ge=1, le=400)] = 10


class DeletionQuery(Read, frozen=True, kw_only=True):
    """Why, for the record."""

    reason: ShortText = ""


class FreezeView(Answered, frozen=True, kw_only=True):
    """A freeze, and its next occurrences: the first is the one that takes place now, if any."""

    id: str
    freeze: Freeze
    put_by: str
    put_at: datetime
    version: int
    occurrences: tuple[FrozenView, ...]


class FreezePage(Answered, frozen=True, kw_only=True):
    """All freezes that are not deleted, by name."""

    freezes: tuple[FreezeView, ...]
