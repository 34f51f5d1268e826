"""The real PostgreSQL and NATS that the tests run on.

In this order: servers named in `GONOGO_TEST_DATABASE_URL` (a superuser's) and `GONOGO_TEST_NATS_URL`; containers, where
a Docker engine answers (unless `GONOGO_TEST_SERVERS=embedded`); the embedded servers. pytest's header says which. One of
each per session; a database per test.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
import msgspec
import nats as nats_client
import psutil
import pytest
import pytest_asyncio

from infra.embedded.folder import DataFolder
from infra.embedded.nats import NatsServer
from infra.embedded.postgres import PostgresServer
from infra.embedded.secrets import SERVICES
from infra.embedded.users import RELAY
from infra.ids import random_id

PASSWORDS: Mapping[str, str] = {service: f"{service}-test" for service in SERVICES}
"""Fixed, so that test sessions that share a named server do not change each other's passwords."""


class Dsns(msgspec.Struct, frozen=True):
    """One database: the superuser's address, and each service's own."""

    admin: str

    def of(self, service: str) -> str:
        return with_user(self.admin, f"gonogo_{service}", PASSWORDS[service])


class Control(Protocol):
    """Stops and starts the server under test. Only for servers that this session started."""

    async def restart(self) -> None: ...
    async def kill(self) -> None: ...
    async def lose(self) -> None: ...
    async def start(self) -> None: ...


class Postgres:
    """A PostgreSQL server of the session."""

    def __init__(self, admin_dsn: str, control: Control | None) -> None:
        self.admin_dsn = admin_dsn
        self._control = control
        self._template = ""

    async def empty_database(self) -> str:
        """The superuser's address of a new, empty database."""
        return await self._create(f"test_{random_id()}", "")

    async def fresh_database(self) -> Dsns:
        """A new migrated database: a copy of one that was migrated once in this session."""
        if not self._template:
            from infra.migrate import migrate

            name = f"template_{random_id()}"
            await migrate(await self._create(name, ""), PASSWORDS)
            self._template = name
        return Dsns(await self._create(f"test_{random_id()}", f" template {self._template}"))

    async def kill(self) -> None:
        """SIGKILL; `start()` brings it back on the same port."""
        await self._controlled().kill()

    async def start(self) -> None:
        await self._controlled().start()

    async def restart(self) -> None:
        await self._controlled().restart()

    def _controlled(self) -> Control:
        if self._control is None:
            pytest.skip("the PostgreSQL server named in the environment is not ours to stop")
        return self._control

    async def _create(self, name: str, options: str) -> str:
        connection = await asyncpg.connect(self.admin_dsn, ssl=False)
        try:
            await connection.execute(f"create database {name}{options}")
        finally:
            await connection.close()
        return with_database(self.admin_dsn, name)


class Nats:
    """A NATS server of the session, with JetStream. `users` is empty where everybody may do everything."""

    def __init__(self, url: str, users: Mapping[str, str], control: Control | None) -> None:
        self.url = url
        self.users = users
        self._control = control

    def login(self, user: str) -> dict[str, str]:
        """Keyword arguments for `nats.connect` (and FastStream's broker): `user` and `password`, or none."""
        return {"user": user, "password": self.users[user]} if self.users else {}

    async def fresh(self) -> str:
        """Deletes what earlier tests left in JetStream and returns the address."""
        connection = await nats_client.connect(self.url, **self.login(RELAY))
        try:
            manager = connection.jsm()
            for stream in await manager.streams_info():
                await manager.delete_stream(str(stream.config.name))
        finally:
            await connection.close()
        return self.url

    async def kill(self) -> None:
        """SIGKILL; `start()` brings it back on the same port."""
        await self._controlled().kill()

    async def lose(self) -> None:
        """SIGKILL, and all that it had stored is gone; `start()` brings it back empty, on the same port."""
        await self._controlled().lose()

    async def start(self) -> None:
        await self._controlled().start()

    async def restart(self) -> None:
        await self._controlled().restart()

    def _controlled(self) -> Control:
        if self._control is None:
            pytest.skip("the NATS server named in the environment is not ours to stop")
        return self._control


