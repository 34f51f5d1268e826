"""Hooks: many due at once to receivers of which some hang and some refuse, one when idle, and memory over very many.

The dispatcher is a process of its own, as are the relay that wakes it, the receivers and the floor, a bare aiohttp client
that posts as many bodies of
the same size to the healthy receivers with the same concurrency. Each round has a fresh dispatcher and fresh endpoints, so
that no breaker is open before it begins. `python -m tests.bench.deliveries` writes `build/bench/deliveries.json`; a number
after the file's name says over how many deliveries memory is watched.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import msgspec
import psutil

from contracts.delivery import EndpointPut
from contracts.plan_events import Event, PlanCreated
from contracts.registry import encode
from contracts.seal import seal_of
from infra.config import Secret
from infra.embedded.ports import free_port
from infra.eventlog import Append, Appended, Draft, EventLog
from infra.ids import derived_id, random_id
from infra.keystore import KeyStore
from infra.postgres import open_pool
from infra.requests import fingerprint_of
from tests.bench.ground import BenchGround, ground, relay_process
from tests.bench.hook_floor import Arrival
from tests.bench.rounds import Report, Run, Sample, interleave, sample_of
from tests.support.builders import content

HEALTHY, HANGING, REFUSING = 40, 5, 5
HOOKS = 20
"""To each of the 50: 1,000 deliveries."""
CONCURRENCY = 64
MASTER = "ab" * 32
SECRET = "endpoint/bench"
_MEBI = 1024 * 1024


class Receivers:
    """The receivers' process."""

    def __init__(self, process: asyncio.subprocess.Process, healthy: list[int], hanging: list[int]) -> None:
        self._process = process
        self.healthy = healthy
        self.hanging = hanging

    async def arrived(self) -> list[Arrival]:
        """What came since it was asked last."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        return [(one, at) for one, at in json.loads(await self._process.stdout.readline())]

    async def all_arrived(self, count: int, *, within_seconds: float = 120) -> dict[str, float]:
        """The first arrival of each delivery, once there are so many."""
        found: dict[str, float] = {}
        async with asyncio.timeout(within_seconds):
            while len(found) < count:
                for one, at in await self.arrived():
                    found.setdefault(one, at)
                await asyncio.sleep(0.02)
        return found


@asynccontextmanager
async def receivers(healthy: int, hanging: int, delay_ms: int = 0) -> AsyncIterator[Receivers]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.hook_floor", "receive", str(healthy), str(hanging), str(delay_ms)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=256 * _MEBI,
    )
    assert process.stdout is not None
    try:
        ports = json.loads(await process.stdout.readline())
        yield Receivers(process, ports["healthy"], ports["hanging"])
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def dispatcher(on: BenchGround, log: EventLog) -> AsyncIterator[psutil.Process]:
    """The dispatcher as it is run, once it has seen the whole log."""
    environ = {
        **os.environ,
        "GONOGO_DATABASE_URL": on.of("hook_dispatcher"),
        "GONOGO_NATS_URL": on.nats.url,
        "GONOGO_NATS_USER": "hook_dispatcher",
        "GONOGO_NATS_PASSWORD": on.nats.users["hook_dispatcher"],
        "GONOGO_MASTER_KEY": MASTER,
        "GONOGO_HOOK_ALLOW": "127.0.0.0/8",
        "GONOGO_HOOK_PORTS": "1-65535",
        "GONOGO_HOOK_CONCURRENCY": str(CONCURRENCY),
        "GONOGO_LOG_LEVEL": "error",
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "services.hook_dispatcher", env=environ)
    try:
        await caught_up(log)
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        await process.wait()


async def caught_up(log: EventLog) -> None:
    """Until the table of deliveries has what the log has."""
    head = (await log.head()).position
    async with asyncio.timeout(120):
        while (await log.pool.fetchval("select position from view.checkpoint where name = 'hooks'") or 0) < head:
            await asyncio.sleep(0.1)


async def tell(log: EventLog, stream: str, *events: Event) -> int:
    """Append to a new stream. The position of the last event."""
    key = random_id()
    outcome = await log.append(
        Append(
            stream=stream,
            expected=await log.pool.fetchval("select version from log.stream where stream = $1", stream) or 0,
            principal="bench",
            key=key,
            fingerprint=fingerprint_of(key),
            events=tuple(Draft(*encode(event)) for event in events),
            at=time.time_ns() // 1_000,
            actor="user:olivia",
            channel="bench",
        )
    )
    assert isinstance(outcome, Appended), outcome
    return outcome.last


async def endpoints(
    log: EventLog, ports: list[int], *, enabled: bool = True, names: list[str] | None = None
) -> list[str]:
    """Endpoints for these ports, by their ids: fresh ones, or those of `names` changed."""
    ids = names or [derived_id("endpoint", random_id()) for _ in ports]
    for one, port in zip(ids, ports, strict=True):
        put = EndpointPut(
            url=f"http://127.0.0.1:{port}/", secret_ref=SECRET, events=("finish_planning",), enabled=enabled
        )
        await tell(log, f"endpoint-{one}", put)
    return ids


async def plan(log: EventLog) -> int:
    """A plan is sealed, which raises a hook at every endpoint: its position."""
    draft = content()
    return await tell(
        log, f"plan-{random_id()}", PlanCreated(index=1, project="web", content=draft), seal_of(draft, {})
    )


def ours(on: BenchGround, log: EventLog, at: Receivers) -> Run:
    """1,000 due at once; done when the healthy have theirs."""

    async def run(_: float) -> Sample:
        ports = [*at.healthy, *at.hanging, *(free_port() for _ in range(REFUSING))]
        ids = await endpoints(log, ports)
        async with dispatcher(on, log):
            await at.arrived()
            await asyncio.gather(*(plan(log) for _ in range(HOOKS)))
            began = time.monotonic()
            found = await at.all_arrived(HEALTHY * HOOKS)
        await endpoints(log, ports, enabled=False, names=ids)
        return _sample(found, began)

    return run


def bare(at: Receivers, body: bytes) -> Run:
    """The same number of posts of a body of this size to the healthy, and to no other."""

    async def run(_: float) -> Sample:
        await at.arrived()
        ports = [str(port) for port in at.healthy]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.bench.hook_floor", "send", str(CONCURRENCY), str(HOOKS), *ports),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await process.communicate(body)
        return _sample(await at.all_arrived(HEALTHY * HOOKS), float(printed))

    return run


def _sample(arrived: dict[str, float], began: float) -> Sample:
    times = [at - began for at in arrived.values()]
    return sample_of(times, max(times))


async def bench_many(on: BenchGround, log: EventLog, report: Report, body: bytes, delay_ms: int) -> None:
    """Adds both rates and how many times as long ours takes."""
    async with receivers(HEALTHY, HANGING, delay_ms) as at:
        suffix = f", receivers answer after {delay_ms} ms" if delay_ms else ""
        mine, floor = f"due hooks to 40 of 50{suffix}", f"bare aiohttp client{suffix}"
        medians = await interleave(report, {floor: bare(at, body), mine: ours(on, log, at)})
    ratio = medians[floor].per_second / medians[mine].per_second
    report.at_most(f"time for {HEALTHY * HOOKS} due hooks / bare client's{suffix}", 2.0, ratio)


async def bench_idle(on: BenchGround, log: EventLog, report: Report, *, count: int = 200) -> None:
    """Adds how long after the commit a single hook arrives."""
    async with receivers(1, 0) as at:
        (endpoint,) = await endpoints(log, at.healthy)
        committed: dict[str, float] = {}
        async with dispatcher(on, log):
            await plan(log)
            await at.all_arrived(1)
            for _ in range(count):
                position = await plan(log)
                committed[derived_id("delivery", endpoint, str(position))] = time.monotonic()
                await asyncio.sleep(0.05)
            found = await at.all_arrived(count)
        await endpoints(log, at.healthy, enabled=False, names=[endpoint])
    delays = [max(0.0, found[one] - at) for one, at in committed.items()]
    figure = report.figure("first attempt when idle", [sample_of(delays, sum(delays))])
    report.at_most("first attempt after the commit when idle, p99 in ms", 100, figure.p99_ms)


async def bench_memory(on: BenchGround, log: EventLog, report: Report, *, deliveries: int) -> None:
    """Adds the growth of the dispatcher's resident memory from a tenth of the deliveries to all of them."""
    async with receivers(HEALTHY, 0) as at:
        ids = await endpoints(log, at.healthy)
        async with dispatcher(on, log) as process:
            resident: list[int] = []
            for portion in (1, 9):
                plans = deliveries // 10 * portion // HEALTHY
                for done in range(0, plans, 25):
                    now = min(25, plans - done)
                    await asyncio.gather(*(plan(log) for _ in range(now)))
                    await at.all_arrived(now * HEALTHY)
                resident.append(process.memory_info().rss)
                print(f"  after {deliveries // 10 * (portion if portion == 1 else 10)}: {resident[-1] / _MEBI:.1f} MB")
        await endpoints(log, at.healthy, enabled=False, names=ids)
    report.remark(
        f"dispatcher: {resident[0] / _MEBI:.1f} MB, then {resident[1] / _MEBI:.1f} MB after {deliveries} hooks"
    )
    report.at_most(f"memory after {deliveries} deliveries / after a tenth of them", 1.1, resident[1] / resident[0])


async def bench(on: BenchGround, deliveries: int) -> Report:
    report = Report()
    log = await EventLog.open(on.dsn)
    pool: asyncpg.Pool = await open_pool(on.of("gateway"), size=1)
    await KeyStore(pool, bytes.fromhex(MASTER)).put(SECRET, Secret("whsec_" + "c2VjcmV0IG9mIGEgdGVzdCE="))
    await pool.close()
    body = msgspec.json.encode({"filler": "x" * 900})
    await bench_idle(on, log, report)  # before the others: what they leave to be done is no idleness
    await bench_many(on, log, report, body, 0)
    await bench_many(on, log, report, body, 20)
    if deliveries:
        await bench_memory(on, log, report, deliveries=deliveries)
    await log.close()
    return report


async def main() -> None:
    async with ground() as on, relay_process(on):
        report = await bench(on, int(sys.argv[2]) if len(sys.argv) > 2 else 100_000)
    report.write(Path(sys.argv[1] if len(sys.argv) > 1 else "build/bench/deliveries.json"))
    for target in report.targets:
        print(f"{'reached' if target.reached else 'MISSED'}: {target.name}: {target.seen} ({target.wanted})")


if __name__ == "__main__":
    asyncio.run(main())
