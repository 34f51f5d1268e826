"""How late an event is on the bus, against the floor of a bare publish, and how fast a lost mirror is built again.

Delay is counted from the moment at which the appender knows that its event is committed; what arrives sooner counts as 0.
`python -m tests.bench.relay` writes `build/bench/relay.json`.
"""

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import nats
from nats.aio.client import Client

from contracts.subjects import EVENTS, STREAM, WAKE
from infra.clock import SystemClock
from infra.eventlog import EventLog
from tests.bench.ground import PAYLOAD, BenchGround, at_rate, fill, ground, relay_process
from tests.bench.rounds import Report, Run, Sample, interleave, sample_of

_CATCH_UP_EVENTS = 60_000


def floor(client: Client, per_second: float) -> Run:
    """One core message to one subscriber on the same connection: what NATS and the client cost."""

    async def run(seconds: float) -> Sample:
        taken: list[float] = []

        async def on_message(message: Any) -> None:
            taken.append(time.perf_counter() - float(message.data[:20]))

        subscription = await client.subscribe(WAKE, cb=on_message)
        loop = asyncio.get_running_loop()
        begin = loop.time()
        for number in range(int(per_second * seconds)):
            await asyncio.sleep(max(0.0, begin + number / per_second - loop.time()))
            await client.publish(WAKE, f"{time.perf_counter():020.9f}".encode() + PAYLOAD)
        await client.flush()
        await subscription.drain()
        return sample_of(taken, loop.time() - begin)

    return run


def delivery(client: Client, log: EventLog, per_second: float) -> Run:
    """From the append to a plain subscriber."""
    clock = SystemClock()

    async def run(seconds: float) -> Sample:
        arrived: dict[int, int] = {}
        committed: dict[int, int] = {}

        async def on_message(message: Any) -> None:
            arrived.setdefault(int(message.headers["ce-sequence"]), clock.now())

        subscription = await client.subscribe(EVENTS, cb=on_message)
        await client.flush()
        begin = time.perf_counter()

        def on_commit(position: int) -> None:
            committed[position] = clock.now()

        await at_rate(log, per_second, seconds, on_commit)
        while len(arrived) < len(committed):
            await asyncio.sleep(0.005)
        elapsed = time.perf_counter() - begin
        await subscription.unsubscribe()
        return sample_of([max(0, arrived[position] - at) / 1e6 for position, at in committed.items()], elapsed)

    return run


async def catch_up(client: Client, log: EventLog) -> float:
    """Events per second with which a running relay builds a deleted stream again."""
    jetstream = client.jetstream(timeout=5)
    head = (await log.head()).position
    await jetstream.delete_stream(STREAM)
    begin = 0.0
    while True:
        try:
            at = int((await jetstream.stream_info(STREAM)).state.last_seq)
        except nats.js.errors.NotFoundError:
            at = 0
        if at and not begin:
            begin, first = time.perf_counter(), at
        if at == head:
            return (head - first) / (time.perf_counter() - begin)
        await asyncio.sleep(0.01)


async def bench(on: BenchGround) -> Report:
    report = Report()
    log = await EventLog.open(on.dsn)
    client = await nats.connect(on.nats.url, **on.login("relay"))
    async with relay_process(on):
        await asyncio.sleep(1.5)
        candidates: dict[str, Run] = {}
        for rate in (100, 400, 1_000):
            candidates[f"bare publish, {rate}/s"] = floor(client, rate)
            candidates[f"append to subscriber, {rate}/s"] = delivery(client, log, rate)
        medians = await interleave(report, candidates)
        for rate in (100, 400, 1_000):
            ratio = medians[f"append to subscriber, {rate}/s"].p99_ms / medians[f"bare publish, {rate}/s"].p99_ms
            report.at_most(f"delivery p99 / bare publish p99 at {rate}/s", 5.0, ratio)
        await fill(log, _CATCH_UP_EVENTS)
        samples = [Sample(await catch_up(client, log)) for _ in range(3)]
        report.at_least("relay catch-up, events per second", 20_000, report.figure("catch-up", samples).per_second)
    await client.close()
    await log.close()
    return report


async def main() -> None:
    async with ground() as on:
        report = await bench(on)
    report.write(Path(sys.argv[1] if len(sys.argv) > 1 else "build/bench/relay.json"))
    for name, figure in report.figures.items():
        print(f"{name}: {figure}")
    for target in report.targets:
        print(f"{'reached' if target.reached else 'MISSED'}: {target.name}: {target.seen} ({target.wanted})")


if __name__ == "__main__":
    asyncio.run(main())