class EmbeddedControl:
    """`store` is where the server keeps what it has."""

    def __init__(self, server: PostgresServer | NatsServer, store: Path) -> None:
        self._server = server
        self._store = store

    async def start(self) -> None:
        await self._server.start()

    async def kill(self) -> None:
        """Returns when its children have ended, too: PostgreSQL's live a moment longer, and might still answer."""
        child = self._server.child
        children = psutil.Process(child.pid).children(recursive=True) if child is not None else []
        await self._server.kill()
        await asyncio.to_thread(psutil.wait_procs, children)

    async def lose(self) -> None:
        await self.kill()
        await asyncio.to_thread(shutil.rmtree, self._store)

    async def restart(self) -> None:
        await self._server.stop()
        await self._server.start()


@pytest.fixture(scope="session")
def data_folder() -> Iterator[DataFolder]:
    """The folder of the session's embedded servers."""
    # Not under pytest's own folder: as root, PostgreSQL's account must be able to enter every parent.
    path = Path(tempfile.mkdtemp(prefix="gonogo-test-"))
    folder = DataFolder.open(path)
    yield folder
    folder.close()
    shutil.rmtree(path)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres(request: pytest.FixtureRequest) -> AsyncIterator[Postgres]:
    if named := os.environ.get("GONOGO_TEST_DATABASE_URL"):
        yield Postgres(named, None)
    elif docker_answers():
        from tests.support.containers import postgres_container

        async with postgres_container() as (dsn, control):
            yield Postgres(dsn, control)
    else:
        # Killed processes lose nothing without fsync, only a power failure would; hundreds of databases are made quicker.
        folder: DataFolder = request.getfixturevalue("data_folder")
        server = PostgresServer(folder, settings={"fsync": "off"})
        await server.start()
        yield Postgres(server.admin_dsn("postgres"), EmbeddedControl(server, folder.postgres))
        await server.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def nats(request: pytest.FixtureRequest) -> AsyncIterator[Nats]:
    if named := os.environ.get("GONOGO_TEST_NATS_URL"):
        yield Nats(named, {}, None)
    elif docker_answers():
        from tests.support.containers import nats_container

        async with nats_container() as (url, users, control):
            yield Nats(url, users, control)
    else:
        folder: DataFolder = request.getfixturevalue("data_folder")
        server = NatsServer(folder)
        await server.start()
        yield Nats(server.url, server.users, EmbeddedControl(server, folder.nats / "store"))
        await server.stop()


def pytest_configure(config: pytest.Config) -> None:
    """Docker's proxy accepts connections for a server that is not there: nats-py, and Docker's own client, leave the sockets
    of such attempts to the collector, in a test and after the last one."""
    if docker_answers():
        for category in (ResourceWarning, pytest.PytestUnraisableExceptionWarning):
            config.addinivalue_line("filterwarnings", f"ignore::{category.__module__}.{category.__qualname__}")
            warnings.simplefilter("ignore", category)


def pytest_report_header() -> str:
    return servers_used()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if terminalreporter.verbosity < 0:  # quiet: the header was not shown
        terminalreporter.write_line(servers_used())


def servers_used() -> str:
    """Which servers the tests run on, for pytest's header."""
    fallback = "containers" if docker_answers() else "embedded"
    postgres_from = "GONOGO_TEST_DATABASE_URL" if os.environ.get("GONOGO_TEST_DATABASE_URL") else fallback
    nats_from = "GONOGO_TEST_NATS_URL" if os.environ.get("GONOGO_TEST_NATS_URL") else fallback
    return f"servers: PostgreSQL {postgres_from}, NATS {nats_from}"


@cache
def docker_answers() -> bool:
    if os.environ.get("GONOGO_TEST_SERVERS") == "embedded" or shutil.which("docker") is None:
        return False
    try:
        asked = subprocess.run(
            ["docker", "version", "-f", "{{.Server.Version}}"], capture_output=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


def with_user(dsn: str, user: str, password: str) -> str:
    parts = urlsplit(dsn)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user)}:{quote(password)}@{host}"))


def with_database(dsn: str, database: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))
