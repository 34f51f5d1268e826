"""Projections: tables that are folded from the log, live or from the beginning, always to the same rows.

A projection's rows and its checkpoint move in one transaction, and the checkpoint moves first, by compare-and-set. So a
fact is folded once, whatever crashes, and a second projector of the same name finds itself beaten and steps back until
the first one has plainly stopped. A fact that cannot be folded stops the projection, loudly; it is never skipped.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from contracts.envelope import Fact, Position
from infra.ahead import ahead
from infra.checkpoint import Projection, Superseded, advance
from infra.postgres import load_sql
from infra.tail import Readable, Tail, Wake, database_away

if TYPE_CHECKING:
    import asyncpg

log = structlog.get_logger()

_SKIP_SECONDS = 0.5
"""How long facts that change nothing are passed over before the checkpoint moves behind them."""


class Projectable(Readable, Protocol):
    """The part of the log that a projector needs; `infra.eventlog.EventLog` has it."""

    @property
    def pool(self) -> "asyncpg.Pool[asyncpg.Record]": ...


class _Waiting:
    """Facts that were read and not folded, and when the first of them was read."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.since = 0.0


class Projector:
    """Keeps one projection at the end of the log. Safe to run twice; only one works at a time.

    `position` is the last fact known to be folded, by this one or another; `stuck` tells what holds it up, if anything.
    """

    def __init__(
        self,
        source: Projectable,
        wake: Wake,
        projection: Projection,
        *,
        limit: int = 500,
        poll_seconds: float = 0.2,
        standby_seconds: float = 2.0,
        gather_seconds: float = 0.0,
        may_wait: frozenset[str] = frozenset(),
        wait_seconds: float = 0.1,
        on_folded: Callable[[], None] | None = None,
    ) -> None:
        """`gather_seconds`: how long after a ring more facts are awaited, so that one transaction takes them all.

        `may_wait`: event types for which nobody is in a hurry. While there are no others they are gathered for about
        `wait_seconds`, a whole `limit` of them at most; the first of another type takes all that wait along.
        `on_folded` is called after each transaction of this projector, for whoever has something to do about the new rows.
        """
        self._on_folded = on_folded
        self._waitable = may_wait
        self._wait_seconds = wait_seconds
        self._source = source
        self._projection = projection
        self._open_sql = load_sql("infra", "checkpoint_open")
        self._read_sql = load_sql("infra", "checkpoint_read")
        self._limit = limit
        self._tail = Tail(source, wake, poll_seconds, limit=limit, gather_seconds=gather_seconds, tell_quiet=True)
        self._standby_seconds = standby_seconds
        self.position: Position = 0
        self._written: Position = 0  # what the checkpoint says; facts that change nothing are seen beyond it
        self._skipping_since: float | None = None
        self.standing_by = False
        self.stuck: str | None = None

    async def run(self) -> None:
        """Fold until cancelled. Raises nothing else: what fails is told, shown in `stuck`, and tried again."""
        pause = 0.1
        while True:
            before = self.position
            try:
                await self._follow()
            except Superseded:
                await self._stand_by()
                continue
            except Exception as error:
                self._tell(error)
            pause = 0.1 if self.position != before else min(pause * 2, 5.0)
            await asyncio.sleep(pause)

    def _tell(self, error: Exception) -> None:
        if database_away(error):
            log.warning("projection_waits", projection=self._projection.name, error=repr(error))
        else:
            self.stuck = repr(error)
            log.exception("projection_stuck", projection=self._projection.name, after=self.position)

    async def catch_up(self) -> Position:
        """Fold up to the present end of the log and return that position. Raises what folding raises."""
        await self._open()
        first = await self._source.read_after(self.position, self._limit)
        async with aclosing(ahead(first, self._after)) as pages:
            async for facts in pages:
                if facts:
                    await self._fold(facts)
        return self.position

    def _after(self, facts: list[Fact]) -> Coroutine[Any, Any, list[Fact]] | None:
        return self._source.read_after(facts[-1].position, self._limit) if facts else None

    async def _follow(self) -> None:
        await self._open()
        self._tail.pace(None)
        waiting = _Waiting()
        async for found in self._tail.after(self.position):
            if not waiting.facts and self._may_skip(found):
                continue
            if self._may_wait(waiting, found):
                continue
            facts, waiting = [*waiting.facts, *found], _Waiting()
            try:
                await self._fold(facts)
            except Exception as error:
                if isinstance(error, Superseded) or database_away(error):
                    raise
                # One by one now, so that everything before the bad one is folded and the bad one is named.
                for fact in facts:
                    await self._fold([fact])
            self.stuck = None

    def _may_wait(self, waiting: "_Waiting", facts: list[Fact]) -> bool:
        """Have these facts wait with those that do, if nobody is in a hurry for any. Else all are to be folded now."""
        now = asyncio.get_running_loop().time()
        since = waiting.since if waiting.facts else now
        few = 0 < len(waiting.facts) + len(facts) < self._limit
        if not few or now - since >= self._wait_seconds or any(fact.type not in self._waitable for fact in facts):
            self._tail.pace(None)
            return False
        waiting.since = since
        waiting.facts += facts
        self._tail.pace(self._wait_seconds - (now - since))
        return True

    def _may_skip(self, facts: list[Fact]) -> bool:
        """Facts that change nothing need no transaction at once; the checkpoint follows within `_SKIP_SECONDS` or so."""
        if not facts:
            return self.position == self._written
        types = self._projection.types
        if types is None or any(fact.type in types for fact in facts):
            return False
        now = asyncio.get_running_loop().time()
        if self._skipping_since is None:
            self._skipping_since = now
        if now - self._skipping_since > _SKIP_SECONDS:
            return False
        self.position = facts[-1].position
        return True

    async def _open(self) -> None:
        """Take up where the checkpoint stands; a checkpoint beyond the log belongs to another history: start again."""
        async with self._source.pool.acquire() as conn:
            await conn.execute(self._open_sql, self._projection.name)
            self.position = await conn.fetchval(self._read_sql, self._projection.name)
            self._written, self._skipping_since = self.position, None
        if self.position and not await self._source.read_after(self.position - 1, 1):
            log.error(
                "projection_ahead_of_log",
                projection=self._projection.name,
                position=self.position,
                reason="the log was restored without it; it is folded again from the first event, as `gonogo rebuild` does",
            )
            await empty(self._source, self._projection)
            self.position = self._written = 0

    async def _fold(self, facts: list[Fact]) -> None:
        """Move the checkpoint and write the rows."""
        last = facts[-1].position if facts else self.position
        async with self._source.pool.acquire() as conn:
            await advance(conn, self._projection, self._written, last, facts)
        self.position = self._written = last
        self._skipping_since = None
        if self._on_folded is not None:
            self._on_folded()

    async def _stand_by(self) -> None:
        """Return when the checkpoint has stood still behind the log for a while: its owner is gone."""
        self.standing_by = True
        log.info("projection_stands_by", projection=self._projection.name, position=self.position)
        try:
            while True:
                await asyncio.sleep(self._standby_seconds)
                if await self._owner_is_gone():
                    log.info("projection_takes_over", projection=self._projection.name, position=self.position)
                    return
        finally:
            self.standing_by = False

    async def _owner_is_gone(self) -> bool:
        try:
            async with self._source.pool.acquire() as conn:
                found = await conn.fetchval(self._read_sql, self._projection.name)
            if found != self.position:
                self.position = found or 0
                return False
            return bool(await self._source.read_after(self.position, 1))
        except Exception as error:
            self._tell(error)
            return False


async def empty(source: Projectable, projection: Projection) -> None:
    """Throw a projection's rows away and set its checkpoint to 0, both or neither."""
    async with source.pool.acquire() as conn, conn.transaction():
        await conn.execute("truncate " + ", ".join(projection.tables))
        await conn.execute(load_sql("infra", "checkpoint_reset"), projection.name)


async def rebuild(source: Projectable, projection: Projection, *, limit: int = 500) -> Position:
    """Fold a projection again from the first fact and return the position reached.

    A live projector of the same name steps back meanwhile, or lends a hand; both fold the same facts to the same rows.
    Raises what folding raises.
    """
    await empty(source, projection)
    projector = Projector(source, Wake(), projection, limit=limit)
    while True:
        try:
            return await projector.catch_up()
        except Superseded:
            await asyncio.sleep(0.05)
