"""The bell rings at once after a silence, seldom under load, and never leaves the last event without a ring."""

import asyncio

from contracts.envelope import Position
from infra.errors import Unavailable
from infra.relay.bell import Bell
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
