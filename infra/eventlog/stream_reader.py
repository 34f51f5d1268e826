"""Reads streams: alone when nobody else reads, together in one query when many do.

No timer and no standing task: the first reader goes straight to the database, and who comes meanwhile is gathered into
the next query. So a single reader pays nothing, and 32 get 1.2 to 1.8 times as much done. It caches nothing: every read
sees the log as it is now.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import asyncpg

from contracts.envelope import Fact, Version
from infra.errors import Unavailable
from infra.postgres import load_sql

_TOGETHER = 128

Fetch = Callable[..., Awaitable[list[asyncpg.Record]]]
Rows = Sequence[Any]


class Shape(NamedTuple):
    """What is read of each event: the queries for one stream and for many, and the facts made of a stream's rows."""

    one: str
    many: str
    facts: Callable[[str, Rows], list[Fact]]


def whole() -> Shape:
    """All that the log has."""
    return Shape(
        load_sql("infra.eventlog", "read_stream"),
        load_sql("infra.eventlog", "read_streams"),
        lambda _, rows: [Fact(*row) for row in rows],
    )


def for_folding() -> Shape:
    """What states follow from. Keys, causes, traces, hashes and the time of recording are left empty: no fold asks for them."""
    return Shape(load_sql("infra.eventlog", "fold_stream"), load_sql("infra.eventlog", "fold_streams"), _foldable)


def _foldable(stream: str, rows: Rows) -> list[Fact]:
    return [
        Fact(position, stream, version, kind, at, 0, actor, channel, "", 0, None, "", payload, b"")
        for position, version, kind, at, actor, channel, payload in rows
    ]


class StreamReader:
    """`fetch` runs a query and raises Unavailable when it cannot."""

    def __init__(self, fetch: Fetch, shape: Shape) -> None:
        self._fetch = fetch
        self._one, self._many, self._facts = shape
        self._reading_alone = False
        self._queue: list[tuple[str, Version, int | None, asyncio.Future[list[Fact]]]] = []
        self._gathering: asyncio.Task[None] | None = None

    async def read(self, stream: str, after_version: Version, limit: int | None = None) -> list[Fact]:
        """The events of `stream` above `after_version`, in order, at most `limit`. Raises Unavailable."""
        if self._gathering is None and not self._reading_alone:
            self._reading_alone = True
            try:
                return self._facts(stream, await self._fetch(self._one, stream, after_version, limit))
            finally:
                self._reading_alone = False
        found: asyncio.Future[list[Fact]] = asyncio.get_running_loop().create_future()
        self._queue.append((stream, after_version, limit, found))
        if self._gathering is None:
            self._gathering = asyncio.create_task(self._gather(), name="event log stream reader")
        return await found

    async def close(self) -> None:
        """Lets the reads under way finish."""
        if self._gathering is not None:
            await asyncio.wait([self._gathering])

    async def _gather(self) -> None:
        try:
            while self._queue:
                batch, self._queue = self._queue[:_TOGETHER], self._queue[_TOGETHER:]
                try:
                    streams, after, limits, _ = zip(*batch, strict=True)
                    found = await self._read_together(streams, after, limits)
                except Exception as error:
                    for *_, future in batch:
                        if not future.done():
                            future.set_exception(_own_copy(error))
                    continue
                for (*_, future), facts in zip(batch, found, strict=True):
                    if not future.done():
                        future.set_result(facts)
        finally:
            self._gathering = None

    async def _read_together(
        self, streams: Sequence[str], after: Sequence[Version], limits: Sequence[int | None]
    ) -> list[list[Fact]]:
        found: list[list[Sequence[Any]]] = [[] for _ in streams]
        for record in await self._fetch(self._many, streams, after, limits):
            found[record[-1] - 1].append(record[:-1])
        return [self._facts(stream, rows) for stream, rows in zip(streams, found, strict=True)]


def _own_copy(error: Exception) -> Exception:
    """Each reader adds its own traceback, so they must not share one exception."""
    return Unavailable(error.what, error.retry_after_seconds) if isinstance(error, Unavailable) else error
