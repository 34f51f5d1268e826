"""Keeps `view.endpoint` and `view.delivery`: where hooks go, which are due, and how each stands.

A delivery is due the moment its fact is folded: one row per endpoint and form that wanted it just then. So which there
are follows from the log alone, and one that was raised while nobody dispatched is found in the table.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

import msgspec

from contracts.endpoint_state import Endpoint, fold_endpoint
from contracts.envelope import Fact, category, stream_id
from contracts.registry import DECODERS
from infra.ids import derived_id
from infra.postgres import load_sql
from services.hook_dispatcher.projections.known import Known
from services.hook_dispatcher.projections.subjects import Subjects
from services.hook_dispatcher.views.hooks import DIED, Raised, Subject, deliveries_of, may_want, own_delivery
from services.hook_dispatcher.views.rows import DeliveryRow, advanced, due_row

if TYPE_CHECKING:
    from infra.checkpoint import Connection

ReadStream = Callable[[str, int], Awaitable[list[Fact]]]

_PACKAGE = "services.hook_dispatcher"

UNHURRIED = frozenset({"delivery.created.v1", "delivery.attempted.v1", "delivery.succeeded.v1", "delivery.failed.v1"})
"""What our own couriers do and know of. It makes nothing due, and a delivery's row is best written once for several."""


def delivery_id(endpoint: str, position: int, raised: Raised) -> str:
    """The id of the delivery to this endpoint of what was raised at this position; its `webhook-id`."""
    if raised.format == "zadig":
        return derived_id("delivery", endpoint, str(position))
    return derived_id("delivery", endpoint, str(position), raised.format, raised.event)


class Hooks:
    """The projection `hooks`. `read_stream(stream, after_version)` reads the log."""

    name: ClassVar[str] = "hooks"
    tables: ClassVar[Sequence[str]] = ("view.endpoint", "view.delivery")
    types: ClassVar[None] = None

    def __init__(self, read_stream: ReadStream) -> None:
        self._subjects = Subjects(read_stream)
        self._read_endpoints = load_sql(_PACKAGE, "read_endpoints")
        self._read_deliveries = load_sql(_PACKAGE, "read_deliveries")
        self._put_endpoints = load_sql(_PACKAGE, "put_endpoints")
        self._put_deliveries = load_sql(_PACKAGE, "put_deliveries")
        self._known = Known()
        self.raised: list[DeliveryRow] = []
        """The deliveries that the last facts made due, for whoever brings them once this is committed."""

    async def apply(self, conn: "Connection", facts: list[Fact]) -> None:
        """Fold in the order of the log, since an endpoint wants a hook or not at the moment when it is raised."""
        self._subjects.expect(facts)
        self._known.expect(facts)
        kinds = {category(fact.stream) for fact in facts}
        changes = _Changes()
        concerned = bool(kinds & {"endpoint", "plan", "run"}) or any(fact.type == DIED for fact in facts)
        if concerned:
            changes.endpoints = await self._endpoints(conn)
        if "delivery" in kinds:
            ids = {stream_id(fact.stream) for fact in facts if category(fact.stream) == "delivery"}
            changes.deliveries = await self._deliveries(conn, ids)
        for fact in facts:
            match category(fact.stream):
                case "plan" | "run":
                    self._subjects.see(fact)
                    if changes.wanted(fact):
                        changes.raise_all(fact, await self._subjects.at(fact))
                case "endpoint":
                    changes.endpoint(fact)
                case "delivery":
                    row = changes.delivery(fact)
                    if row is not None and _is_news(row, fact) and changes.wanted(fact):
                        changes.raise_all(fact, await self._subjects.of_plan(f"plan-{row.plan}", fact.position))
        await self._put(conn, changes)
        written = (changes.deliveries[one] for one in sorted(changes.put_deliveries))
        self._known.keep(facts, changes.endpoints if concerned else None, written)
        self.raised = changes.raised

    async def _endpoints(self, conn: "Connection") -> dict[str, Endpoint]:
        if self._known.endpoints is not None:
            return dict(self._known.endpoints)
        rows = await conn.fetch(self._read_endpoints)
        return {row["id"]: Endpoint(**{**row, "events": tuple(row["events"])}) for row in rows}

    async def _deliveries(self, conn: "Connection", ids: set[str]) -> dict[str, DeliveryRow]:
        found = {one: row for one in ids if (row := self._known.deliveries.get(one)) is not None}
        if missing := sorted(ids - found.keys()):
            rows = await conn.fetch(self._read_deliveries, missing)
            found |= {row["id"]: DeliveryRow(**dict(row)) for row in rows}
        return found

    async def _put(self, conn: "Connection", changes: "_Changes") -> None:
        if changes.put_endpoints:
            rows = [changes.endpoints[one] for one in sorted(changes.put_endpoints)]
            await conn.execute(self._put_endpoints, msgspec.json.encode(rows).decode())
        if changes.put_deliveries:
            found = [changes.deliveries[one] for one in sorted(changes.put_deliveries)]
            await conn.execute(self._put_deliveries, msgspec.json.encode(found).decode())


class _Changes:
    """The rows that a list of facts leads to."""

    def __init__(self) -> None:
        self.endpoints: dict[str, Endpoint] = {}
        self.deliveries: dict[str, DeliveryRow] = {}
        self.put_endpoints: set[str] = set()
        self.put_deliveries: set[str] = set()
        self.raised: list[DeliveryRow] = []

    def wanted(self, fact: Fact) -> bool:
        return any(may_want(endpoint, fact) for endpoint in self.endpoints.values())

    def raise_all(self, fact: Fact, subject: Subject) -> None:
        for endpoint in self.endpoints.values():
            for raised in deliveries_of(endpoint, fact, subject):
                self._raise(endpoint.id, raised, fact, subject.plan)

    def endpoint(self, fact: Fact) -> None:
        one = stream_id(fact.stream)
        endpoint = fold_endpoint((fact,), self.endpoints.get(one))
        if endpoint is None:
            return
        self.endpoints[one] = endpoint
        self.put_endpoints.add(one)
        raised = own_delivery(endpoint, fact)
        if raised is not None:
            self._raise(one, raised, fact, "")

    def delivery(self, fact: Fact) -> DeliveryRow | None:
        event = DECODERS[fact.type](fact.payload) if fact.type in DECODERS else None
        row = self.deliveries.get(stream_id(fact.stream))
        if row is not None:
            row = advanced(row, event, fact)
            self._keep(row)
        return row

    def _raise(self, endpoint: str, raised: Raised, fact: Fact, plan: str) -> None:
        row = due_row(delivery_id(endpoint, fact.position, raised), endpoint, raised, fact, plan)
        self._keep(row)
        self.raised.append(row)

    def _keep(self, row: DeliveryRow) -> None:
        self.deliveries[row.id] = row
        self.put_deliveries.add(row.id)


def _is_news(row: DeliveryRow, fact: Fact) -> bool:
    """A delivery of a plan's event was given up. What only tells of that tells nobody when it dies itself: else no end."""
    return fact.type == DIED and row.event != DIED and bool(row.plan)
