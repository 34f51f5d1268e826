"""The bell rings at once after a silence, seldom under load, and never leaves the last event without a ring."""

import asyncio

from contracts.envelope import Position
from infra.errors import Unavailable
from infra.relay.bell import Bell, Growth
from tests.support.wait import eventually


async def test_the_first_ring_is_at_once() -> None:
    rung: list[Position] = []

    async def send(position: Position) -> None:
        rung.append(position)

    await Bell(send).ring(7)
    assert rung == [7]


async def test_many_rings_become_few_and_the_last_position_is_rung() -> None:
    rung: list[Position] = []

    async def send(position: Position) -> None:
        rung.append(position)

    bell = Bell(send, spacing_seconds=0.05)
    for position in range(1, 101):
        await bell.ring(position)
    await eventually(lambda: rung == [1, 100])


async def test_a_late_ring_that_nobody_can_hear_breaks_nothing_and_the_next_one_rings() -> None:
    heard: list[Position] = []
    away = asyncio.Event()

    async def send(position: Position) -> None:
        if away.is_set():
            away.clear()
            raise Unavailable("bus")
        heard.append(position)

    bell = Bell(send, spacing_seconds=0.01)
    await bell.ring(1)
    away.set()
    await bell.ring(2)
    await eventually(lambda: not away.is_set())
    await bell.ring(3)
    await eventually(lambda: heard == [1, 3])


async def test_a_closed_bell_rings_no_more() -> None:
    heard: list[Position] = []

    async def send(position: Position) -> None:
        heard.append(position)

    bell = Bell(send, spacing_seconds=60)
    await bell.ring(1)
    await bell.ring(2)
    await bell.close()
    assert heard == [1]


def test_growth_is_measured_over_a_while_and_forgotten_after_a_pause() -> None:
    growth = Growth()
    assert growth.events_a_second(10.0, 500) == 0, "where the log stood before is no growth"
    assert growth.events_a_second(10.1, 900) == 0, "a burst alone is not a rate"
    assert growth.events_a_second(10.5, 1_000) == 1_000
    assert growth.events_a_second(10.6, 1_001) == 1_000
    assert growth.events_a_second(60.5, 1_050) == 1


async def test_a_log_that_grows_fast_is_rung_for_less_often() -> None:
    rung: list[Position] = []

    async def send(position: Position) -> None:
        rung.append(position)

    bell = Bell(send, spacing_seconds=0, busy_seconds=60, busy_events_a_second=-1)
    for position in range(1, 5):
        await bell.ring(position)
    await bell.close()
    assert rung == [1]
