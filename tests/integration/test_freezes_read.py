"""How freezes are read: orders that come one after the other share a look, and no answered change escapes one."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest_asyncio

from contracts.freeze import Freeze, FreezePut
from contracts.registry import encode
from infra.eventlog import Append, Appended, Draft, EventLog
from infra.freezes import Freezes, settled
from infra.ids import random_id
from tests.support.servers import Postgres

START, END = datetime.fromisoformat("2026-03-28T12:00"), datetime.fromisoformat("2026-03-29T12:00")


@pytest_asyncio.fixture(loop_scope="session")
async def log(postgres: Postgres) -> AsyncIterator[EventLog]:
    one = await EventLog.open((await postgres.fresh_database()).of("planner"))
    yield one
    await one.close()


class Looks:
    """Counts the queries."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.count = 0

    async def fetch(self, query: str, *arguments: object) -> list[Any]:
        self.count += 1
        return await self._log.fetch(query, *arguments)


async def put(log: EventLog) -> str:
    one = random_id()
    freeze = Freeze(name="weekend", start=START, end=END, zone="UTC")
    event = (Draft(*encode(FreezePut(freeze=freeze))),)
    done = await log.append(Append(f"freeze-{one}", 0, "user:ada", one, bytes(32), event, 1, "user:ada", "http"))
    assert isinstance(done, Appended)
    return one


async def test_a_change_that_has_settled_is_seen_by_whoever_looked_just_before_it(log: EventLog) -> None:
    freezes = Freezes(log.fetch)
    assert await freezes.read() == {}
    one = await put(log)
    await settled()
    assert set(await freezes.read()) == {one}


async def test_a_change_that_a_follower_saw_is_read_at_once(log: EventLog) -> None:
    looks = Looks(log)
    freezes = Freezes(looks.fetch)
    before = set(await freezes.read())
    one = await put(log)
    freezes.observe(await log.read_after((await log.head()).position - 1))
    assert set(await freezes.read()) - before == {one}
    assert looks.count == 2


async def test_orders_at_the_same_moment_share_a_look(log: EventLog) -> None:
    looks = Looks(log)
    freezes = Freezes(looks.fetch)
    await freezes.read()
    for _ in range(100):
        await freezes.read()
    assert looks.count < 100
