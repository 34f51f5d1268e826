"""The kept connection: one query at a time, the pool for all others, and never a dead connection twice."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from infra.kept import Kept
from infra.postgres import open_pool
from tests.support.servers import Postgres

PID = "select pg_backend_pid() as pid"


@pytest_asyncio.fixture(loop_scope="session")
async def pool(postgres: Postgres) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    one = await open_pool((await postgres.fresh_database()).admin, size=4)
    yield one
    await one.close()


async def pid(kept: Kept) -> int:
    return int((await kept.fetch(PID, timeout_seconds=10))[0]["pid"])


async def test_queries_one_after_the_other_use_one_connection(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    kept = Kept(pool)
    assert await pid(kept) == await pid(kept)
    await kept.close()


async def test_a_query_that_comes_meanwhile_takes_another_connection(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    kept = Kept(pool)
    ours = await pid(kept)
    found = await asyncio.gather(*(pid(kept) for _ in range(3)))
    assert found[0] == ours
    assert ours not in found[1:]
    await kept.close()


async def test_a_connection_that_died_is_used_by_nobody_again(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    kept = Kept(pool)
    ours = await pid(kept)
    await pool.execute("select pg_terminate_backend($1, 10000)", ours)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await pid(kept)
    assert await pid(kept) != ours
    await kept.close()


async def test_a_table_that_changed_under_a_prepared_statement_is_read_as_it_is_now(
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    kept = Kept(pool)
    await pool.execute("create table changing (a int); insert into changing values (1)")
    read = "select * from changing"
    assert [tuple(row) for row in await kept.fetch(read, timeout_seconds=10)] == [(1,)]
    await pool.execute("alter table changing add column b text default 'new'")
    assert [tuple(row) for row in await kept.fetch(read, timeout_seconds=10)] == [(1, "new")]
    await kept.close()


async def test_a_query_that_is_given_up_leaves_no_connection_behind(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    kept = Kept(pool)
    for _ in range(6):  # more than the pool has
        with pytest.raises(TimeoutError):
            await kept.fetch("select pg_sleep(30)", timeout_seconds=0.05)
    assert await pid(kept)
    await kept.close()
    assert pool.get_idle_size() == pool.get_size()


async def test_closing_waits_for_the_query_under_way_and_keeps_nothing_from_the_pool(
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    kept = Kept(pool)
    slow = asyncio.create_task(kept.fetch("select 7 as seven from pg_sleep(0.2)", timeout_seconds=10))
    while pool.get_idle_size() == pool.get_size():
        await asyncio.sleep(0)
    await kept.close()
    assert (await slow)[0]["seven"] == 7
    assert await pid(kept)
    assert pool.get_idle_size() == pool.get_size()
