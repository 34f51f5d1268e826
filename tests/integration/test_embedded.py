"""The embedded servers: data survive, crashes heal, folders are guarded."""

import asyncpg

from tests.support.servers import Nats, Postgres


async def test_each_fresh_database_is_its_own(postgres: Postgres) -> None:
    first, second = await postgres.empty_database(), await postgres.empty_database()
    connection = await asyncpg.connect(first, ssl=False)
    await connection.execute("create table mark (n int)")
    await connection.close()
    connection = await asyncpg.connect(second, ssl=False)
    assert await connection.fetchval("select to_regclass('mark')") is None
    await connection.close()


async def test_nats_fresh_has_no_streams(nats: Nats) -> None:
    import nats as client

    await nats.fresh()
    connection = await client.connect(nats.url, **nats.login("relay"))
    assert await connection.jsm().streams_info() == []
    await connection.close()
