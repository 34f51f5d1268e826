"""What one append promises: once, whole, at the expected version, without harm to its neighbours in a batch."""

import asyncio
import random
from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from contracts.envelope import Fact, leaf_hash
from infra.errors import Corrupt
from infra.eventlog import Append, Appended, Conflict, EventLog, KeyReused, Seen
from infra.eventlog.batch import arguments, outcomes
from infra.eventlog.verify import verify
from infra.postgres import load_sql
from tests.support.appends import STREAM, append_of, stream_of
from tests.support.servers import Dsns, Postgres
from tests.support.wait import PATIENCE_SECONDS


@pytest_asyncio.fixture(loop_scope="session")
async def dsns(postgres: Postgres) -> Dsns:
    return await postgres.fresh_database()


@pytest_asyncio.fixture(loop_scope="session")
async def log(dsns: Dsns) -> AsyncIterator[EventLog]:
    log = await EventLog.open(dsns.of("planner"))
    yield log
    await log.close()


async def test_an_append_is_read_back_as_it_was_given(log: EventLog) -> None:
    command = msgspec.structs.replace(append_of("k1", events=2), cause=5, trace="00-ab", actor="user:zoë")
    assert await log.append(command) == Appended(2, 2, b"")
    facts = await log.read_stream(STREAM)
    assert [(f.position, f.version, f.ordinal, f.payload) for f in facts] == [
        (1, 1, 0, b'{"n":0}'),
        (2, 2, 1, b'{"n":1}'),
    ]
    assert {(f.actor, f.cause, f.trace, f.command_key, f.at) for f in facts} == {
        ("user:zoë", 5, "00-ab", "k1", command.at)
    }
    assert await log.read_after(0) == facts
    assert await log.read_stream(STREAM, after_version=1) == facts[1:]


async def test_the_leaf_hash_computed_in_sql_is_that_of_the_contract(log: EventLog) -> None:
    await log.append(msgspec.structs.replace(append_of("kö€𝄞", events=3, principal="user:ü"), cause=1))
    await log.append(append_of("k2", stream=stream_of(2)))
    facts = await log.read_after(0)
    assert len(facts) == 4
    assert [fact.leaf for fact in facts] == [leaf_hash(fact) for fact in facts]


async def test_a_repetition_gets_the_first_answer_also_after_the_stream_moved_on(log: EventLog) -> None:
    first = append_of("k1", answer=b"first")
    assert await log.append(first) == Appended(1, 1, b"first")
    await log.append(append_of("k2", expected=1))
    repeated = msgspec.structs.replace(first, expected=2, at=first.at + 1, answer=b"second")
    assert await log.append(repeated) == Seen(1, 1, b"first")
    assert await log.seen("user:alice", "k1", first.fingerprint) == Seen(1, 1, b"first")
    assert (await log.head()).position == 2


async def test_a_key_used_for_another_request_is_refused(log: EventLog) -> None:
    await log.append(append_of("k1", body="this"))
    other = append_of("k1", body="that", stream=stream_of(2))
    assert await log.append(other) == KeyReused()
    assert await log.seen("user:alice", "k1", other.fingerprint) == KeyReused()
    assert await log.read_stream(stream_of(2)) == []


async def test_the_same_key_of_two_principals_names_two_commands(log: EventLog) -> None:
    assert await log.append(append_of("k1")) == Appended(1, 1, b"")
    assert await log.append(append_of("k1", principal="user:bob", expected=1)) == Appended(2, 2, b"")


async def test_an_unknown_command_was_not_seen(log: EventLog) -> None:
    assert await log.seen("user:alice", "k1", b"") is None


@pytest.mark.parametrize("expected", [0, 1, 3])
async def test_a_wrong_expected_version_is_a_conflict_that_names_the_version_and_stores_nothing(
    log: EventLog, expected: int
) -> None:
    await log.append(append_of("k1", events=2))
    refused = append_of("k2", expected=expected)
    assert await log.append(refused) == Conflict(2)
    assert await log.seen("user:alice", "k2", refused.fingerprint) is None
    assert (await log.head()).position == 2


