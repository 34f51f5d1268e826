"""From a fact to the bytes of one server-sent event, and which plan a stream concerns.

A run and a delivery name their plan in their first event only; it is looked up once per stream and remembered. What the
routes show to administrators alone (endpoints, who is one person, other people's lists and delegations) has its place in
the order for everybody, and its data for administrators.
"""

from collections import OrderedDict
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from contracts.envelope import Fact, category, stream_id
from contracts.http import FeedEvent
from contracts.moments import moment
from contracts.presence import PresencePage
from contracts.public import public_form
from infra.eventlog.log import facts as facts_of
from infra.postgres import Pool, load_sql

_REMEMBERED_STREAMS = 10_000
_NOTHING = msgspec.Raw(b"{}")
_encode = msgspec.json.Encoder().encode


class Frame(NamedTuple):
    """One event as it is sent. `plan` is empty where it concerns none; at position 0 stands what is not in the log.

    `veiled`: the same without its data, where only administrators may read that.
    """

    position: int
    plan: str
    text: bytes
    veiled: bytes = b""

    def shown(self, *, administrator: bool) -> bytes:
        """What this reader is sent."""
        return self.text if administrator or not self.veiled else self.veiled


_VEILED = frozenset({"endpoint", "person", "list", "delegation", "user", "token", "secret"})
"""Streams of the installation and of single people. Freezes, workflows and templates are everybody's to read."""


class _Named(msgspec.Struct):
    plan: str = ""


class Frames:
    """Makes frames."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._first_facts = load_sql("services.gateway", "stream_plans")
        self._plans: OrderedDict[str, str] = OrderedDict()

    async def of(self, facts: list[Fact]) -> list[Frame]:
        """The frames of these facts, in order. Raises what asyncpg raises."""
        await self._learn(facts)
        return [_frame(fact, self._plan_of(fact.stream)) for fact in facts]

    async def _learn(self, facts: list[Fact]) -> None:
        """Find out the plans of streams that were not met before."""
        unknown: set[str] = set()
        for fact in facts:
            if category(fact.stream) not in {"run", "delivery", "letter"} or fact.stream in self._plans:
                continue
            if fact.version == 1:
                self._keep(fact)
                unknown.discard(fact.stream)
            else:
                unknown.add(fact.stream)
        if unknown:
            for first in facts_of(await self._pool.fetch(self._first_facts, list(unknown))):
                self._keep(first)
        while len(self._plans) > _REMEMBERED_STREAMS:
            self._plans.popitem(last=False)

    def _keep(self, first: Fact) -> None:
        self._plans[first.stream] = msgspec.json.decode(first.payload, type=_Named).plan

    def _plan_of(self, stream: str) -> str:
        if category(stream) in {"plan", "callback"}:
            return stream_id(stream)
        return self._plans.get(stream, "")


def _frame(fact: Fact, plan: str) -> Frame:
    event = FeedEvent(
        position=fact.position,
        stream=fact.stream,
        plan=plan,
        version=fact.version,
        type=fact.type,
        at=moment(fact.at),
        actor=fact.actor,
        data=msgspec.Raw(public_form(fact.type, fact.payload)),
    )
    kind = category(fact.stream)
    closed = kind in _VEILED or (kind == "delivery" and not plan)
    return Frame(fact.position, plan, _text(event), _text(replace(event, data=_NOTHING)) if closed else b"")


def _text(event: FeedEvent) -> bytes:
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (event.position, event.type.encode(), _encode(event))


def presence_frame(page: PresencePage) -> Frame:
    """Who is on a plan. Without an id: a listener that comes back goes on after the last event of the log."""
    return Frame(0, page.plan, b"event: presence\ndata: %b\n\n" % _encode(page))
