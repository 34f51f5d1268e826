"""Readiness with a database that neither answers nor goes away: its machine is frozen, or the network between is cut."""

import asyncio
from types import SimpleNamespace
from typing import cast
from urllib.parse import urlsplit, urlunsplit

from infra.bus import Bus
from infra.postgres import open_pool
from services.gateway.health import Health
from tests.support.servers import Postgres
from tests.support.unruly import Unruly
from tests.support.wait import eventually


class Wire:
    """Carries bytes to a server and back, until it is `cut`: from then on it carries none and says nothing."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self.whole = asyncio.Event()
        self.whole.set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(*self._server)
        try:
            await asyncio.gather(self._carry(reader, to_server), self._carry(from_server, writer))
        finally:
            to_server.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while some := await reader.read(65_536):
            await self.whole.wait()
            writer.write(some)
        writer.close()


async def test_a_database_that_falls_silent_makes_the_gateway_not_ready_until_it_speaks_again(
    postgres: Postgres,
) -> None:
    dsn = urlsplit((await postgres.fresh_database()).of("gateway"))
    wire = Wire(dsn.hostname or "", dsn.port or 0)
    async with Unruly(wire) as proxy:
        there = f"{dsn.username}:{dsn.password}@127.0.0.1:{proxy.port}"
        pool = await open_pool(urlunsplit(dsn._replace(netloc=there)), size=2)
        health = Health(pool, cast("Bus", SimpleNamespace(connected=True)), 5_000)
        looking = asyncio.create_task(health.run())
        try:
            await eventually(lambda: not health.reasons, what="ready")
            wire.whole.clear()
            await eventually(lambda: "the database does not answer" in health.reasons, what="not ready")
            wire.whole.set()
            await eventually(lambda: not health.reasons, what="ready again")
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            wire.whole.set()
            pool.terminate()