async def test_a_stream_that_does_not_exist_is_at_version_zero(log: EventLog) -> None:
    assert await log.append(append_of("k1", expected=4)) == Conflict(0)


async def test_a_conflict_does_not_harm_its_neighbours_in_the_batch(log: EventLog) -> None:
    await log.append(append_of("k0"))
    outcomes = await asyncio.gather(
        log.append(append_of("k1", stream=stream_of(1))),
        log.append(append_of("k2", expected=7)),
        log.append(append_of("k0")),
        log.append(append_of("k0", body="other")),
        log.append(append_of("k3", stream=stream_of(3), events=2)),
    )
    assert outcomes == [Appended(1, 2, b""), Conflict(1), Seen(1, 1, b""), KeyReused(), Appended(2, 4, b"")]
    assert [fact.command_key for fact in await log.read_after(0)] == ["k0", "k1", "k3", "k3"]


async def test_two_commands_of_one_stream_in_one_batch_follow_each_other_or_conflict(log: EventLog) -> None:
    outcomes = await asyncio.gather(
        log.append(append_of("k1", events=2)),
        log.append(append_of("k2", expected=2)),
        log.append(append_of("k3", expected=2)),
        log.append(append_of("k2", expected=2)),
    )
    assert outcomes == [Appended(2, 2, b""), Appended(3, 3, b""), Conflict(3), Seen(3, 3, b"")]


async def test_an_already_so_stores_its_key_and_no_event(log: EventLog) -> None:
    await log.append(append_of("k1"))
    already = append_of("k2", expected=1, events=0, answer=b"so")
    assert await log.append(already) == Appended(1, 1, b"so")
    await log.append(append_of("k3", expected=1))
    assert await log.append(already) == Seen(1, 1, b"so")
    assert [fact.command_key for fact in await log.read_after(0)] == ["k1", "k3"]


async def test_an_already_so_that_was_decided_on_an_old_version_is_a_conflict(log: EventLog) -> None:
    await log.append(append_of("k1"))
    assert await log.append(append_of("k2", expected=0, events=0)) == Conflict(1)
    assert await log.append(append_of("k3", stream=stream_of(9), events=0)) == Appended(0, 1, b"")


async def test_recorded_at_never_decreases_and_is_one_per_call(log: EventLog, dsns: Dsns) -> None:
    connection = await asyncpg.connect(dsns.admin)
    later = 4_000_000_000_000_000
    await connection.execute("update log.head set recorded_at = $1", later)
    await connection.close()
    await log.append(append_of("k1", events=3))
    assert {fact.recorded_at for fact in await log.read_after(0)} == {later}
    assert (await log.head()).recorded_at == later


async def test_an_append_that_stores_events_notifies_once_with_the_head(log: EventLog, dsns: Dsns) -> None:
    heard: list[str] = []
    done = asyncio.Event()

    def hear(*args: object) -> None:
        heard.append(str(args[-1]))
        if args[-1] == "3":
            done.set()

    listener = await asyncpg.connect(dsns.of("relay"))
    await listener.add_listener("gonogo_log", hear)
    await log.append(append_of("k1", events=2))
    await log.append(append_of("k2", expected=2, events=0))
    await log.append(append_of("k3", expected=2))
    await asyncio.wait_for(done.wait(), PATIENCE_SECONDS)
    await listener.close()
    assert heard == ["2", "3"]


async def test_reading_over_a_hole_is_refused_as_corruption(log: EventLog, dsns: Dsns) -> None:
    await log.append(append_of("k1", events=3))
    connection = await asyncpg.connect(dsns.admin)
    await connection.execute("set session_replication_role = replica; delete from log.event where position = 2")
    await connection.close()
    with pytest.raises(Corrupt, match="hole after position 0"):
        await log.read_after(0)
    assert [fact.position for fact in await log.read_after(2)] == [3]


