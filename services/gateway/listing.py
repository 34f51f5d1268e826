"""Pages: the list of plans with combined filters, and a plan's operation record, both read from projections.

A page never jumps or repeats while the list changes, since a cursor says where the page before ended, not how many rows
came before. Cursors are opaque to clients, and versioned, so that they may change.
"""

import asyncio
import base64
import binascii
from collections.abc import Sequence
from typing import Any

import msgspec

from contracts.http import PlanPage, PlanQuery, PlanRow, RecordPage, RecordQuery
from contracts.moments import micros, moment
from contracts.record import Entry
from contracts.refusals import Fault, Refused
from infra.errors import Unavailable
from infra.postgres import Pool, Row, load_sql
from services.gateway.views import when

PLANS = "plans"
RECORD = "record"
"""The names of the projections that lists are read from."""
NO_PLAN = ""
"""Under which the record has what belongs to no plan."""

_PACKAGE = "services.gateway"
_CURSOR_VERSION = 1
_NEVER = 2**63 - 1
_ORDERS: dict[str, tuple[str, ...]] = {
    "newest": ("idx",),
    "oldest": ("idx",),
    "updated": ("updated_at", "id"),
    "window": ("starts", "idx"),
    "name": ("name", "idx"),
}
"""By which columns each order sorts. Together they are unique, so that a page ends at one place only."""
_KINDS: dict[str, type] = {"idx": int, "updated_at": int, "starts": int, "id": str, "name": str}
_PATIENCE_SECONDS = 1.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.002, 0.05


class Listing:
    """Reads pages. Raises Unavailable when a list does not reach the position that was asked for in time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._plans = {order: load_sql(_PACKAGE, f"plans_{order}") for order in _ORDERS}
        self._record = {order: load_sql(_PACKAGE, f"record_{order}") for order in ("newest", "oldest")}
        self._entry = msgspec.json.Decoder(Entry).decode
        self._checkpoint = load_sql(_PACKAGE, "checkpoint")

    async def plans(self, query: PlanQuery) -> PlanPage:
        """One page of plans."""
        _demand_span(query)
        start, start_id = _plan_cursor(query)
        position = await self.reached(PLANS, query.min_position)
        rows = await self._pool.fetch(
            self._plans[query.order],
            start,
            query.limit + 1,
            list(query.status) or None,
            list(query.owner) or None,
            list(query.item_owner) or None,
            list(query.waiting_for) or None,
            list(query.label) or None,
            list(query.project) or None,
            query.text.lower() or None,
            micros(query.window_from) if query.window_from else None,
            micros(query.window_to) if query.window_to else None,
            start_id,
            list(query.touches) or None,
            list(query.asked) or None,
            query.review_owed,
        )
        shown = rows[: query.limit]
        following = None
        if len(rows) > query.limit:
            last = shown[-1]
            following = cursor_of(query.order, [_cell(last, column) for column in _ORDERS[query.order]])
        return PlanPage(plans=tuple(_plan_row(row) for row in shown), next=following, position=position)

    async def record(self, plan: str, query: RecordQuery) -> RecordPage:
        """One page of a plan's operation record, or of what belongs to none (`NO_PLAN`)."""
        end = page_end(query.order, query.cursor, [int, int])
        position = await self.reached(RECORD, query.min_position)
        rows = await self._pool.fetch(
            self._record[query.order],
            plan,
            *end,
            query.limit + 1,
            list(query.actor) or None,
            list(query.verb) or None,
            list(query.target) or None,
            list(query.channel) or None,
            micros(query.since) if query.since else None,
            micros(query.until) if query.until else None,
        )
        shown = rows[: query.limit]
        following = None
        if len(rows) > query.limit:
            following = cursor_of(query.order, [shown[-1]["position"], shown[-1]["ordinal"]])
        return RecordPage(entries=tuple(self._entry(row["entry"]) for row in shown), next=following, position=position)

    async def reached(self, projection: str, wanted: int) -> int:
        """Up to where the projection contains the log, once that is at least `wanted`."""
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + _PATIENCE_SECONDS, _FIRST_PAUSE_SECONDS
        while True:
            position: int = await self._pool.fetchval(self._checkpoint, projection) or 0
            if position >= wanted:
                return position
            if loop.time() > deadline:
                raise Unavailable(f"the list at position {wanted} (it is at {position})")
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


def _plan_row(row: Row) -> PlanRow:
    return PlanRow(
        id=row["id"],
        index=row["idx"],
        project=row["project"],
        name=row["name"],
        status=row["status"],
        owners=tuple(row["owners"]),
        labels=tuple(row["labels"]),
        window_start=when(row["window_start"] or 0),
        window_end=when(row["window_end"] or 0),
        zone=row["zone"],
        touches=tuple(row["touches"]),
        item_owners=tuple(row["item_owners"]),
        waiting_for=tuple(row["waiting_for"]),
        created_at=moment(row["created_at"]),
        updated_at=moment(row["updated_at"]),
        updated_by=row["updated_by"],
        version=row["version"],
        position=row["position"],
        review_owed=row["review_owed"],
    )


def _demand_span(query: PlanQuery) -> None:
    start, end = query.window_from, query.window_to
    if start is not None and end is not None and end < start:
        detail = "The time is wrong: window_to is before window_from."
        raise Refused("invalid_parameter", detail, [Fault("window_to", "is before window_from", "window_order")])


def _plan_cursor(query: PlanQuery) -> tuple[int | str | None, int | str | None]:
    """Where the page begins: what the list is ordered by, with what breaks ties where that is not unique."""
    kinds = [_KINDS[column] for column in _ORDERS[query.order]]
    end = [*page_end(query.order, query.cursor, kinds), None]
    return end[0], end[1]


def _cell(row: Row, column: str) -> int | str:
    """A plan without a time comes last, as if it started never."""
    value: int | str | None = row[column]
    return _NEVER if value is None else value


def page_end(order: str, cursor: str, kinds: list[type]) -> list[Any]:
    """Where the page before ended, as `cursor_of` was told it; a `None` for each kind on the first page. Raises Refused."""
    return _decoded_cursor(order, cursor, kinds) or [None] * len(kinds)


def cursor_of(order: str, end: Sequence[int | str]) -> str:
    """A cursor that says where a page of the list `order` ended."""
    return base64.urlsafe_b64encode(msgspec.json.encode([_CURSOR_VERSION, order, *end])).decode().rstrip("=")


def _decoded_cursor(order: str, cursor: str, kinds: list[type]) -> list[Any] | None:
    if not cursor:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        version, given_order, *end = msgspec.json.decode(text, type=list[int | str])
        if [version, given_order] != [_CURSOR_VERSION, order] or [type(part) for part in end] != kinds:
            raise ValueError("another kind of cursor")
        if any(isinstance(part, int) and not -(2**63) <= part < 2**63 for part in end):
            raise ValueError("not a position")
    except (ValueError, binascii.Error, msgspec.DecodeError):
        detail = "The cursor is not one of this list and this order; begin again without it."
        raise Refused("invalid_parameter", detail, [Fault("cursor", "is not a cursor of this list")]) from None
    return end
