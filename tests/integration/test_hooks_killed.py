"""A dispatcher that is killed at any point: what is due goes out under its id, what was taken goes out no more."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest_asyncio

from contracts.delivery import (
    DeliveryAttempted,
    DeliveryCreated,
    DeliveryDied,
    DeliveryFailed,
    DeliveryResent,
    DeliverySucceeded,
)
from contracts.plan_events import Event
from infra.ids import derived_id
from services.planner.config import Settings as PlannerSettings
from tests.support.hooked import MASTER, Hooked, open_hooked
from tests.support.receiver import Receiver
from tests.support.servers import Nats, Postgres
from tests.support.wait import eventually


@pytest_asyncio.fixture(loop_scope="session")
async def house(postgres: Postgres, nats: Nats, tmp_path: Path) -> AsyncIterator[Hooked]:
    async with open_hooked(postgres, nats, tmp_path) as house:
        yield house


async def raised(house: Hooked, endpoint: str) -> tuple[str, DeliveryCreated]:
    """A plan is sealed while nobody dispatches: the id of its delivery, and the first fact of it."""
    plan = await house.plan()
    position = (await house.facts(plan.stream))[-1].position
    created = DeliveryCreated(
        plan=plan.id,
        event="finish_planning",
        round=0,
        endpoint=endpoint,
        raised_by=position,
        size=2,
        sha256="0" * 64,
    )
    return derived_id("delivery", endpoint, str(position)), created


async def test_whatever_a_killed_dispatcher_left_in_the_log_is_gone_on_with(house: Hooked) -> None:
    """The log is all that outlives it, so each point at which it can be killed is a stream that ends there."""
    starter = await house.dispatch()
    intent, failed = (
        DeliveryAttempted(attempt=1, until=1),
        DeliveryFailed(attempt=1, error="status", status=500, next_at=1),
    )
    taken = DeliverySucceeded(attempt=1, status=204, latency_ms=1)
    points: dict[str, tuple[tuple[Event, ...], int]] = {
        "raised": ((), 1),
        "intent recorded, sent or not": ((intent,), 1),
        "failure recorded": ((intent, failed), 1),
        "second intent recorded": ((intent, failed, DeliveryAttempted(attempt=2, until=1)), 1),
        "resending asked for": ((intent, failed, DeliveryDied(reason="x"), DeliveryResent()), 1),
        "success recorded": ((intent, taken), 0),
        "death recorded": ((intent, failed, DeliveryDied(reason="x")), 0),
    }
    ids: dict[str, str] = {}
    async with Receiver() as receiver:
        endpoint = await house.endpoint("board", receiver.url, events=("finish_planning",))
        await starter.stop_work()
        for point, (left, _) in points.items():
            ids[point], created = await raised(house, endpoint)
            if left:
                await house.tell(f"delivery-{ids[point]}", created, *left)
        await house.dispatch()

        async def ended() -> bool:
            return [row["state"] for row in await house.deliveries()].count("delivered") == len(points) - 1

        await eventually(ended)
    came = [hook.id for hook in receiver.requests]
    assert {point: came.count(ids[point]) for point in points} == {point: count for point, (_, count) in points.items()}


@asynccontextmanager
async def dispatching(house: Hooked) -> AsyncIterator[asyncio.subprocess.Process]:
    """A dispatcher as a process, which is killed at the end if nobody has done so before."""
    settings = house.apps.settings("hook_dispatcher", PlannerSettings)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.hook_dispatcher"),
        env={
            **os.environ,
            "GONOGO_DATABASE_URL": settings.database_url.reveal(),
            "GONOGO_NATS_URL": settings.nats_url,
            "GONOGO_NATS_USER": settings.nats_user,
            "GONOGO_NATS_PASSWORD": settings.nats_password.reveal(),
            "GONOGO_MASTER_KEY": MASTER,
            "GONOGO_HOOK_ALLOW": "127.0.0.0/8",
            "GONOGO_HOOK_PORTS": "1-65535",
            "GONOGO_HOOK_TIMEOUT_SECONDS": "0.5",
            "GONOGO_HOOK_SCHEDULE_SECONDS": ",".join(["0", *["0.05"] * 100]),  # tries as often as it takes
            "GONOGO_HOOK_BREAKER_FAILURES": "0",
            "GONOGO_LOG_LEVEL": "error",
        },
    )
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


async def test_dispatchers_that_are_killed_while_they_send_lose_no_hook_and_change_no_id(house: Hooked) -> None:
    starter = await house.dispatch()
    async with Receiver() as receiver:
        endpoint = await house.endpoint("board", receiver.url, events=("finish_planning",))
        await starter.stop_work()
        wanted = {(await raised(house, endpoint))[0] for _ in range(12)}
        for enough in (1, 5):
            async with dispatching(house):
                await eventually(lambda enough=enough: len(receiver.requests) >= enough)
        await house.dispatch()
        await house.delivered(count=len(wanted))
    assert {hook.id for hook in receiver.requests} == wanted
    bodies = {hook.id: {again.body for again in receiver.requests if again.id == hook.id} for hook in receiver.requests}
    assert {len(same) for same in bodies.values()} == {1}
