"""From a fact to the bytes of one server-sent event, and which plan a stream concerns.

A run and a delivery name their plan in their first event only; it is looked up once per stream and remembered.
"""

from collections import OrderedDict
from typing import NamedTuple

import msgspec

from contracts.envelope import Fact, category, stream_id
from contracts.http import FeedEvent
from contracts.moments import moment
from contracts.presence import PresencePage
from contracts.public import public_form
from infra.eventlog.log import facts as facts_of
from infra.postgres import Pool, load_sql

_REMEMBERED_STREAMS = 10_000
_encode = msgspec.json.Encoder().encode


class Frame(NamedTuple):
    """One event as it is sent. `plan` is empty where it concerns none; at position 0 stands what is not in the log."""

    position: int
    plan: str
    text: bytes


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
    text = b"id: %d\nevent: %b\ndata: %b\n\n" % (fact.position, fact.type.encode(), _encode(event))
    return Frame(fact.position, plan, text)


def presence_frame(page: PresencePage) -> Frame:
    """Who is on a plan. Without an id: a listener that comes back goes on after the last event of the log."""
    return Frame(0, page.plan, b"event: presence\ndata: %b\n\n" % _encode(page))
