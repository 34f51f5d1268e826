"""Services inside the test's own process, on the real servers, and a client that asks them by the bus."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from contracts.commands import SERVICE_OF, Accepted, Actor, AnyCommand, Denied, Reply, Request
from contracts.subjects import category_of
from infra.bus import Bus
from infra.config import Secret, Settings
from infra.ids import random_id
from infra.requests import decode_reply, encode_request, fingerprint_of
from tests.support.servers import Dsns, Nats, Postgres
from tests.support.wait import PATIENCE_SECONDS

S = TypeVar("S", bound=Settings)


class Apps:
    """One fresh database, the session's NATS, and the services that a test starts on them."""

    def __init__(self, dsns: Dsns, nats: Nats, data: Path, stack: AsyncExitStack) -> None:
        self.dsns = dsns
        self._nats = nats
        self._data = data
        self._stack = stack
        self.traces_to = ""
        login = nats.login("gateway")
        self.bus = Bus(nats.url, name="test", **login)

    def settings(self, service: str, kind: type[S], **more: Any) -> S:
        """The settings with which a service finds the test's servers."""
        login = self._nats.login(service)
        return kind(
            database_url=Secret(self.dsns.of(service)),
            nats_url=self._nats.url,
            nats_user=login.get("user", ""),
            nats_password=Secret(login.get("password", "")),
            data=self._data,
            otel_exporter_otlp_endpoint=self.traces_to,
            **more,
        )

    async def start(
        self, service: str, kind: type[S], build: Callable[[S], AbstractAsyncContextManager[Any]], **more: Any
    ) -> Any:
        """Start a service; it is stopped when the test ends. Returns what its `build` opened."""
        return await self._stack.enter_async_context(build(self.settings(service, kind, **more)))

    async def ask(
        self, command: AnyCommand, actor: Actor, *, at: int, key: str = "", if_match: int | None = None
    ) -> Reply:
        """Send a command and wait for its answer. Without a key it is a new command each time."""
        key = key or random_id()
        request = Request(command, actor, key, fingerprint_of(actor.id, command), at, if_match)
        # Much longer than anything takes: sent again, a command is told so, and a test that counts would see two.
        body = encode_request(request)
        return decode_reply(await self.bus.request(SERVICE_OF[type(command)], body, timeout=PATIENCE_SECONDS))

    async def accepted(self, command: AnyCommand, actor: Actor, **more: Any) -> Accepted:
        """As `ask`, and it must be accepted."""
        reply = await self.ask(command, actor, **more)
        assert isinstance(reply, Accepted), reply
        return reply

    async def refused(self, command: AnyCommand, actor: Actor, **more: Any) -> Denied:
        """As `ask`, and it must be refused."""
        reply = await self.ask(command, actor, **more)
        assert isinstance(reply, Denied), reply
        return reply


@asynccontextmanager
async def open_apps(postgres: Postgres, nats: Nats, data: Path) -> AsyncIterator[Apps]:
    """Apps on a fresh database."""
    async with AsyncExitStack() as stack:
        apps = Apps(await postgres.fresh_database(), nats, data, stack)
        await apps.bus.start()
        stack.push_async_callback(apps.bus.stop)
        yield apps
        await _every_event_stands_where_it_is_described(apps.dsns)


async def _every_event_stands_where_it_is_described(dsns: Dsns) -> None:
    """The subject of an event follows from its stream: what `contracts/asyncapi.json` says of it must hold in every test."""
    connection = await asyncpg.connect(dsns.admin)
    try:
        rows = await connection.fetch("select distinct split_part(stream, '-', 1) as category, type from log.event")
    finally:
        await connection.close()
    astray = [(row["category"], row["type"]) for row in rows if row["category"] != category_of(row["type"])]
    assert not astray, f"events in streams of another category: {astray}"
