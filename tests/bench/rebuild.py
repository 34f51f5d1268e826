"""Rebuilding a plan of 10,000 events, beside fetching and decoding the very same rows.

The floor reads the stream as the log gives it, whole rows in one query. The rebuild is what a service does: it reads page
by page what a fold needs, the next page on its way while it works on this one.
"""

import time
from collections.abc import Awaitable, Callable

from contracts import plan_events as e
from contracts.evolve import fold
from contracts.registry import DECODERS, encode
from contracts.seal import seal_of
from contracts.values import Content, Item, TextSpec
from infra.commands import Desk
from infra.eventlog import Append, Draft, EventLog
from tests.bench.rounds import Report, Run, Sample, interleave

EVENTS = 10_000
TRIES = 5
STREAM = "plan-00000000000000000000be0c"
ITEMS = tuple(Item(id=f"item-{i}", name=f"Item {i}", spec=TextSpec(content="x" * 200)) for i in range(100))


def life() -> list[e.Event]:
    """A plan that is planned, sealed, executed and reopened again and again: the mix that a real one has, only longer."""
    content = Content(name="Bench", owner=("user:olivia",), items=ITEMS)
    seal = seal_of(content, {})
    events: list[e.Event] = [e.PlanCreated(index=1, project="bench", content=content)]
    attempt = 0
    while len(events) < EVENTS:
        events += [seal, e.StartRequested(by="owner"), e.ExecutionStarted(seal=seal.seal)]
        for _ in range(TRIES):
            attempt += 1
            for item in ITEMS:
                events.append(e.ItemStarted(item=item.id, attempt=attempt, run="0f" * 12))
                events.append(_failure(item.id, attempt))
        events += [e.ItemSkipped(item=item.id, reason="tried") for item in ITEMS]
        events += [e.ItemsSettled(), e.PlanReopened(reason="again")]
    return events[:EVENTS]


def _failure(item: str, attempt: int) -> e.ItemFinished:
    return e.ItemFinished(item=item, attempt=attempt, outcome="failed", error="exit code 1", log="ab" * 32)


async def store(log: EventLog) -> None:
    """Append the life in large commands, unless it is there already."""
    if await log.read_stream(STREAM):
        return
    events = life()
    for start in range(0, EVENTS, 500):
        drafts = tuple(Draft(*encode(event)) for event in events[start : start + 500])
        await log.append(
            Append(STREAM, start, "service:bench", f"rebuild-{start}", bytes(32), drafts, 1, "service:bench", "bench")
        )


async def fetch_and_decode(log: EventLog) -> int:
    """The floor: the rows of the stream, and the event in each."""
    facts = await log.read_stream(STREAM)
    for fact in facts:
        DECODERS[fact.type](fact.payload)
    return len(facts)


async def rebuild(log: EventLog) -> int:
    """The plan, by somebody who remembers nothing of it."""
    plan = await Desk(log, fold).read(STREAM)
    assert plan is not None
    return plan.version


async def bench_rebuild(admin_dsn: str, report: Report, *, rounds: int = 5, seconds: float = 1.0) -> None:
    """Adds `rebuild` and `fetch and decode` to the report, and the ratio of their times."""
    log = await EventLog.open(admin_dsn)
    try:
        await store(log)
        runs = {"fetch and decode": _repeated(log, fetch_and_decode), "rebuild": _repeated(log, rebuild)}
        seen = await interleave(report, runs, rounds=rounds, seconds=seconds)
        ratio = seen["fetch and decode"].per_second / seen["rebuild"].per_second
        report.at_most("rebuild of 10,000 events / fetch and decode", 1.2, ratio)
    finally:
        await log.close()


def _repeated(log: EventLog, work: Callable[[EventLog], Awaitable[int]]) -> Run:
    async def run(seconds: float) -> Sample:
        count, begun = 0, time.perf_counter()
        while time.perf_counter() < begun + seconds:
            assert await work(log) == EVENTS
            count += 1
        elapsed = time.perf_counter() - begun
        return Sample(count / elapsed, elapsed / count * 1000)

    return run
