"""The live feed: the log as server-sent events, each once, in order, from any position on.

One follower reads the log for all listeners of this process and makes each event's bytes once. A listener first catches
up from the log by itself, then hears the follower; the join has no gap, because a listener is put down for the live part
before it reads up to there. A listener that does not keep up is cut off: it comes back with `Last-Event-ID` and misses
nothing, while one that we waited for would make us remember without bound.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import TypeVar, cast

import structlog

from contracts.envelope import Fact
from infra.eventlog import EventLog, Head
from infra.eventlog.log import facts as facts_of
from infra.postgres import load_sql
from infra.tail import Tail, database_away
from services.gateway.frames import Frame, Frames
from services.gateway.listing import RECORD

log = structlog.get_logger(__name__)

MOST_WAITING = 2_000
"""Events that may wait for one listener before it is cut off."""

_PACKAGE = "services.gateway"
_BATCH = 500
_AGAIN_SECONDS = 0.2

T = TypeVar("T")


class Listener:
    """What waits for one client. `since`: what is heard begins after this position."""

    def __init__(self, since: int, plan: str | None, cut_off: Callable[[], None]) -> None:
        """`cut_off` is called once, when too much waits."""
        self.since = since
        self._plan = plan
        self._cut_off = cut_off
        self._frames: deque[Frame] = deque()
        self._news = asyncio.Event()
        self.too_slow = False

    def hear(self, frames: Iterable[Frame]) -> None:
        """Put these behind the others; only those about the wanted plan."""
        wanted = [frame for frame in frames if frame.plan == self._plan or (self._plan is None and frame.position)]
        if self.too_slow or not wanted:
            return
        self._frames.extend(wanted)
        if len(self._frames) > MOST_WAITING:
            self._frames.clear()
            self.too_slow = True
            self._cut_off()
        self._news.set()

    def ring(self) -> None:
        """Have `wait` return."""
        self._news.set()

    async def wait(self, timeout_seconds: float) -> list[Frame]:
        """What has come, at once or when something does; empty when the time passes or it was rung."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._news.wait()
        except TimeoutError:
            return []
        self._news.clear()
        frames = list(self._frames)
        self._frames.clear()
        return frames


class Feed:
    """Follows the log for all listeners, while there are any. `run` is the follower; `drain` ends all listeners."""

    def __init__(self, source: EventLog, tail: Tail) -> None:
        self._source = source
        self._tail = tail
        self._frames = Frames(source.pool)
        self._listeners: set[Listener] = set()
        self._checkpoint = load_sql(_PACKAGE, "checkpoint")
        self._plan_streams = load_sql(_PACKAGE, "plan_streams")
        self._facts_of_streams = load_sql(_PACKAGE, "facts_of_streams")
        self._position = 0
        self._following = asyncio.Event()
        self._joining = asyncio.Lock()
        self.draining = False

    async def run(self) -> None:
        """Follow until cancelled. While nobody listens nothing is read: each event would cost a query for nobody."""
        while True:
            await self._following.wait()
            async with aclosing(cast("AsyncGenerator[list[Fact], None]", self._tail.after(self._position))) as tail:
                async for facts in tail:
                    await self._publish(facts)
                    if not self._listeners:
                        break
            self._following.clear()

    async def _publish(self, facts: list[Fact]) -> None:
        frames = await _patiently(partial(self._frames.of, facts)) if self._listeners else []
        self._position = facts[-1].position
        for listener in self._listeners:
            listener.hear(frames)

    def tell(self, frame: Frame) -> None:
        """Send something that is not in the log, to those who follow its plan."""
        for listener in self._listeners:
            listener.hear((frame,))

    async def head(self) -> Head:
        """The last position and the epoch, from the log itself."""
        return await self._source.head()

    @asynccontextmanager
    async def listening(self, plan: str | None, cut_off: Callable[[], None]) -> AsyncIterator[Listener]:
        """Hear everything after the listener's `since`, which is where the follower stands now."""
        async with self._joining:
            if not self._following.is_set():
                self._position = (await self.head()).position
            listener = Listener(self._position, plan, cut_off)
            self._listeners.add(listener)
            self._following.set()
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    async def past(self, after: int, until: int, plan: str | None) -> AsyncIterator[list[Frame]]:
        """The events after one position and up to another, from the log, batch by batch."""
        if plan is not None:
            known = min(until, await self._source.pool.fetchval(self._checkpoint, RECORD) or 0)
            async for facts in self._of_plan(plan, after, known):
                yield await self._frames.of(facts)
            after = max(after, known)
        while after < until:
            facts = await self._source.read_after(after, min(_BATCH, until - after))
            if not facts:
                return
            after = facts[-1].position
            frames = await self._frames.of(facts)
            yield [frame for frame in frames if plan is None or frame.plan == plan]

    async def _of_plan(self, plan: str, after: int, until: int) -> AsyncIterator[list[Fact]]:
        """A plan's facts without reading everybody's, as far as the operation record knows its streams."""
        if after >= until:
            return
        pool = self._source.pool
        rows = await pool.fetch(self._plan_streams, plan)
        streams = [f"plan-{plan}", f"callback-{plan}", *(row["stream"] for row in rows)]
        while facts := facts_of(await pool.fetch(self._facts_of_streams, streams, after, until, _BATCH)):
            yield facts
            after = facts[-1].position

    def drain(self) -> None:
        """Every listener sends its last event and ends."""
        self.draining = True
        for listener in self._listeners:
            listener.ring()


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """The answer, asked for again while the database is away: a follower that gave up would be silent for ever."""
    while True:
        try:
            return await ask()
        except Exception as error:
            if not database_away(error):
                raise
            log.warning("feed_waits", error=repr(error))
            await asyncio.sleep(_AGAIN_SECONDS)
