"""A database that says nothing (its machine is off, its disk hangs): nobody waits for ever, and it is used again after."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import asyncpg
import pytest

from infra.errors import Unavailable
from infra.eventlog import EventLog
from infra.identity import Identities
from infra.postgres import Pool, open_pool
from tests.support.appends import append_of
from tests.support.servers import Postgres
from tests.support.wait import PATIENCE_SECONDS, eventually

SHORT = 0.3
UNKNOWN = "gng_" + 43 * "x"


class Line:
    """The way to the server. While it is `silent`, connections are taken and bytes are swallowed."""

    def __init__(self, dsn: str) -> None:
        self._to = urlsplit(dsn)
        self._talking: set[asyncio.Task[None]] = set()
        self._open: list[asyncio.StreamWriter] = []
        self.port = 0
        self.silent = False

    @property
    def dsn(self) -> str:
        at = self._to.netloc.rpartition(":")[0]
        return self._to._replace(netloc=f"{at}:{self.port}").geturl()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, here = await asyncio.open_connection(self._to.hostname, self._to.port)
        self._open += [writer, here]
        self._talking |= {
            asyncio.create_task(self._pass_on(reader, here)),
            asyncio.create_task(self._pass_on(there, writer)),
        }

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while heard := await reader.read(65_536):
                if not self.silent:
                    writer.write(heard)
        writer.close()

    async def end(self) -> None:
        for task in self._talking:
            task.cancel()
        await asyncio.gather(*self._talking, return_exceptions=True)
        for writer in self._open:
            writer.transport.abort()
        await asyncio.sleep(0)  # a transport closes its socket in the next turn


@asynccontextmanager
async def line_to(dsn: str) -> AsyncIterator[Line]:
    line = Line(dsn)
    server = await asyncio.start_server(line.talk, "127.0.0.1", 0)
    line.port = server.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        server.close()
        await line.end()


async def one(pool: Pool) -> bool:
    with suppress(TimeoutError, OSError, asyncpg.InterfaceError, asyncpg.PostgresError):
        return bool(await pool.fetchval("select true"))
    return False


async def test_more_who_ask_than_there_are_connections_are_all_told_and_served_when_it_speaks_again(
    postgres: Postgres,
) -> None:
    dsns = await postgres.fresh_database()
    async with line_to(dsns.of("gateway")) as line:
        pool = await open_pool(line.dsn, size=2, patience_seconds=SHORT)
        assert await pool.fetchval("select 1") == 1
        line.silent = True
        asking = [pool.fetch("select 1") for _ in range(4)] + [pool.fetchrow("select 1"), pool.execute("select 1")]
        async with asyncio.timeout(PATIENCE_SECONDS):
            told = await asyncio.gather(*asking, return_exceptions=True)
        assert {type(one) for one in told} == {TimeoutError}
        line.silent = False
        await eventually(lambda: one(pool), what="the pool works again")
        pool.terminate()


async def test_who_writes_a_user_hears_that_the_database_is_away(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsns = await postgres.fresh_database()
    monkeypatch.setattr("infra.identity._PATIENCE_SECONDS", SHORT)
    async with line_to(dsns.of("gateway")) as line:
        pool = await open_pool(line.dsn, size=2, patience_seconds=SHORT)
        people = Identities(pool)
        await people.put_user("olivia", name="Olivia")
        line.silent = True
        for asked in (people.put_user("ben", name="Ben"), people.user("olivia"), people.authenticate(UNKNOWN)):
            with pytest.raises(Unavailable):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await asked
        line.silent = False
        await eventually(lambda: one(pool), what="the pool works again")
        pool.terminate()


async def test_a_reader_of_the_log_is_told_once_its_patience_is_over_and_waits_no_second_time(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsns = await postgres.fresh_database()
    monkeypatch.setattr("infra.eventlog.log._READ_SECONDS", SHORT)
    async with line_to(dsns.of("planner")) as line:
        log = await EventLog.open(line.dsn, patience_seconds=SHORT)
        await log.append(append_of("k1"))
        assert (await log.head()).position == 1
        asked: list[str] = []
        real = log.pool.fetch

        async def noting(query: str, *arguments: object, **named: object) -> object:
            asked.append(query)
            return await real(query, *arguments, **named)

        monkeypatch.setattr(log.pool, "fetch", noting)
        line.silent = True
        with pytest.raises(Unavailable):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await log.head()
        assert asked == []
        line.silent = False

        async def back() -> bool:
            with suppress(Unavailable):
                return (await log.head()).position == 1
            return False

        await eventually(back, what="the log is read again")
        await log.close()
