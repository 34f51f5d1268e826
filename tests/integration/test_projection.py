"""Projections on a real log: the same rows live and rebuilt, each fact once, one projector at a time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest_asyncio

from contracts.envelope import Fact
from infra.eventlog import EventLog
from infra.projection import Projector, rebuild
from infra.tail import Wake
from tests.support.appends import append_of, stream_of
from tests.support.facts import append, cut
from tests.support.servers import Dsns, Postgres
from tests.support.wait import ended, eventually

if TYPE_CHECKING:
    from infra.checkpoint import Connection

Start = Callable[..., Projector]


class Tally:
    """Counts per stream, with a digest that depends on the order of its facts."""

    name = "tally"
    tables: Sequence[str] = ("view.tally",)
    types: frozenset[str] | None = None

    def __init__(self) -> None:
        self.refuse: int | None = None
        """A position that this projection cannot fold."""

    async def apply(self, conn: "Connection", facts: list[Fact]) -> None:
        if any(fact.position == self.refuse for fact in facts):
            raise KeyError(f"cannot fold {self.refuse}")
        for fact in facts:
            await conn.execute(
                """insert into view.tally (stream, facts, digest) values ($1, 1, $2)
                on conflict (stream) do update set facts = tally.facts + 1,
                    digest = encode(sha256((tally.digest || excluded.digest)::bytea), 'hex')""",
                fact.stream,
                fact.leaf.hex(),
            )


@pytest_asyncio.fixture
async def dsns(postgres: Postgres) -> Dsns:
    dsns = await postgres.fresh_database()
    admin = await asyncpg.connect(dsns.admin)
    await admin.execute("set role gonogo_owner")
    await admin.execute("create table view.tally (stream text primary key, facts int not null, digest text not null)")
    await admin.close()
    return dsns


@pytest_asyncio.fixture
async def log(dsns: Dsns) -> AsyncIterator[EventLog]:
    log = await EventLog.open(dsns.admin, any_history=True)
    yield log
    await log.close()


@pytest_asyncio.fixture
async def start(dsns: Dsns) -> AsyncIterator[Callable[..., Awaitable[Projector]]]:
    """Starts projectors as the audit service, each with a log of its own."""
    tasks: list[asyncio.Task[None]] = []
    logs: list[EventLog] = []

    async def start(projection: Tally | None = None, **more: Any) -> Projector:
        source = await EventLog.open(dsns.of("audit"))
        logs.append(source)
        tally = projection or Tally()
        projector = Projector(source, Wake(), tally, poll_seconds=0.02, standby_seconds=0.1, limit=50, **more)
        tasks.append(asyncio.create_task(projector.run()))
        return projector

    yield start
    await ended(*tasks)
    await asyncio.gather(*(log.close() for log in logs))


async def rows(log: EventLog) -> list[tuple[object, ...]]:
    return [tuple(row) for row in await log.pool.fetch("select * from view.tally order by stream")]


async def checkpoint(log: EventLog) -> int:
    return int(await log.pool.fetchval("select position from view.checkpoint where name = 'tally'") or 0)


async def at_the_head(log: EventLog) -> None:
    head = (await log.head()).position

    async def there() -> bool:
        return await checkpoint(log) == head

    await eventually(there, what=f"the checkpoint at {head}")


async def test_live_rows_and_rebuilt_rows_are_the_same(
    log: EventLog, dsns: Dsns, start: Callable[..., Awaitable[Projector]]
) -> None:
    await append(log, 130)
    await start()
    for count in (1, 3, 70):
        await append(log, count)
        await at_the_head(log)
    live = await rows(log)
    assert sum(int(str(row[1])) for row in live) == 204
    for limit in (1, 7, 500):
        assert await rebuild(log, Tally(), limit=limit) == 204
        assert await rows(log) == live


async def test_a_projector_goes_on_after_a_rebuild_beside_it(
    log: EventLog, start: Callable[..., Awaitable[Projector]]
) -> None:
    await start()
    await append(log, 60)
    await at_the_head(log)
    await rebuild(log, Tally())
    await append(log, 60)
    await at_the_head(log)
    live = await rows(log)
    await rebuild(log, Tally())
    assert await rows(log) == live


async def test_of_two_projectors_one_steps_back_and_no_fact_is_folded_twice(
    log: EventLog, start: Callable[..., Awaitable[Projector]]
) -> None:
    pair = await asyncio.gather(start(), start())
    for _ in range(10):
        await append(log, 20)
    await at_the_head(log)
    await eventually(lambda: sum(projector.standing_by for projector in pair) == 1)
    live = await rows(log)
    await rebuild(log, Tally())
    assert await rows(log) == live


async def test_a_projector_that_stood_by_takes_over_when_the_other_is_gone(
    log: EventLog, dsns: Dsns, start: Callable[..., Awaitable[Projector]]
) -> None:
    source = await EventLog.open(dsns.of("audit"))
    first = Projector(source, Wake(), Tally(), poll_seconds=0.02)
    task = asyncio.create_task(first.run())
    second = await start()
    await append(log, 10)
    await at_the_head(log)
    for _ in range(3):
        await append(log, 10)
    await at_the_head(log)
    await ended(task)
    await source.close()
    await append(log, 10)
    await at_the_head(log)
    assert second.position == 50


async def test_a_fact_that_cannot_be_folded_stops_the_projection_before_it_and_is_named(
    log: EventLog, start: Callable[..., Awaitable[Projector]]
) -> None:
    projection = Tally()
    projection.refuse = 23
    await append(log, 40)
    projector = await start(projection)
    await eventually(lambda: projector.stuck is not None)
    assert "23" in str(projector.stuck)
    assert await checkpoint(log) == 22
    assert sum(int(str(row[1])) for row in await rows(log)) == 22
    projection.refuse = None
    await at_the_head(log)
    assert projector.stuck is None


async def test_a_killed_database_costs_no_fact_and_folds_none_twice(
    log: EventLog, start: Callable[..., Awaitable[Projector]], postgres: Postgres
) -> None:
    await start()
    await append(log, 300)
    await postgres.kill()
    await postgres.start()
    await append(log, 30)
    await at_the_head(log)
    live = await rows(log)
    await rebuild(log, Tally())
    assert await rows(log) == live


async def test_a_projection_ahead_of_a_restored_log_starts_again(
    log: EventLog, dsns: Dsns, start: Callable[..., Awaitable[Projector]]
) -> None:
    await rebuild(log, Tally())
    await append(log, 80)
    await rebuild(log, Tally())
    await cut(dsns, 30)
    await start()
    await at_the_head(log)
    live = await rows(log)
    assert sum(int(str(row[1])) for row in live) == 30
    await rebuild(log, Tally())
    assert await rows(log) == live


class OfOtherThings(Tally):
    """Nothing that the tests append changes anything in it, but for one type."""

    types = frozenset({"plan.cancelled.v1"})

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[list[str]] = []

    async def apply(self, conn: "Connection", facts: list[Fact]) -> None:
        self.seen.append([fact.type for fact in facts])


async def test_facts_that_change_nothing_are_passed_over_and_the_checkpoint_follows_when_it_is_quiet(
    log: EventLog, start: Callable[..., Awaitable[Projector]]
) -> None:
    projection = OfOtherThings()
    await start(projection)
    for _ in range(5):
        await append(log, 10)
    await at_the_head(log)
    assert projection.seen == []


async def test_a_fact_that_changes_something_is_folded_at_once_behind_those_that_were_passed_over(
    log: EventLog, start: Callable[..., Awaitable[Projector]]
) -> None:
    projection = OfOtherThings()
    projector = await start(projection)
    await append(log, 10)
    await eventually(lambda: projector.position == 10, what="passed over")
    await log.append(append_of("end", stream=stream_of(7), event_type="plan.cancelled.v1"))
    await eventually(lambda: projection.seen == [["plan.cancelled.v1"]], what="folded")
    assert await checkpoint(log) == 11


class OfAll(Tally):
    """Keeps how many facts came at once."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    async def apply(self, conn: "Connection", facts: list[Fact]) -> None:
        self.sizes.append(len(facts))


