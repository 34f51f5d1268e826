"""How late a row follows its event, and how fast a projection catches up with a long log.

`python -m tests.bench.projection` writes `build/bench/projection.json`. The live figure is counted from the moment at
which the appender knows that its event is committed until the projector knows that its row is.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from contracts.envelope import Fact
from infra.bus import Bus
from infra.clock import SystemClock
from infra.eventlog import EventLog
from infra.projection import Projector, empty
from infra.tail import Wake
from tests.bench.ground import BenchGround, at_rate, fill, ground, relay_process
from tests.bench.rounds import Report, Run, Sample, interleave, sample_of

if TYPE_CHECKING:
    from infra.checkpoint import Connection

_CATCH_UP_EVENTS = 100_000
_ROWS = """
insert into view.tally (stream, version, at)
select * from unnest($1::text[], $2::int[], $3::bigint[])
on conflict (stream) do update set version = excluded.version, at = excluded.at
"""


class Tally:
    """One row per stream, as a list of plans has; one upsert per batch."""

    name = "tally"
    tables: Sequence[str] = ("view.tally",)
    types: frozenset[str] | None = None

    async def apply(self, conn: "Connection", facts: list[Fact]) -> None:
        newest = {fact.stream: fact for fact in facts}
        versions = [fact.version for fact in newest.values()]
        await conn.execute(_ROWS, list(newest), versions, [fact.at for fact in newest.values()])


class TimedProjector(Projector):
    """Tells when each fact's row was committed."""

    on_row: Callable[[int], None]

    async def _fold(self, facts: list[Fact]) -> None:
        await super()._fold(facts)
        for fact in facts:
            self.on_row(fact.position)


def live(projector: TimedProjector, log: EventLog, per_second: float) -> Run:
    clock = SystemClock()

    async def run(seconds: float) -> Sample:
        committed: dict[int, int] = {}
        rows: dict[int, int] = {}
        projector.on_row = lambda position: rows.update({position: clock.now()})
        begin = time.perf_counter()
        await at_rate(log, per_second, seconds, lambda position: committed.update({position: clock.now()}))
        while committed.keys() - rows.keys():
            await asyncio.sleep(0.005)
        elapsed = time.perf_counter() - begin
        return sample_of([max(0, rows[position] - at) / 1e6 for position, at in committed.items()], elapsed)

    return run


def reading(log: EventLog) -> Run:
    """The floor of a catch-up: reading the same facts and doing nothing with them."""

    async def run(_: float) -> Sample:
        begin, position = time.perf_counter(), 0
        while facts := await log.read_after(position, 500):
            position = facts[-1].position
        return Sample(position / (time.perf_counter() - begin))

    return run


def catch_up(log: EventLog) -> Run:
    async def run(_: float) -> Sample:
        await empty(log, Tally())
        begin = time.perf_counter()
        position = await Projector(log, Wake(), Tally()).catch_up()
        return Sample(position / (time.perf_counter() - begin))

    return run


async def bench(on: BenchGround) -> Report:
    report = Report()
    admin = await asyncpg.connect(on.dsn)
    await admin.execute("create table view.tally (stream text primary key, version int not null, at bigint not null)")
    await admin.close()
    log = await EventLog.open(on.dsn)
    wake = Wake()
    bus = Bus(on.nats.url, name="planner", **on.login("planner"))
    bus.on_wake(wake.set)
    await bus.start()
    await bus.wait_connected(5)
    projector = TimedProjector(log, wake, Tally())
    projector.on_row = lambda _: None
    async with relay_process(on):
        await asyncio.sleep(1.5)
        task = asyncio.create_task(projector.run())
        medians = await interleave(report, {f"live, {rate}/s": live(projector, log, rate) for rate in (50, 400)})
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    report.at_most("p99 from commit to row at 400/s, ms", 6.0, medians["live, 400/s"].p99_ms)
    await bus.stop()
    await fill(log, _CATCH_UP_EVENTS)
    medians = await interleave(report, {"read only": reading(log), "catch-up": catch_up(log)})
    report.at_least("projection catch-up, events per second", 100_000, medians["catch-up"].per_second)
    report.target("catch-up against reading alone", 0.5, "catch-up", "read only")
    await log.close()
    return report


async def main() -> None:
    async with ground() as on:
        report = await bench(on)
    report.write(Path(sys.argv[1] if len(sys.argv) > 1 else "build/bench/projection.json"))
    for name, figure in report.figures.items():
        print(f"{name}: {figure}")
    for target in report.targets:
        print(f"{'reached' if target.reached else 'MISSED'}: {target.name}: {target.seen} ({target.wanted})")


if __name__ == "__main__":
    asyncio.run(main())
