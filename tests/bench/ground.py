"""The servers and the relay that a bench runs on: embedded, in a folder of their own, each in its own process."""

import asyncio
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from infra.embedded.folder import DataFolder
from infra.embedded.nats import NatsServer
from infra.embedded.postgres import PostgresServer
from infra.embedded.secrets import SERVICES
from infra.eventlog import Append, Appended, Draft, EventLog
from infra.ids import random_id
from infra.migrate import migrate
from tests.support.servers import with_user

PAYLOAD = b'{"name":"' + b"n" * 230 + b'"}'


class BenchGround(msgspec.Struct, frozen=True):
    """Running servers. `dsn` is the superuser's, `of(service)` a service's own."""

    dsn: str
    nats: NatsServer

    def of(self, service: str) -> str:
        return with_user(self.dsn, f"gonogo_{service}", service)

    def login(self, user: str) -> dict[str, str]:
        return {"user": user, "password": self.nats.users[user]}


@asynccontextmanager
async def ground() -> AsyncIterator[BenchGround]:
    """Starts a migrated PostgreSQL and a NATS, and removes them with their data."""
    path = Path(tempfile.mkdtemp(prefix="gonogo-bench-"))
    folder = DataFolder.open(path)
    postgres, nats = PostgresServer(folder), NatsServer(folder)
    try:
        await asyncio.gather(postgres.start(), nats.start())
        dsn = postgres.admin_dsn("postgres")
        await migrate(dsn, {service: service for service in SERVICES})
        yield BenchGround(dsn, nats)
    finally:
        await asyncio.gather(postgres.stop(), nats.stop())
        folder.close()
        shutil.rmtree(path)


@asynccontextmanager
async def relay_process(on: BenchGround, **settings: str) -> AsyncIterator[None]:
    """The relay as it is run, in a process of its own."""
    environ = {
        **os.environ,
        "GONOGO_DATABASE_URL": on.of("relay"),
        "GONOGO_NATS_URL": on.nats.url,
        "GONOGO_NATS_USER": "relay",
        "GONOGO_NATS_PASSWORD": on.nats.users["relay"],
        **settings,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.relay", env=environ, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


def command(events: int = 1) -> Append:
    """A new stream with so many events of about 300 bytes."""
    key = random_id()
    return Append(
        stream=f"plan-{key}",
        expected=0,
        principal="bench",
        key=key,
        fingerprint=hashlib.sha256(key.encode()).digest(),
        events=(Draft("plan.created.v1", PAYLOAD),) * events,
        at=1_700_000_000_000_000,
        actor="bench",
        channel="bench",
    )


async def fill(log: EventLog, events: int) -> None:
    """Appends until the log holds so many."""
    while (missing := events - (await log.head()).position) > 0:
        await asyncio.gather(*(log.append(command(10)) for _ in range(min(100, (missing + 9) // 10))))


async def at_rate(log: EventLog, per_second: float, seconds: float, on_commit: Callable[[int], None]) -> None:
    """Appends single events at a fixed rate, not waiting for one before the next; tells the position of each."""

    async def one() -> None:
        outcome = await log.append(command())
        assert isinstance(outcome, Appended)
        on_commit(outcome.last)

    loop = asyncio.get_running_loop()
    begin = loop.time()
    async with asyncio.TaskGroup() as tasks:
        for number in range(int(per_second * seconds)):
            await asyncio.sleep(max(0.0, begin + number / per_second - loop.time()))
            tasks.create_task(one())
