"""Servers that stay away, and parts that die under load: whoever asks is told to come again, and nothing promised is lost."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from infra.supervise.system import NATS, POSTGRES
from tests.chaos.arena import Arena
from tests.chaos.load import check_edits, editing
from tests.chaos.proof import check_everything, check_scripts
from tests.chaos.small import Small, noting, open_small, telling
from tests.support.executing import counting_target
from tests.support.wait import eventually


@pytest_asyncio.fixture(loop_scope="session")
async def small(arena: Arena) -> AsyncIterator[Small]:
    async with open_small(arena) as one:
        yield one


async def ready(arena: Arena, status: int) -> bool:
    async with aiohttp.ClientSession() as session, session.get(f"{arena.url}/readyz") as response:
        return response.status == status


def waits(arena: Arena, before: int) -> bool:
    """Whether a driver of a run has met a log that is away, since the executor's log was so long."""
    return "run_waits" in arena.said("executor")[before:]


@pytest.mark.parametrize("server", [NATS, POSTGRES])
async def test_a_server_that_stays_away_is_503_with_retry_after_and_all_is_well_when_it_is_back(
    arena: Arena, server: str
) -> None:
    async with editing(arena) as load:
        await load.more(50)
        async with arena.away(server):
            await load.refused(16)
            await eventually(lambda: ready(arena, 503), what="the gateway says that it is not ready")
            kept = len(load.acknowledged)
            await load.refused(8)
            assert len(load.acknowledged) == kept
        await load.more(50)
        await eventually(lambda: ready(arena, 200), what="the gateway is ready again")
    await check_edits(arena, load.acknowledged)
    await check_everything(arena, load.acknowledged)


async def test_edits_under_load_are_stored_once_whoever_is_killed_meanwhile(arena: Arena) -> None:
    async with editing(arena) as load:
        for part in ("gateway", "planner", POSTGRES, NATS, "planner", "gateway"):
            await load.more(40)
            await arena.kill(part)
        await load.more(40)
    assert load.broken
    assert load.replayed
    await check_edits(arena, load.acknowledged)
    await check_everything(arena, load.acknowledged)


async def test_what_a_step_did_while_the_database_was_away_is_known_afterwards(arena: Arena, small: Small) -> None:
    folder = arena.folder()
    go = folder / "go"
    async with counting_target() as target:
        await small.prepare(noting(folder, then=f"while [ ! -e {go} ]; do sleep 0.05; done"), telling(target.url))
        await small.start()
        await small.execute()
        await eventually(lambda: (folder / "ran").exists(), what="the script runs")
        before = len(arena.said("executor"))
        async with arena.away(POSTGRES):
            go.touch()
            await eventually(lambda: waits(arena, before), what="the executor waits for the log")
        await small.reaches("success")
        assert len(target.keys) == 1
    check_scripts(folder / "ran", await small.keys())
    await check_everything(arena, small.ledger.acknowledged)


async def test_a_request_that_was_answered_while_the_database_was_away_is_known_to_be_done(
    arena: Arena, small: Small
) -> None:
    async with counting_target() as target:
        target.hold = asyncio.Event()
        await small.prepare(telling(target.url))
        await small.start()
        await small.execute()
        await eventually(lambda: target.keys, what="the request is out")
        before = len(arena.said("executor"))
        async with arena.away(POSTGRES):
            target.hold.set()
            await eventually(lambda: waits(arena, before), what="the executor waits for the log")
        await small.reaches("success")
        assert len(target.keys) == 1
    await check_everything(arena, small.ledger.acknowledged)
