"""Every service killed, and stopped for longer than a lease, at every point between intent, start and outcome, in a plan
of twelve items with parallel branches: each effect happens once, or its item asks; the plan ends as it should.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from unittest.mock import patch

import pytest
import pytest_asyncio

from contracts.envelope import Position
from infra.config import Secret
from infra.embedded.secrets import SERVICES
from services.cli.client import Gateway
from tests.chaos.arena import Arena, open_arena
from tests.chaos.proof import all_facts, check_everything
from tests.chaos.test_fencing import check_owners, claims, pid_of, second_executor
from tests.chaos.wide import Wide, beyond
from tests.support.executing import Target, counting_target
from tests.support.wait import PATIENCE_SECONDS, eventually

EFFECT = "the request has arrived"
POINTS = {
    "item.started.v1": 1,
    "run.created.v1": 2,
    "run.claimed.v1": 1,
    "run.step_started.v1": 2,
    EFFECT: 1,
    "run.step_finished.v1": 2,
    "run.finished.v1": 1,
    "item.finished.v1": 2,
}
"""In the order in which a run passes them; and how many more items may be pressed before each, twelve together."""
LEASE_SECONDS = 1.0
OTHERS = tuple(service for service in SERVICES if service != "executor")

Strike = Callable[[Arena, Wide], Awaitable[None]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hurried() -> AsyncIterator[Arena]:
    """A system whose leases are short, and whose parts, however often they die, are started again at once."""
    with patch("infra.supervise.keeper._LONGEST_PAUSE_SECONDS", 0.2):
        async with open_arena(GONOGO_LEASE_SECONDS=str(LEASE_SECONDS)) as one:
            yield one


async def kill_the_executor(arena: Arena, wide: Wide) -> None:
    await arena.kill("executor")


async def kill_all_others(arena: Arena, wide: Wide) -> None:
    await asyncio.gather(*(arena.kill(service) for service in OTHERS))


async def stop_all_others(arena: Arena, wide: Wide) -> None:
    await _stop([arena.system.pids[service] for service in OTHERS])


async def stop_an_executor(arena: Arena, wide: Wide) -> None:
    """The one that has the newest run, where one has it."""
    owners = claims(await wide.facts("run.claimed.v1"))
    pid = pid_of(owners[-1]) if owners else arena.system.pids["executor"]
    await _stop([pid])


async def _stop(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        await beyond(LEASE_SECONDS * 1.5)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def reached(arena: Arena, after: Position, point: str, target: Target, before: int) -> None:
    """Returns when the log has come to this point again, or the target was asked once more (and holds its answer)."""
    if point == EFFECT:
        await eventually(lambda: len(target.requests) > before, what=point)
        return
    async with asyncio.timeout(2 * PATIENCE_SECONDS), aclosing(arena.follow(after)) as facts:
        async for fact in facts:
            if fact.type == point:
                return


async def strike_at_every_point(arena: Arena, wide: Wide, target: Target, strike: Strike) -> None:
    driving = asyncio.create_task(wide.drive())
    try:
        for point, items in POINTS.items():
            position, before = (await arena.log.head()).position, len(target.requests)
            target.hold = asyncio.Event() if point == EFFECT else None
            wide.let(items)
            coming = asyncio.create_task(reached(arena, position, point, target, before))
            await asyncio.wait((coming, driving), return_when=asyncio.FIRST_COMPLETED)
            if driving.done():
                driving.result()
            await coming
            await strike(arena, wide)
            if target.hold is not None:
                target.hold.set()
        await driving
    finally:
        driving.cancel()
        await asyncio.gather(driving, return_exceptions=True)


@pytest.mark.parametrize("strike", [kill_the_executor, kill_all_others, stop_all_others])
async def test_each_effect_happens_once_or_its_item_asks_whoever_is_struck_wherever(
    hurried: Arena, strike: Strike
) -> None:
    async with (
        counting_target() as target,
        Gateway.open(hurried.url, Secret(hurried.tokens["olivia"]), patience_seconds=120) as gateway,
    ):
        wide = Wide(hurried, gateway, target, hurried.folder())
        await wide.begin()
        await strike_at_every_point(hurried, wide, target, strike)
        await wide.check_effects()
    check_owners(await all_facts(hurried))
    await check_everything(hurried, wide.ledger.acknowledged)


async def test_each_effect_happens_once_or_its_item_asks_when_either_of_two_executors_stops_wherever(
    hurried: Arena,
) -> None:
    async with (
        counting_target() as target,
        Gateway.open(hurried.url, Secret(hurried.tokens["olivia"]), patience_seconds=120) as gateway,
    ):
        wide = Wide(hurried, gateway, target, hurried.folder())
        async with second_executor(hurried):
            await wide.begin()
            await strike_at_every_point(hurried, wide, target, stop_an_executor)
        await wide.check_effects()
    check_owners(await all_facts(hurried))
    await check_everything(hurried, wide.ledger.acknowledged)
