"""Positions are gap-free and final: a reader that goes on from the last position it saw never misses an event.

The detector that finds no skip in our log is shown to find the skip of a table numbered by a sequence.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import asyncpg

from infra.errors import Unavailable
from infra.eventlog import Append, Appended, Conflict, EventLog, Seen
from infra.eventlog.batch import arguments
from infra.eventlog.verify import verify
from infra.postgres import load_sql
from tests.support.appends import append_of, stream_of
from tests.support.servers import Dsns, Postgres
from tests.support.wait import eventually

APPEND = "append"
WRITERS = 16
OWN_APPENDS, SHARED_APPENDS = 30, 5


class SkipDetector:
    """Reads as every consumer does: after the last position it saw. What is stored but was never read was skipped."""

    def __init__(self, read_after: Callable[[int], Awaitable[Sequence[int]]]) -> None:
        self._read_after = read_after
        self.read: list[int] = []

    async def catch_up(self) -> int:
        """Reads what is there and returns how much it was."""
        positions = await self._read_after(self.read[-1] if self.read else 0)
        self.read.extend(positions)
        return len(positions)

    def skipped(self, stored: Sequence[int]) -> list[int]:
        assert self.read == sorted(set(self.read)), "read twice or out of order"
        return sorted(set(stored) - set(self.read))


def detector_of(log: EventLog) -> SkipDetector:
    async def read_after(position: int) -> list[int]:
        return [fact.position for fact in await log.read_after(position, limit=100)]

    return SkipDetector(read_after)


async def test_the_detector_finds_the_skip_of_a_table_numbered_by_a_sequence(postgres: Postgres) -> None:
    admin = (await postgres.fresh_database()).admin
    slow, quick = await asyncpg.connect(admin), await asyncpg.connect(admin)

    async def read_after(position: int) -> list[int]:
        rows = await quick.fetch("select position from naive where position > $1 order by position", position)
        return [row["position"] for row in rows]

    detector = SkipDetector(read_after)
    await quick.execute("create table naive (position bigserial primary key)")
    open_transaction = slow.transaction()
    await open_transaction.start()
    await slow.execute("insert into naive default values")
    await quick.execute("insert into naive default values")
    await detector.catch_up()
    await open_transaction.commit()
    await detector.catch_up()
    assert detector.skipped([row["position"] for row in await quick.fetch("select position from naive")]) == [1]
    await slow.close()
    await quick.close()


async def test_no_position_is_skipped_or_missing_under_sixteen_writers_with_rollbacks(postgres: Postgres) -> None:
    dsns = await postgres.fresh_database()
    logs = [await EventLog.open(dsns.of("planner"), pool_size=1) for _ in range(WRITERS)]
    detector = detector_of(logs[0])
    writing = asyncio.gather(
        *(write(log, writer) for writer, log in enumerate(logs)), *(roll_back(dsns, writer) for writer in range(4))
    )
    while not writing.done():
        await detector.catch_up()
    acknowledged = sum((await writing)[:WRITERS])
    while await detector.catch_up():
        pass
    assert acknowledged == WRITERS * (OWN_APPENDS + SHARED_APPENDS)
    assert detector.read == list(range(1, acknowledged + 1))
    verification = await verify(logs[0].pool)
    assert verification.sound, verification.findings[:5]
    assert verification.events == acknowledged
    for log in logs:
        await log.close()


async def write(log: EventLog, writer: int) -> int:
    """Appends to a stream of its own and to one that all share; returns how many events were acknowledged."""
    acknowledged = 0
    for number in range(OWN_APPENDS):
        own = append_of(f"{writer}/{number}", stream=stream_of(writer), expected=number)
        acknowledged += isinstance(await answer(log, own), Appended | Seen)
    version = 0
    for number in range(SHARED_APPENDS):
        while True:
            shared = append_of(f"{writer}/s/{number}", stream=stream_of(999), expected=version)
            outcome = await answer(log, shared)
            version = outcome.version
            if not isinstance(outcome, Conflict):
                acknowledged += 1
                break
    return acknowledged


async def answer(log: EventLog, command: Append) -> Appended | Seen | Conflict:
    """What the log says, asked again where it asks for that: who stands still with the lock has others give it up."""
    while True:
        with suppress(Unavailable):
            outcome = await log.append(command)
            assert isinstance(outcome, Appended | Seen | Conflict), outcome
            return outcome


async def roll_back(dsns: Dsns, writer: int) -> int:
    """Draws positions and gives them back, again and again."""
    connection = await asyncpg.connect(dsns.of("planner"))
    for number in range(10):
        transaction = connection.transaction()
        await transaction.start()
        command = append_of(f"r{writer}/{number}", stream=stream_of(10_000 + writer), events=3)
        with suppress(asyncpg.LockNotAvailableError):  # somebody stood still with it
            await connection.fetch(load_sql("infra.eventlog", APPEND), *arguments([command]))
        await transaction.rollback()
    await connection.close()
    return 0


async def test_a_stuck_transaction_of_others_hides_no_event(postgres: Postgres) -> None:
    """Where readers stop at the oldest running transaction, one forgotten session anywhere stalls everybody."""
    dsns = await postgres.fresh_database()
    stuck = [await asyncpg.connect(dsns.admin), await asyncpg.connect(postgres.admin_dsn)]
    for connection in stuck:
        await connection.execute("create temporary table work (n int)")
        await connection.execute("begin")
        await connection.execute("insert into work values (1)")
        assert await connection.fetchval("select pg_current_xact_id_if_assigned() is not null")
    log = await EventLog.open(dsns.of("planner"))
    detector = detector_of(log)
    for number in range(20):
        await log.append(append_of(f"k{number}", stream=stream_of(number)))
        assert await detector.catch_up() == 1
    for connection in stuck:
        await connection.execute("rollback")
        await connection.close()
    assert await detector.catch_up() == 0
    assert detector.skipped(range(1, 21)) == []
    await log.close()


async def test_a_reader_between_two_appends_of_slow_and_quick_writers_misses_neither(postgres: Postgres) -> None:
    """The naive table's failure, tried on the log: the second writer waits instead of overtaking."""
    dsns = await postgres.fresh_database()
    slow = await asyncpg.connect(dsns.of("planner"))
    log = await EventLog.open(dsns.of("planner"))
    detector = detector_of(log)
    await slow.execute("set idle_in_transaction_session_timeout = 0")  # however slow
    transaction = slow.transaction()
    await transaction.start()
    await slow.fetch(load_sql("infra.eventlog", APPEND), *arguments([append_of("slow", stream=stream_of(1))]))
    quick = asyncio.create_task(answer(log, append_of("quick", stream=stream_of(2))))
    watcher = await asyncpg.connect(dsns.admin)
    waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted and database = "
    waiting += "(select oid from pg_database where datname = current_database())"
    await eventually(lambda: watcher.fetchval(waiting), what="the quick writer waits")
    assert await detector.catch_up() == 0
    await transaction.commit()
    assert await quick == Appended(1, 2, b"")
    await detector.catch_up()
    assert detector.read == [1, 2]
    for connection in (slow, watcher):
        await connection.close()
    await log.close()
