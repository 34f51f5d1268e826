"""What an append costs, beside a bare one-row INSERT, beside other event stores, from many processes, and on a large log.

Alone: `python -m tests.bench.append [result.json]`, on the embedded PostgreSQL. Read the ratios.
"""

import asyncio
import multiprocessing
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import uvloop

from infra.embedded.folder import DataFolder
from infra.embedded.postgres import PostgresServer
from infra.eventlog import Append, Appended, Draft, EventLog
from infra.eventlog.verify import verify
from infra.ids import random_id
from infra.migrate import migrate
from tests.bench.peers import eventsourcing, eventsourcing_is_installed, message_db, message_db_files
from tests.bench.rounds import Report, Run, Sample, callers, interleave
from tests.support.servers import PASSWORDS, Dsns

PAYLOAD = b'{"text":"' + b"x" * 289 + b'"}'
FINGERPRINT = b"f" * 32
EVENTS_PER_STREAM = 10
SMALL, LARGE = 10_000, 1_000_000
PROCESSES = 6


class Commands:
    """Makes commands of one 300-byte event each: every caller fills a stream of ten, then begins the next."""

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(6)
        self._made = 0
        self._streams: dict[int, tuple[str, int]] = {}

    def next(self, caller: int) -> Append:
        self._made += 1
        stream, version = self._streams.get(caller, ("", EVENTS_PER_STREAM))
        if version == EVENTS_PER_STREAM:
            stream, version = f"plan-{self._prefix}{self._made:012x}", 0
        self._streams[caller] = stream, version + 1
        return Append(
            stream=stream,
            expected=version,
            principal="user:alice",
            key=f"{self._prefix}-{self._made:024d}",
            fingerprint=FINGERPRINT,
            events=(Draft("plan.created.v1", PAYLOAD),),
            at=1_700_000_000_000_000,
            actor="user:alice",
            channel="api",
        )


def appending(log: EventLog, count: int) -> Run:
    """`count` callers of one log."""

    async def run(seconds: float) -> Sample:
        commands = Commands()

        async def one(caller: int) -> None:
            outcome = await log.append(commands.next(caller))
            assert isinstance(outcome, Appended), outcome

        return await callers(count, seconds, one)

    return run


@asynccontextmanager
async def bare_insert(dsn: str, connections: int) -> AsyncIterator[Run]:
    """The least that storing a row can cost: a prepared INSERT, one connection per caller, nothing checked."""
    opened = [await asyncpg.connect(dsn) for _ in range(connections)]
    await opened[0].execute(
        "create table if not exists public.bare (id bigserial primary key, stream text, version int, payload bytea)"
    )
    insert = "insert into public.bare (stream, version, payload) values ($1, $2, $3)"
    statements = [await connection.prepare(insert) for connection in opened]

    async def one(caller: int) -> None:
        await statements[caller].fetch("plan-68b7ec363306e52e21b2dbe6", 1, PAYLOAD)

    yield lambda seconds: callers(connections, seconds, one)
    for connection in opened:
        await connection.close()


async def bench_append(dsns: Dsns, admin_dsn: str, report: Report, *, rounds: int = 3, seconds: float = 2.0) -> None:
    """Fills `report`. `dsns` is a fresh migrated database; more are made beside it, and dropped, through `admin_dsn`."""
    await _beside_others(dsns, admin_dsn, report, rounds, seconds)
    await _from_processes(dsns, report, rounds, seconds)
    await _on_a_large_log(dsns, admin_dsn, report, rounds, seconds)


async def _beside_others(dsns: Dsns, admin_dsn: str, report: Report, rounds: int, seconds: float) -> None:
    files = await message_db_files()
    async with AsyncExitStack() as stack:
        log = await EventLog.open(dsns.of("planner"))
        stack.push_async_callback(log.close)
        runs = {
            "bare_insert_1": await stack.enter_async_context(bare_insert(dsns.admin, 1)),
            "bare_insert_32": await stack.enter_async_context(bare_insert(dsns.admin, 32)),
            **{f"append_{count}": appending(log, count) for count in (1, 32, 256)},
        }
        if files is None:
            report.remark("message-db was left out: npm or its package is not to be had here")
        else:
            beside = await stack.enter_async_context(database(admin_dsn, "bench_message_db"))
            runs["message_db_32"] = await stack.enter_async_context(message_db(beside, files, 32))
        if eventsourcing_is_installed():
            beside = await stack.enter_async_context(database(admin_dsn, "bench_eventsourcing"))
            runs["eventsourcing_32"] = await stack.enter_async_context(eventsourcing(beside, 32))
        else:
            report.remark("eventsourcing was left out: it, psycopg or psycopg_pool is not installed")
        await interleave(report, runs, rounds=rounds, seconds=seconds)
        verification = await verify(log.pool)
        assert verification.sound, verification.findings[:3]
    report.remark(f"the log was verified afterwards: {verification.events} events, no finding")
    report.target("append 32 callers / bare INSERT 32", 1.1, "append_32", "bare_insert_32")
    report.target("append 256 callers / bare INSERT 32", 1.5, "append_256", "bare_insert_32")
    if "message_db_32" in runs:
        report.target("append 32 / message-db 32", 6.0, "append_32", "message_db_32")
    if "eventsourcing_32" in runs:
        report.target("append 32 / eventsourcing 32", 10.0, "append_32", "eventsourcing_32")


