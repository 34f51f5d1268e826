"""A stream read for folding: the same facts whatever the pages, rows or columns, and no hole passes."""

import asyncio

import asyncpg
import pytest

from contracts.envelope import Fact
from infra.errors import Corrupt
from infra.eventlog import EventLog
from infra.eventlog.pages import SIZES, PagedStreams
from tests.support.appends import append_of, foldable, stream_of
from tests.support.servers import Postgres
from tests.support.wait import PATIENCE_SECONDS

STREAM = stream_of(4)


async def of_length(postgres: Postgres, length: int) -> EventLog:
    log = await EventLog.open((await postgres.fresh_database()).admin, pool_size=2)
    for start in range(0, length, 500):
        await log.append(append_of(f"k{start}", stream=STREAM, expected=start, events=min(500, length - start)))
    return log


async def whole_of(log: EventLog) -> list[Fact]:
    return [foldable(fact) for fact in await log.read_stream(STREAM)]


@pytest.mark.parametrize(
    ("sizes", "lengths"),
    [((2,), [2, 2, 1]), ((5,), [5]), ((1,), [1] * 5), ((9,), [5]), ((1, 3), [1, 3, 1]), ((2, 3, 7), [2, 3])],
)
async def test_pages_are_joined_without_a_hole_and_end_where_the_stream_ends(
    postgres: Postgres, sizes: tuple[int, ...], lengths: list[int]
) -> None:
    log = await of_length(postgres, 5)
    pages = [page async for page in PagedStreams(log.fetch).read(STREAM, 0, sizes)]
    assert [len(page) for page in pages] == lengths
    assert [fact for page in pages for fact in page] == await whole_of(log)
    await log.close()


async def test_reading_begins_where_it_was_asked_to(postgres: Postgres) -> None:
    log = await of_length(postgres, 5)
    whole = await whole_of(log)
    assert [page async for page in log.read_pages(STREAM, 3)] == [whole[3:]]
    assert [page async for page in PagedStreams(log.fetch).read(STREAM, 1, (2, 1))] == [
        whole[1:3],
        whole[3:4],
        whole[4:],
    ]
    assert [page async for page in log.read_pages(stream_of(20))] == []
    await log.close()


@pytest.mark.parametrize("more", [-1, 0, 1])
async def test_a_long_stream_comes_whole_where_a_page_ends_just_so(postgres: Postgres, more: int) -> None:
    log = await of_length(postgres, sum(SIZES) + more)
    assert [fact async for page in log.read_pages(STREAM) for fact in page] == await whole_of(log)
    await log.close()


async def test_a_hole_in_a_page_is_told_and_not_stepped_over(postgres: Postgres) -> None:
    log = await of_length(postgres, 9)
    await _lose(log, version=5)
    with pytest.raises(Corrupt, match=f"the stream {STREAM} has a hole between the versions 2 and 9"):
        _ = [page async for page in PagedStreams(log.fetch).read(STREAM, 0, (2, 7))]
    await log.close()


async def _lose(log: EventLog, *, version: int) -> None:
    """What no role of a service can do."""
    connection: asyncpg.Connection[asyncpg.Record]
    async with log.pool.acquire() as connection, connection.transaction():
        await connection.execute("set local session_replication_role = replica")
        await connection.execute("delete from log.event where stream = $1 and version = $2", STREAM, version)


async def test_who_has_had_enough_of_a_stream_leaves_no_query_behind(postgres: Postgres) -> None:
    log = await of_length(postgres, 5)
    pages = PagedStreams(log.fetch).read(STREAM, 0, (1,))
    assert len(await anext(pages)) == 1
    await pages.aclose()
    await asyncio.wait_for(log.close(), PATIENCE_SECONDS)
