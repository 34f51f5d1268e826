"""`verify` finds every kind of damage, each planted here as a superuser would, and nothing in a sound log."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from infra.eventlog import EventLog
from infra.eventlog.verify import verify
from tests.support.appends import append_of, stream_of
from tests.support.servers import Dsns, Postgres

EMPTY_COMMAND = "insert into log.command values ('u', 'late', '', 'plan-1', 1, 99, 0, '')"
VERSION_OF = "update log.event set version = {} where position = {}"
SWAPPED = "; ".join(VERSION_OF.format(version, position) for version, position in ((20, 4), (2, 5), (3, 4)))
DAMAGE = [
    ("delete from log.event where position = 4", 5, "a hole: the position before it is 3"),
    ("delete from log.event where position = 6", 5, "the head says position 6"),
    (VERSION_OF.format(9, 3), 3, "version 9 of"),
    (VERSION_OF.format(0, 1), 1, "version 0 of"),
    (VERSION_OF.format(2**31 - 1, 5), 6, f"follows version {2**31 - 1}"),
    (SWAPPED, 4, "version 3 of"),
    (SWAPPED, 5, "version 2 of"),
    (SWAPPED, 6, "version 4 of"),
    ("update log.event set stream = 'plan-0' where position = 4", 4, "version 2 of plan-0 follows version 0"),
    ("update log.event set stream = 'plan-0' where position = 4", 5, "follows version 1"),
    ("update log.event set stream = 'plan-0' where position = 4", 0, "stream plan-0 has events and no stream row"),
    ("update log.event set payload = 'x' where position = 2", 2, "leaf hash"),
    ("update log.event set leaf = 'x' where position = 2", 2, "leaf hash"),
    ("update log.event set actor = 'user:mallory' where position = 2", 2, "leaf hash"),
    ("update log.event set recorded_at = 1 where position = 5", 5, "recorded_at is earlier"),
    ("update log.head set position = 7", 6, "the head says position 7"),
    ("update log.head set recorded_at = 1", 6, "the head says position 6 at 1"),
    ("delete from log.head", 0, "no head"),
    ("delete from log.command where key = 'k2'", 3, "no command row owns the event"),
    ("delete from log.command where last = 6", 6, "no command row owns the event"),
    ("update log.command set key = 'other' where key = 'k2'", 3, "are not those of its command row"),
    ("update log.command set version = 5 where key = 'k2'", 3, "are not those of its command row"),
    ("update log.command set events = 1 where key = 'k1'", 1, "no command row owns the event"),
    ("update log.command set events = 1, last = 9 where key = 'k4'", 9, "command k4 has 0 of its 1 events"),
    (EMPTY_COMMAND, 99, "without events ends after the end"),
    ("update log.stream set version = 7 where stream like '%1'", 0, "says version 7, its events 2"),
    ("delete from log.stream where stream like '%1'", 0, "has events and no stream row"),
    ("insert into log.stream values ('plan-ff', 1)", 0, "says version 1, its events 0"),
]


@pytest_asyncio.fixture(loop_scope="session")
async def dsns(postgres: Postgres) -> Dsns:
    return await postgres.fresh_database()


@pytest_asyncio.fixture(loop_scope="session")
async def log(dsns: Dsns) -> AsyncIterator[EventLog]:
    """Six events in two streams: k1 (1-2), k2 (3), k3 (4-6), and k4 without events."""
    log = await EventLog.open(dsns.of("planner"))
    await log.append(append_of("k1", stream=stream_of(1), events=2))
    await log.append(append_of("k2", stream=stream_of(2)))
    await log.append(append_of("k3", stream=stream_of(2), expected=1, events=3))
    await log.append(append_of("k4", stream=stream_of(2), expected=4, events=0))
    yield log
    await log.close()


async def test_a_sound_log_has_no_findings(log: EventLog) -> None:
    verification = await verify(log.pool)
    assert verification.sound
    assert (verification.events, verification.streams, verification.commands) == (6, 2, 4)


async def test_an_empty_log_is_sound(dsns: Dsns) -> None:
    log = await EventLog.open(dsns.of("audit"))
    assert (await verify(log.pool)).sound
    await log.close()


@pytest.mark.parametrize(("damage", "position", "what"), DAMAGE, ids=[damage for damage, _, _ in DAMAGE])
async def test_planted_damage_is_found_where_it_is(
    log: EventLog, dsns: Dsns, damage: str, position: int, what: str
) -> None:
    connection = await asyncpg.connect(dsns.admin)
    await connection.execute("set session_replication_role = replica")
    assert await connection.execute(damage) not in ("UPDATE 0", "DELETE 0")
    await connection.close()
    findings = (await verify(log.pool)).findings
    assert [found for found in findings if what in found.what and position in (0, found.position)], findings
