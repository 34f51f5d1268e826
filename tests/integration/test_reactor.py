"""The reactor and the timers on a real log: nothing that is due is lost, nothing runs twice at once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg
import pytest_asyncio

from contracts.envelope import Fact, category
from infra.clock import SetClock
from infra.errors import Unavailable
from infra.eventlog import EventLog
from infra.reactor import React, Reactor, Swept
from infra.tail import Tail, Wake
from infra.timers import TimerLoop
from tests.support.facts import append
from tests.support.servers import Dsns, Postgres
from tests.support.wait import PATIENCE_SECONDS, ended, eventually


@pytest_asyncio.fixture
async def dsns(postgres: Postgres) -> Dsns:
    return await postgres.fresh_database()


@pytest_asyncio.fixture
async def log(dsns: Dsns) -> AsyncIterator[EventLog]:
    log = await EventLog.open(dsns.admin)
    yield log
    await log.close()


def plans(fact: Fact) -> str | None:
    return fact.stream if category(fact.stream) == "plan" else None


async def streams_of(log: EventLog) -> set[str]:
    return {fact.stream for fact in await log.read_after(0, 10_000)}


@asynccontextmanager
async def reacting(
    log: EventLog,
    react: React,
    *,
    sweep: Callable[[], Swept] = lambda: Swept(0),
    sweep_seconds: float = 30,
    concurrency: int = 16,
    grace_seconds: float = 5,
) -> AsyncIterator[Reactor]:
    async def swept() -> Swept:
        return sweep()

    reactor = Reactor(
        "test", Tail(log, Wake(), 0.02), react, plans, swept,
        sweep_seconds=sweep_seconds, concurrency=concurrency, grace_seconds=grace_seconds,
    )  # fmt: skip
    task = asyncio.create_task(reactor.run())
    yield reactor
    await ended(task)


async def test_every_stream_that_a_fact_names_is_looked_at_after_that_fact(log: EventLog) -> None:
    seen: dict[str, int] = {}

    async def react(stream: str) -> None:
        seen[stream] = len(await log.read_stream(stream))

    async with reacting(log, react):
        for _ in range(10):
            await append(log, 30)
        expected = {stream: len(await log.read_stream(stream)) for stream in await streams_of(log)}
        await eventually(lambda: seen == expected)


async def test_a_look_that_fails_is_repeated_until_it_succeeds(log: EventLog) -> None:
    failures: Counter[str] = Counter()
    done: set[str] = set()

    async def react(stream: str) -> None:
        failures[stream] += 1
        if failures[stream] == 1:
            raise KeyError("a bug")
        if failures[stream] == 2:
            raise Unavailable("log")
        done.add(stream)

    async with reacting(log, react) as reactor:
        await append(log, 100)
        streams = await streams_of(log)
        await eventually(lambda: done == streams)
        await eventually(lambda: reactor.busy == 0)
    assert set(failures.values()) == {3}


async def test_a_stream_that_always_fails_does_not_hold_up_the_others(log: EventLog) -> None:
    done: set[str] = set()
    bad: list[str] = []

    async def react(stream: str) -> None:
        if not bad:
            bad.append(stream)
        if stream in bad:
            raise KeyError("a bug")
        done.add(stream)

    async with reacting(log, react, concurrency=1):
        await append(log, 100)
        streams = await streams_of(log)
        await eventually(lambda: done == streams - set(bad))


async def test_no_stream_is_looked_at_twice_at_once_and_no_more_than_allowed_together(log: EventLog) -> None:
    running: Counter[str] = Counter()
    overlaps: list[str] = []
    most = 0

    async def react(stream: str) -> None:
        nonlocal most
        running[stream] += 1
        most = max(most, running.total())
        if running[stream] > 1:
            overlaps.append(stream)
        await asyncio.sleep(0)
        running[stream] -= 1

    async with reacting(log, react, concurrency=4) as reactor:
        await append(log, 300)
        for stream in await streams_of(log):
            reactor.due(stream)
            reactor.due(stream)
        await eventually(lambda: reactor.position == 300 and reactor.busy == 0)
    assert overlaps == []
    assert most == 4


async def test_a_stream_named_while_it_is_looked_at_is_looked_at_once_more(log: EventLog) -> None:
    entered, release = asyncio.Event(), asyncio.Event()
    looks = 0

    async def react(stream: str) -> None:
        nonlocal looks
        looks += 1
        entered.set()
        await release.wait()

    async with reacting(log, react) as reactor:
        reactor.due("plan-0a")
        await entered.wait()
        for _ in range(3):
            reactor.due("plan-0a")
        release.set()
        await eventually(lambda: reactor.busy == 0)
    assert looks == 2


async def test_what_the_sweep_finds_is_looked_at_though_no_fact_names_it_any_more(log: EventLog) -> None:
    await append(log, 20)
    seen: Counter[str] = Counter()

    async def react(stream: str) -> None:
        seen[stream] += 1

    async with reacting(log, react, sweep=lambda: Swept(20, ("plan-0a",)), sweep_seconds=0.05) as reactor:
        await eventually(lambda: seen["plan-0a"] >= 3)
        assert set(seen) == {"plan-0a"}
        await append(log, 10)
        await eventually(lambda: reactor.position == 30)
        await eventually(lambda: len(seen) == 2)


async def test_a_sweep_that_fails_at_first_is_repeated_before_anything_is_followed(log: EventLog) -> None:
    await append(log, 20)
    seen: set[str] = set()
    sweeps = 0

    async def react(stream: str) -> None:
        seen.add(stream)

    def sweep() -> Swept:
        nonlocal sweeps
        sweeps += 1
        if sweeps < 3:
            raise Unavailable("view")
        return Swept(10, ("plan-0a",))

    async with reacting(log, react, sweep=sweep):
        await eventually(lambda: len(seen) == 2)
    assert sweeps == 3


async def test_a_stopping_reactor_ends_what_it_began_and_begins_nothing_more(log: EventLog) -> None:
    entered, release = asyncio.Event(), asyncio.Event()
    begun: list[str] = []
    ended: list[str] = []

    async def react(stream: str) -> None:
        begun.append(stream)
        entered.set()
        await release.wait()
        ended.append(stream)

    async with reacting(log, react, concurrency=1, grace_seconds=PATIENCE_SECONDS) as reactor:
        reactor.due("plan-0a")
        reactor.due("plan-0b")
        await entered.wait()
        asyncio.get_running_loop().call_soon(release.set)
    assert begun == ended == ["plan-0a"]


async def test_a_stopping_reactor_begins_nothing_more_while_its_follower_is_slow_to_let_go(log: EventLog) -> None:
    follows, entered, release, asked_to_end, let_go = (asyncio.Event() for _ in range(5))
    begun: list[str] = []

    class Clinging(Tail):
        """As one in the middle of a query, which is ended by another connection."""

        async def after(self, position: int) -> AsyncIterator[list[Fact]]:
            follows.set()
            try:
                async for facts in super().after(position):
                    yield facts
            finally:
                asked_to_end.set()
                await let_go.wait()

    async def react(stream: str) -> None:
        begun.append(stream)
        entered.set()
        await release.wait()

    async def swept() -> Swept:
        return Swept(0)

    reactor = Reactor("test", Clinging(log, Wake(), 0.02), react, plans, swept, concurrency=1)
    running = asyncio.create_task(reactor.run())
    reactor.due("plan-0a")
    reactor.due("plan-0b")
    await entered.wait()
    await follows.wait()
    running.cancel()
    await asked_to_end.wait()
    release.set()
    await eventually(lambda: reactor.busy == 0)
    let_go.set()
    await asyncio.gather(running, return_exceptions=True)
    assert begun == ["plan-0a"]


async def test_what_does_not_end_in_time_is_cancelled(log: EventLog) -> None:
    entered = asyncio.Event()

    async def react(stream: str) -> None:
        entered.set()
        await asyncio.Event().wait()

    async with reacting(log, react, grace_seconds=0.05) as reactor:
        reactor.due("plan-0a")
        await entered.wait()
    assert reactor.busy == 0


NOW = 1_800_000_000_000_000
SECOND = 1_000_000


async def set_timers(log: EventLog, *rows: tuple[str, str, int, str]) -> None:
    await log.pool.executemany("insert into view.timer (stream, kind, due_at, service) values ($1, $2, $3, $4)", rows)


class Bell:
    def __init__(self) -> None:
        self.rung: Counter[tuple[str, str]] = Counter()

    async def fire(self, stream: str, kind: str) -> None:
        self.rung[stream, kind] += 1


async def test_a_timer_is_fired_when_due_and_not_before_and_only_for_its_service(log: EventLog) -> None:
    clock, bell = SetClock(NOW), Bell()
    await set_timers(
        log,
        ("plan-0a", "window_end", NOW, "executor"),
        ("plan-0b", "window_end", NOW + SECOND, "executor"),
        ("plan-0c", "window_end", NOW, "planner"),
    )
    timers = TimerLoop(log.pool, "executor", clock, bell.fire)
    await timers.step()
    assert bell.rung == {("plan-0a", "window_end"): 1}
    clock.advance(1)
    await timers.step()
    assert bell.rung[("plan-0b", "window_end")] == 1
    assert ("plan-0c", "window_end") not in bell.rung


async def test_a_timer_that_stays_is_fired_again_ever_more_slowly(log: EventLog) -> None:
    clock, bell = SetClock(NOW), Bell()
    await set_timers(log, ("plan-0a", "deadline", NOW, "approval"))
    timers = TimerLoop(log.pool, "approval", clock, bell.fire, again_seconds=8)
    fired_after = []
    for second in range(32):
        before = bell.rung.total()
        await timers.step()
        if bell.rung.total() > before:
            fired_after.append(second)
        clock.advance(1)
    assert fired_after == [0, 1, 3, 7, 15, 23, 31]


async def test_a_timer_set_anew_is_fired_at_its_new_time(log: EventLog) -> None:
    clock, bell = SetClock(NOW), Bell()
    await set_timers(log, ("plan-0a", "deadline", NOW, "approval"))
    timers = TimerLoop(log.pool, "approval", clock, bell.fire)
    await timers.step()
    await log.pool.execute("update view.timer set due_at = $1", NOW + 100 * SECOND)
    clock.advance(50)
    await timers.step()
    assert bell.rung.total() == 1
    clock.advance(50)
    await timers.step()
    assert bell.rung.total() == 2


async def test_timers_that_stay_do_not_hide_a_new_one_and_one_that_fails_does_not_stop_the_next(log: EventLog) -> None:
    clock, bell = SetClock(NOW), Bell()
    await set_timers(log, *((f"plan-{number:x}", "deadline", NOW, "approval") for number in range(1_200)))
    await set_timers(log, ("run-0a", "lease", NOW + SECOND, "approval"))
    clock.advance(1)

    async def fire(stream: str, kind: str) -> None:
        await bell.fire(stream, kind)
        if stream == "plan-0":
            raise KeyError("a bug")

    await TimerLoop(log.pool, "approval", clock, fire).step()
    assert bell.rung.total() == 1_201


async def test_the_loop_survives_a_database_that_goes_away(log: EventLog, postgres: Postgres, dsns: Dsns) -> None:
    clock, bell, wake = SetClock(NOW), Bell(), Wake()
    loop = asyncio.create_task(
        TimerLoop(log.pool, "approval", clock, bell.fire, wake=wake, poll_seconds=0.05, again_seconds=1).run()
    )
    await postgres.kill()
    await postgres.start()
    admin = await asyncpg.connect(dsns.admin)
    await admin.execute("insert into view.timer values ('plan-0a', 'deadline', $1, 'approval')", NOW)
    await admin.close()
    wake.set()
    await eventually(lambda: bell.rung.total() == 1)
    await ended(loop)
