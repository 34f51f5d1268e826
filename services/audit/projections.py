"""Keeps `view.record`: one row per entry, found by plan, in the order of the log."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from contracts.envelope import Fact, category, stream_id
from contracts.evolve import evolve
from contracts.plan import Plan
from contracts.record import Entry
from infra.plan_states import PlanStates, ReadStream, by_stream
from infra.postgres import load_sql
from services.audit.views import DEFINED, NAMED, entry, name_in

if TYPE_CHECKING:
    from infra.checkpoint import Connection

_PACKAGE = "services.audit"
_encode = msgspec.json.Encoder().encode
_INSTALLATION = ""


class Record:
    """The projection `record`."""

    name: ClassVar[str] = "record"
    tables: ClassVar[Sequence[str]] = ("view.record", "view.record_stream")
    types: ClassVar[None] = None

    def __init__(self, read_stream: ReadStream) -> None:
        self._states = PlanStates(read_stream)
        self._put = load_sql(_PACKAGE, "put_entries")
        self._put_streams = load_sql(_PACKAGE, "put_streams")
        self._read_first = load_sql(_PACKAGE, "read_first")
        self._read_streams = load_sql(_PACKAGE, "read_streams")
        self._read_earlier = load_sql(_PACKAGE, "read_earlier")

    async def apply(self, conn: "Connection", facts: list[Fact]) -> None:
        """Fold the facts plan by plan, find the plan of all others, then one statement per table."""
        around: dict[int, tuple[Plan | None, Plan | None]] = {}
        for stream, own in by_stream(facts, "plan").items():
            await self._fold(stream, own, around)
        plans = await self._plans(conn, facts)
        names = await self._names(conn, facts)
        rows = []
        for fact in facts:
            earlier = await self._before(conn, fact) if fact.type in DEFINED else None
            before, after = around.get(fact.position, (None, None))
            made = entry(fact, before, after, earlier, names.get(fact.stream, ""))
            if made is not None:
                rows.append(_row(plans.get(fact.stream, _INSTALLATION), fact, made))
        if rows:
            await conn.execute(self._put, *map(list, zip(*rows, strict=True)))

    async def _before(self, conn: "Connection", fact: Fact) -> bytes | None:
        """What was said of the same thing the time before. A query each: such events are a few in a day."""
        if fact.version == 1:
            return None
        earlier: bytes | None = await conn.fetchval(self._read_earlier, fact.stream, fact.type, fact.version)
        return earlier

    async def _fold(self, stream: str, facts: list[Fact], around: dict[int, tuple[Plan | None, Plan | None]]) -> None:
        plan = await self._states.before(facts[0])
        for fact in facts:
            before, plan = plan, evolve(plan, fact)
            around[fact.position] = (before, plan)
        self._states.keep(stream, plan)

    async def _names(self, conn: "Connection", facts: list[Fact]) -> dict[str, str]:
        """Stream -> name, for those whose facts here do not say it: their first one did."""
        nameless = {one.stream for one in facts if category(one.stream) in NAMED and not name_in(one.type, one.payload)}
        if not nameless:
            return {}
        rows = await conn.fetch(self._read_first, list(nameless))
        return {row["stream"]: name_in(row["type"], bytes(row["payload"])) for row in rows}

    async def _plans(self, conn: "Connection", facts: list[Fact]) -> dict[str, str]:
        """Stream -> plan, for all streams of these facts that belong to one."""
        plans: dict[str, str] = {}
        new: dict[str, str] = {}
        for fact in facts:
            kind = category(fact.stream)
            if kind in {"plan", "callback"}:
                plans[fact.stream] = stream_id(fact.stream)
            elif kind in {"run", "delivery", "letter"} and fact.version == 1:
                plans[fact.stream] = new[fact.stream] = _plan_of(fact)
        if new:
            await conn.execute(self._put_streams, list(new), list(new.values()))
        missing = {fact.stream for fact in facts if category(fact.stream) in {"run", "delivery", "letter"}} - set(plans)
        if missing:
            plans.update({row["stream"]: row["plan"] for row in await conn.fetch(self._read_streams, list(missing))})
        return plans


def _plan_of(fact: Fact) -> str:
    """The plan that a run, a delivery or a letter names in its first event."""
    plan: Any = msgspec.json.decode(fact.payload, type=dict[str, Any]).get("plan", _INSTALLATION)
    return str(plan)


def _row(plan: str, fact: Fact, made: Entry) -> tuple[Any, ...]:
    return (
        plan,
        fact.position,
        fact.ordinal,
        fact.at,
        fact.actor,
        fact.channel,
        made.verb,
        made.target,
        _encode(made),
    )
