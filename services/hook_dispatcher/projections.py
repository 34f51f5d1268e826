"""Keeps `view.endpoint` and `view.delivery`: where hooks go, which are due, and how each stands.

A hook is due the moment its fact is folded: one row per endpoint that wanted it just then. So which hooks there are
follows from the log alone, and one that was raised while nobody dispatched is found in the table.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

import msgspec

from contracts.delivery import EndpointPut
from contracts.envelope import Fact, category, stream_id
from contracts.registry import DECODERS
from contracts.values import Gates
from infra.ids import derived_id
from infra.postgres import load_sql
from services.hook_dispatcher.views.hooks import RAISING, gates_set, raised_by
from services.hook_dispatcher.views.rows import DeliveryRow, EndpointRow, advanced, due_row, endpoint_row

if TYPE_CHECKING:
    from infra.projection import Connection

ReadStream = Callable[[str, int], Awaitable[list[Fact]]]

_PACKAGE = "services.hook_dispatcher"
_REMEMBERED = 50_000


def delivery_id(endpoint: str, position: int) -> str:
    """The id of the delivery to this endpoint of the hook that was raised at this position; its `webhook-id`."""
    return derived_id("delivery", endpoint, str(position))


class Hooks:
    """The projection `hooks`. `read_stream(stream, after_version)` reads the log."""

    name: ClassVar[str] = "hooks"
    tables: ClassVar[Sequence[str]] = ("view.endpoint", "view.delivery")

    def __init__(self, read_stream: ReadStream) -> None:
        self._gates = GatesOfPlans(read_stream)
        self._read_endpoints = load_sql(_PACKAGE, "read_endpoints")
        self._read_deliveries = load_sql(_PACKAGE, "read_deliveries")
        self._put_endpoints = load_sql(_PACKAGE, "put_endpoints")
        self._put_deliveries = load_sql(_PACKAGE, "put_deliveries")
        self.raised: list[str] = []
        """The streams of the deliveries that the last facts made due, for whoever brings them once this is committed."""

    async def apply(self, conn: "Connection", facts: list[Fact]) -> None:
        """Fold in the order of the log, since an endpoint wants a hook or not at the moment when it is raised."""
        self._gates.expect(facts)
        kinds = {category(fact.stream) for fact in facts}
        changes = _Changes()
        if kinds & {"endpoint", "plan"}:
            rows = await conn.fetch(self._read_endpoints)
            changes.endpoints = {row["id"]: EndpointRow(**dict(row)) for row in rows}
        if "delivery" in kinds:
            ids = sorted({stream_id(fact.stream) for fact in facts if category(fact.stream) == "delivery"})
            rows = await conn.fetch(self._read_deliveries, ids)
            changes.deliveries = {row["id"]: DeliveryRow(**dict(row)) for row in rows}
        for fact in facts:
            match category(fact.stream):
                case "plan":
                    gates = await self._gates.at(fact)
                    if gates is not None:
                        changes.plan(fact, gates)
                case "endpoint":
                    changes.endpoint(fact)
                case "delivery":
                    changes.delivery(fact)
        await self._put(conn, changes)
        self.raised = [f"delivery-{one}" for one in changes.raised]

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
        self.endpoints: dict[str, EndpointRow] = {}
        self.deliveries: dict[str, DeliveryRow] = {}
        self.put_endpoints: set[str] = set()
        self.put_deliveries: set[str] = set()
        self.raised: list[str] = []

    def plan(self, fact: Fact, gates: Gates) -> None:
        raised = raised_by(fact, gates)
        if raised is None:
            return
        for endpoint in self.endpoints.values():
            if endpoint.wants(raised):
                row = due_row(delivery_id(endpoint.id, fact.position), endpoint.id, raised, fact)
                self._keep(row)
                self.raised.append(row.id)

    def endpoint(self, fact: Fact) -> None:
        event = DECODERS[fact.type](fact.payload) if fact.type in DECODERS else None
        if isinstance(event, EndpointPut):
            row = endpoint_row(event, fact)
            self.endpoints[row.id] = row
            self.put_endpoints.add(row.id)

    def delivery(self, fact: Fact) -> None:
        event = DECODERS[fact.type](fact.payload) if fact.type in DECODERS else None
        row = self.deliveries.get(stream_id(fact.stream))
        if row is not None:
            self._keep(advanced(row, event, fact))

    def _keep(self, row: DeliveryRow) -> None:
        self.deliveries[row.id] = row
        self.put_deliveries.add(row.id)


class GatesOfPlans:
    """Which gates a plan has at a fact that may raise a hook. Remembered while the facts come without a gap."""

    def __init__(self, read_stream: ReadStream) -> None:
        self._read_stream = read_stream
        self._known: dict[str, Gates] = {}
        self._position = 0

    def expect(self, facts: list[Fact]) -> None:
        """Forget everything unless these facts follow the last ones: another process may have folded those between."""
        if facts[0].position != self._position + 1 or len(self._known) > _REMEMBERED:
            self._known.clear()
        self._position = facts[-1].position

    async def at(self, fact: Fact) -> Gates | None:
        """The gates at this fact; None for a fact that raises nothing whatever they are."""
        gates = gates_set(fact)
        if gates is not None and (fact.version == 1 or fact.stream in self._known):
            self._known[fact.stream] = gates
        if fact.type not in RAISING:
            return None
        if fact.stream not in self._known:
            before = await self._read_stream(fact.stream, 0)
            self._known[fact.stream] = newest_gates(one for one in before if one.version < fact.version)
        return self._known[fact.stream]


def newest_gates(facts: Iterable[Fact]) -> Gates:
    """The gates after these facts of a plan."""
    found = Gates()
    for fact in facts:
        found = gates_set(fact) or found
    return found