async def _from_processes(dsns: Dsns, report: Report, rounds: int, seconds: float) -> None:
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as processes:

        def of(count: int) -> Run:
            async def run(seconds: float) -> Sample:
                loop = asyncio.get_running_loop()
                begin = time.monotonic() + 1.5
                work = (
                    loop.run_in_executor(processes, _one_process, dsns.of("planner"), begin, seconds)
                    for _ in range(count)
                )
                taken = await asyncio.gather(*work)
                return Sample(
                    sum(sample.per_second for sample in taken),
                    max(sample.p50_ms for sample in taken),
                    max(sample.p99_ms for sample in taken),
                )

            return run

        await of(PROCESSES)(0.2)  # every process has imported and connected once
        await interleave(
            report,
            {"append_1_process_32": of(1), f"append_{PROCESSES}_processes_32": of(PROCESSES)},
            rounds=rounds,
            seconds=seconds,
        )
    name = f"{PROCESSES} processes x 32 / one process x 32"
    report.target(name, 0.9, f"append_{PROCESSES}_processes_32", "append_1_process_32")


def _one_process(dsn: str, begin: float, seconds: float) -> Sample:
    async def run() -> Sample:
        log = await EventLog.open(dsn, pool_size=1)
        await asyncio.sleep(max(0.0, begin - time.monotonic()))
        sample = await appending(log, 32)(seconds)
        await log.close()
        return sample

    return uvloop.run(run())


async def _on_a_large_log(dsns: Dsns, admin_dsn: str, report: Report, rounds: int, seconds: float) -> None:
    async with AsyncExitStack() as stack:
        runs: dict[str, Run] = {}
        for size in (SMALL, LARGE):
            admin = await stack.enter_async_context(database(admin_dsn, f"bench_append_{size}"))
            await migrate(admin, {})
            await _fill(admin, size)
            planner = urlunsplit(urlsplit(dsns.of("planner"))._replace(path=urlsplit(admin).path))
            log = await EventLog.open(planner)
            stack.push_async_callback(log.close)
            await appending(log, 32)(0.3)  # plans made, pages read
            runs[f"append_32_on_{size}"] = appending(log, 32)
            runs[f"read_plan_on_{size}"] = await _reading_a_plan(log)
        await interleave(report, runs, rounds=rounds, seconds=seconds)
    name = f"append 32 on a log of {LARGE} / of {SMALL} commands"
    report.target(name, 0.8, f"append_32_on_{LARGE}", f"append_32_on_{SMALL}")
    name = f"read of a plan from a log of {LARGE} / of {SMALL} events"
    report.target(name, 0.8, f"read_plan_on_{LARGE}", f"read_plan_on_{SMALL}")


async def _reading_a_plan(log: EventLog) -> Run:
    """One caller reads a plan of 17 events again and again."""
    stream, draft = f"plan-{random_id()}", Draft("plan.cancelled.v1", b'{"reason":"' + b"x" * 280 + b'"}')
    key = random_id()
    await log.append(Append(stream, 0, "bench", key, bytes(32), (draft,) * 17, 1, "bench", "bench"))
    # The planner may append this type; what it means is of no account here.
    return lambda seconds: callers(1, seconds, lambda _: log.read_stream(stream))


async def _fill(dsn: str, size: int) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute((Path(__file__).parent / "fill_log.sql").read_text(), size, timeout=600)
    await connection.execute("vacuum analyze", timeout=600)
    await connection.execute("checkpoint", timeout=600)
    await connection.close()


@asynccontextmanager
async def database(admin_dsn: str, name: str) -> AsyncIterator[str]:
    """An empty database beside the others, dropped afterwards."""
    admin = await asyncpg.connect(admin_dsn)
    await admin.execute(f"drop database if exists {name} with (force)")
    await admin.execute(f"create database {name}")
    yield urlunsplit(urlsplit(admin_dsn)._replace(path=f"/{name}"))
    await admin.execute(f"drop database if exists {name} with (force)")
    await admin.close()


async def _measure(admin_dsn: str, path: Path) -> None:
    report = Report()
    try:
        async with database(admin_dsn, "bench_append") as fresh:
            await migrate(fresh, PASSWORDS)
            await bench_append(Dsns(fresh), admin_dsn, report)
    finally:
        report.write(path)
    for target in report.targets:
        verdict = "reached" if target.reached else "MISSED "
        print(f"{verdict} {target.name}: {target.seen} (wanted {target.wanted}) {target.by_round}")


async def _alone(path: Path) -> None:
    """The server is started from the standard loop (uvloop starts no child as another user), measured from uvloop."""
    root = Path(tempfile.mkdtemp(prefix="gonogo-bench-"))
    folder = DataFolder.open(root)
    server = PostgresServer(folder)
    await server.start()
    try:
        await asyncio.to_thread(uvloop.run, _measure(server.admin_dsn("postgres"), path))
    finally:
        await server.stop()
        folder.close()
        shutil.rmtree(root)


if __name__ == "__main__":
    asyncio.run(_alone(Path(sys.argv[1] if len(sys.argv) > 1 else "build/bench/append.json")))