NO_HURRY: dict[str, Any] = {"may_wait": frozenset({"plan.created.v1"}), "wait_seconds": 3_600}


async def test_facts_that_may_wait_are_folded_together_with_the_first_that_may_not(
    log: EventLog, start: Callable[..., Awaitable[Projector]]
) -> None:
    projection = OfAll()
    projector = await start(projection, **NO_HURRY)
    for _ in range(3):
        await append(log, 5)
    assert projector.position == 0
    await log.append(append_of("end", stream=stream_of(7), event_type="plan.cancelled.v1"))
    await at_the_head(log)
    assert projection.sizes == [16]


async def test_no_more_facts_wait_than_are_folded_at_once(
    log: EventLog, start: Callable[..., Awaitable[Projector]]
) -> None:
    projection = OfAll()
    await start(projection, **NO_HURRY)
    await append(log, 40)
    await append(log, 30)

    async def most_are_folded() -> bool:
        return await checkpoint(log) >= 50

    await eventually(most_are_folded, what="the checkpoint")
    assert sum(projection.sizes) == await checkpoint(log)


async def test_facts_that_may_wait_are_folded_though_nothing_follows_them(
    log: EventLog, start: Callable[..., Awaitable[Projector]]
) -> None:
    await start(OfAll(), **NO_HURRY | {"wait_seconds": 0.05})
    await append(log, 10)
    await at_the_head(log)
