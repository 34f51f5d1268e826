"""Concurrent reads are gathered into one query, and nobody can tell from the answers."""

import asyncio

import asyncpg
import pytest

from contracts.envelope import Fact
from infra.errors import Unavailable
from infra.eventlog import Appended, EventLog
from tests.support.appends import append_of, foldable, stream_of
from tests.support.servers import Postgres

READERS = 200


async def filled(postgres: Postgres) -> EventLog:
    """A log of 20 streams; stream n has n % 5 + 1 events."""
    log = await EventLog.open((await postgres.fresh_database()).of("planner"), pool_size=2)
    outcomes = await asyncio.gather(
        *(log.append(append_of(f"k{n}", stream=stream_of(n), events=n % 5 + 1)) for n in range(20))
    )
    assert {type(outcome) for outcome in outcomes} == {Appended}
    return log


async def test_each_of_many_concurrent_readers_gets_its_own_stream(postgres: Postgres) -> None:
    log = await filled(postgres)
    alone = {number: await log.read_stream(stream_of(number)) for number in range(21)}
    together = await asyncio.gather(*(log.read_stream(stream_of(number % 21)) for number in range(READERS)))
    assert together == [alone[number % 21] for number in range(READERS)]
    assert [len(alone[number]) for number in (0, 4, 19, 20)] == [1, 5, 5, 0]
    await log.close()


async def test_concurrent_readers_of_one_stream_each_begin_where_they_asked(postgres: Postgres) -> None:
    log = await filled(postgres)
    together = await asyncio.gather(*(log.read_stream(stream_of(4), after_version=n % 6) for n in range(30)))
    assert [[fact.version for fact in found] for found in together] == [list(range(n % 6 + 1, 6)) for n in range(30)]
    await log.close()


async def test_a_reader_sees_what_it_was_told_is_stored_also_among_many(postgres: Postgres) -> None:
    log = await filled(postgres)

    async def append_and_read(number: int) -> int:
        stream = stream_of(1_000 + number)
        await log.append(append_of(f"own{number}", stream=stream, events=2))
        return len(await log.read_stream(stream))

    assert set(await asyncio.gather(*(append_and_read(number) for number in range(100)))) == {2}
    await log.close()


async def test_a_reader_that_gave_up_does_not_stop_the_others(postgres: Postgres) -> None:
    log = await filled(postgres)
    reading = [asyncio.create_task(log.read_stream(stream_of(number % 20))) for number in range(40)]
    await asyncio.sleep(0)
    for task in reading[::2]:
        task.cancel()
    found = await asyncio.gather(*reading, return_exceptions=True)
    assert all(isinstance(facts, list) and facts for facts in found[1::2])
    await log.close()


async def test_readers_whose_connections_were_killed_read_again_on_new_ones(postgres: Postgres) -> None:
    dsns = await postgres.fresh_database()
    log = await EventLog.open(dsns.of("planner"))
    await log.append(append_of("k1", stream=stream_of(1)))
    admin = await asyncpg.connect(dsns.admin)
    kill = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'gonogo_planner'"
    for _ in range(5):
        reading = asyncio.gather(*(log.read_stream(stream_of(1)) for _ in range(30)), return_exceptions=True)
        await admin.execute(f"{kill} and datname = current_database()")
        for found in await reading:
            assert isinstance(found, Unavailable) or [fact.command_key for fact in found] == ["k1"]
    assert len(await log.read_stream(stream_of(1))) == 1
    await admin.close()
    await log.close()


async def test_readers_of_an_absent_database_each_hear_unavailable(postgres: Postgres) -> None:
    log = await filled(postgres)
    await postgres.kill()
    try:
        found = await asyncio.gather(*(log.read_stream(stream_of(1)) for _ in range(5)), return_exceptions=True)
        assert [type(outcome) for outcome in found] == [Unavailable] * 5
        assert len({id(outcome) for outcome in found}) == 5
        with pytest.raises(Unavailable):
            await log.head()
    finally:
        await postgres.start()
    await log.close()


async def test_many_who_fold_at_once_each_get_their_own_stream(postgres: Postgres) -> None:
    log = await filled(postgres)

    async def read(number: int) -> list[Fact]:
        return [fact async for page in log.read_pages(stream_of(number), number % 3) for fact in page]

    together = await asyncio.gather(*(read(number % 20) for number in range(100)))
    for number, found in enumerate(together):
        whole = await log.read_stream(stream_of(number % 20), number % 20 % 3)
        assert found == [foldable(fact) for fact in whole]
    await log.close()