@pytest.mark.parametrize("seed", range(6))
async def test_a_batch_has_the_outcomes_of_its_commands_one_by_one(
    log: EventLog, postgres: Postgres, seed: int
) -> None:
    chance = random.Random(seed)
    batches = [[_any_command(chance, rare=chance.choice((0.0, 0.05, 0.5))) for _ in range(12)] for _ in range(40)]
    alone = await EventLog.open((await postgres.fresh_database()).of("planner"))
    try:
        for batch in batches:
            wanted = [await alone.append(command) for command in batch]
            assert list(await asyncio.gather(*(log.append(command) for command in batch))) == wanted
        stored, one_by_one = await log.read_after(0, 10_000), await alone.read_after(0, 10_000)
    finally:
        await alone.close()
    assert len(stored) > 100
    assert [_without_time(fact) for fact in stored] == [_without_time(fact) for fact in one_by_one]
    assert [fact.leaf for fact in stored] == [leaf_hash(fact) for fact in stored]
    assert (await verify(log.pool)).sound


def _any_command(chance: random.Random, rare: float) -> Append:
    """Mostly a new stream or the one after; `rare` is the chance of a wrong version, of a used key, of no events."""
    number = chance.randrange(400) if chance.random() >= rare else chance.randrange(3)
    return append_of(
        f"k{chance.randrange(10**9) if chance.random() >= rare else chance.randrange(4)}",
        stream=stream_of(number),
        expected=0 if chance.random() >= rare else chance.randrange(4),
        events=chance.choice((1, 1, 2, 3)) if chance.random() >= rare else 0,
        body=str(chance.randrange(2)),
    )


def _without_time(fact: Fact) -> Fact:
    return msgspec.structs.replace(fact, recorded_at=0, leaf=b"")


async def test_a_stream_continued_before_it_is_begun_in_one_batch_is_a_conflict(log: EventLog) -> None:
    others = [append_of(f"o{n}", stream=stream_of(100 + n)) for n in range(6)]
    late, first = append_of("k2", expected=2), append_of("k1", events=2)
    outcomes = await asyncio.gather(*(log.append(command) for command in (*others, late, first)))
    assert outcomes[-2:] == [Conflict(0), Appended(2, 8, b"")]


async def test_an_odd_stream_name_in_a_batch_is_refused_by_the_database_too(dsns: Dsns) -> None:
    commands = [append_of(f"k{n}", stream=stream_of(n)) for n in range(8)]
    commands[5] = msgspec.structs.replace(commands[5], stream="plan-NOT")
    connection = await asyncpg.connect(dsns.of("planner"))
    with pytest.raises(asyncpg.PostgresError, match="does not read <category>-<hex digits>"):
        await connection.fetchrow(load_sql("infra.eventlog", "append"), *arguments(commands))
    assert await connection.fetchval("select count(*) from log.event") == 0
    await connection.close()


@pytest.mark.parametrize("together", [1, 8])
async def test_a_negative_version_is_a_conflict_however_many_commands_come_together(dsns: Dsns, together: int) -> None:
    commands = [append_of(f"k{n}", stream=stream_of(n), expected=-1) for n in range(together)]
    connection = await asyncpg.connect(dsns.of("planner"))
    record = await connection.fetchrow(load_sql("infra.eventlog", "append"), *arguments(commands))
    stored = await connection.fetchval("select count(*) from log.event")
    await connection.close()
    assert list(outcomes(commands, record)) == [Conflict(0)] * together
    assert stored == 0


async def test_close_sends_what_is_queued(dsns: Dsns) -> None:
    log = await EventLog.open(dsns.of("planner"))
    waiting = [asyncio.create_task(log.append(append_of(f"k{n}", stream=stream_of(n)))) for n in range(20)]
    await asyncio.sleep(0)
    await log.close()
    assert {type(outcome) for outcome in await asyncio.gather(*waiting)} == {Appended}


async def test_a_caller_that_gave_up_does_not_stop_the_others(log: EventLog) -> None:
    waiting = [asyncio.create_task(log.append(append_of(f"k{n}", stream=stream_of(n)))) for n in range(40)]
    await asyncio.sleep(0)
    for task in waiting[::2]:
        task.cancel()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes[1::2]} == {Appended}
    assert {type(outcome) for outcome in outcomes[::2]} == {asyncio.CancelledError}
