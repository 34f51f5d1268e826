"""Turns are for sending, and in front of them is a line: so many at once, and who is slow holds up nobody."""

import asyncio
from contextlib import AsyncExitStack

from services.hook_dispatcher.handlers.alarms import Turns
from tests.support.wait import eventually

NEVER = 3_600.0


class Crowd:
    """Many who want a turn, stopped where they stand."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.in_line: list[int] = []
        self.at_it: list[int] = []
        self.go_on = asyncio.Event()
        self.over = asyncio.Event()

    async def one(self, number: int) -> None:
        async with self._turns.place() as place:
            self.in_line.append(number)
            await self.go_on.wait()
            async with self._turns.one(place):
                self.at_it.append(number)
                await self.over.wait()


async def test_so_many_are_at_it_at_once_and_so_many_more_stand_in_line() -> None:
    crowd = Crowd(Turns(2, slow_seconds=NEVER, line=2))
    async with asyncio.TaskGroup() as tasks:
        for number in range(9):
            tasks.create_task(crowd.one(number))
        await eventually(lambda: len(crowd.in_line) == 4)
        assert crowd.at_it == []
        crowd.go_on.set()
        await eventually(lambda: len(crowd.in_line) == 6)
        assert crowd.at_it == [0, 1]
        crowd.over.set()
    assert sorted(crowd.at_it) == list(range(9))


async def test_who_is_slow_no_longer_counts() -> None:
    crowd = Crowd(Turns(1, slow_seconds=0.001, line=1))
    crowd.go_on.set()
    async with asyncio.TaskGroup() as tasks:
        for number in range(5):
            tasks.create_task(crowd.one(number))
        await eventually(lambda: len(crowd.at_it) == 5)
        crowd.over.set()


async def test_with_the_slow_ones_there_is_a_bound_and_who_is_over_makes_room() -> None:
    crowd = Crowd(Turns(2, slow_seconds=0.0, line=2, most=3))
    crowd.go_on.set()
    async with asyncio.TaskGroup() as tasks:
        for number in range(20):
            tasks.create_task(crowd.one(number))
        await eventually(lambda: len(crowd.at_it) == 6)
        for _ in range(200):
            await asyncio.sleep(0)
        assert len(crowd.in_line) == 6
        crowd.over.set()
    assert sorted(crowd.at_it) == list(range(20))


async def test_who_is_cancelled_while_there_is_no_room_leaves_no_trace() -> None:
    turns = Turns(1, slow_seconds=0.0, line=1, most=1)
    async with turns.place() as place, turns.one(place):
        waiting = asyncio.create_task(turns.place().__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    for _ in range(2):
        async with turns.place() as place, turns.one(place):
            pass


async def test_who_leaves_the_line_without_a_turn_gives_up_the_place() -> None:
    turns = Turns(1, slow_seconds=NEVER, line=1)
    for _ in range(3):
        async with turns.place():
            pass
    async with AsyncExitStack() as stack:
        place = await stack.enter_async_context(turns.place())
        await stack.enter_async_context(turns.one(place))
        place.give_up()
        await stack.enter_async_context(turns.place())
        third = asyncio.create_task(stack.enter_async_context(turns.place()))
        await asyncio.sleep(0)
        assert not third.done()
        third.cancel()
