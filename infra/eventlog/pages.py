"""A stream for folding, page by page, each on its way while the caller works on the one before.

Most streams fit into the first page, which `StreamReader` reads together with those of others. A long stream goes on a
column at a time, in pages that grow: the caller waits for a small one only, and asking again costs little beside the rest.
"""

from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from contextlib import aclosing
from itertools import chain, count, repeat
from typing import Any

from contracts.envelope import Fact, Position, Version
from infra.ahead import ahead
from infra.errors import Corrupt
from infra.eventlog.stream_reader import Fetch, StreamReader, for_folding
from infra.postgres import load_sql

SIZES = (200, 300, 450, 700, 1_000)
"""Events in the first pages; the last size is that of all others. However large its events, a page is far below 1 GB, the
most that PostgreSQL puts into one array."""


class PagedStreams:
    """`fetch` runs a query and raises Unavailable when it cannot. `heard` is told the last position of each page."""

    def __init__(self, fetch: Fetch, heard: Callable[[Position], object] = bool) -> None:
        self._fetch = fetch
        self._heard = heard
        self._first = StreamReader(fetch, for_folding())
        self._columns = load_sql("infra.eventlog", "fold_columns")

    async def read(
        self, stream: str, after_version: Version, sizes: Sequence[int] = SIZES
    ) -> AsyncGenerator[list[Fact]]:
        """The pages, none empty. No more than two are held, and the loop is not kept for long. Raises Unavailable, Corrupt."""
        limits: Iterator[int] = chain(sizes, repeat(sizes[-1]))
        asked = next(limits)
        first = await self._first.read(stream, after_version, asked)
        if len(first) < asked:  # as most are: nothing more is set up for it
            if first:
                self._heard(first[-1].position)
                yield first
            return

        def following(page: list[Fact]) -> Coroutine[Any, Any, list[Fact]] | None:
            nonlocal asked
            if len(page) < asked:
                return None
            asked = next(limits)
            return self._page(stream, page[-1].version, asked)

        async with aclosing(ahead(first, following)) as pages:
            async for page in pages:
                if page:
                    self._heard(page[-1].position)
                    yield page

    async def close(self) -> None:
        """Lets the reads under way finish."""
        await self._first.close()

    async def _page(self, stream: str, after_version: Version, limit: int) -> list[Fact]:
        positions, types, times, actors, channels, payloads, last = (
            await self._fetch(self._columns, stream, after_version, limit)
        )[0]
        if not positions:
            return []
        if last != after_version + len(positions):
            raise Corrupt(f"the stream {stream} has a hole between the versions {after_version} and {last}")
        nothing, zero = repeat(""), repeat(0)
        return list(
            map(
                Fact,
                *(positions, repeat(stream), count(after_version + 1), types, times, zero, actors, channels),
                *(nothing, zero, repeat(None), nothing, payloads, repeat(b"")),
            )
        )
