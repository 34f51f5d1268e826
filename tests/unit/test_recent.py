"""What one follower has read is given to the others, and never anything else than the log holds."""

import asyncio
from typing import Any

from contracts.envelope import Fact
from contracts.plan_events import ItemsSettled
from infra.recent import RecentLog
from infra.tail import Tail, Wake
from tests.support.builders import facts
from tests.support.wait import PATIENCE_SECONDS


class CountingLog:
    """A log in memory that counts how often it is asked."""

    def __init__(self, length: int) -> None:
        self.facts = facts(*[ItemsSettled()] * length)
        self.asked: list[int] = []

    async def read_after(self, position: int, limit: int = 500) -> list[Fact]:
        self.asked.append(position)
        await asyncio.sleep(0)
        return self.facts[position : position + limit]


class SlowLog(CountingLog):
    """A log in memory that looks at once, and answers when it is let."""

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.looked, self.answering = asyncio.Event(), asyncio.Event()

    async def read_after(self, position: int, limit: int = 500) -> list[Fact]:
        found = self.facts[position : position + limit]
        self.looked.set()
        await self.answering.wait()
        return found


def recent(log: Any, **limits: int) -> RecentLog:
    return RecentLog(log, Wake(), **limits)


async def test_followers_at_one_place_share_one_reading() -> None:
    log = CountingLog(10)
    reader = recent(log)
    answers = await asyncio.gather(*(reader.read_after(0) for _ in range(5)))
    assert all(answer == log.facts for answer in answers)
    assert log.asked == [0]


async def test_a_follower_that_comes_later_is_given_what_was_read_and_asks_only_for_the_rest() -> None:
    log = CountingLog(10)
    reader = recent(log)
    await reader.read_after(0)
    assert await reader.read_after(4, 3) == log.facts[4:7]
    assert await reader.read_after(10) == []
    assert log.asked == [0, 10]


async def test_facts_behind_what_is_kept_are_read_from_the_log() -> None:
    log = CountingLog(10)
    reader = recent(log)
    await reader.read_after(6)
    assert await reader.read_after(2, 2) == log.facts[2:4]
    assert await reader.read_after(7, 1) == log.facts[7:8]
    assert log.asked == [6, 2]


async def test_no_more_is_kept_than_the_limit() -> None:
    log = CountingLog(10)
    reader = recent(log, remembered=3)
    await reader.read_after(0)
    assert await reader.read_after(7) == log.facts[7:]
    assert await reader.read_after(1, 1) == log.facts[1:2]
    assert log.asked == [0, 1]


async def test_a_failure_reaches_everybody_who_asked_and_the_next_question_is_asked_anew() -> None:
    log = CountingLog(3)
    reader = recent(log)
    whole, log.facts = log.facts, None  # type: ignore[assignment]  # the log is broken for a moment
    answers = await asyncio.gather(reader.read_after(0), reader.read_after(0), return_exceptions=True)
    assert all(isinstance(answer, TypeError) for answer in answers)
    log.facts = whole
    assert await reader.read_after(0) == whole


async def test_a_ring_during_a_question_that_one_follower_shares_with_another_is_not_missed() -> None:
    log, wake = SlowLog(11), Wake()
    whole, log.facts = log.facts, log.facts[:10]
    reader = RecentLog(log, wake)  # type: ignore[arg-type]  # a log in memory
    first = asyncio.create_task(reader.read_after(10, 500))
    await log.looked.wait()  # there is nothing yet
    log.facts = whole
    wake.set()
    late = aiter(Tail(reader, wake, poll_seconds=10 * PATIENCE_SECONDS).after(10))
    coming = asyncio.create_task(anext(late))  # type: ignore[arg-type]  # an async generator's is a coroutine
    await asyncio.sleep(0)
    log.answering.set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await first == []
        assert await coming == whole[10:]


async def test_a_ring_since_what_is_kept_was_read_is_not_missed() -> None:
    log, wake = CountingLog(11), Wake()
    whole, log.facts = log.facts, log.facts[:10]
    reader = RecentLog(log, wake)  # type: ignore[arg-type]  # a log in memory
    await reader.read_after(0)
    log.facts = whole
    wake.set()
    late = aiter(Tail(reader, wake, poll_seconds=10 * PATIENCE_SECONDS).after(4))
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert [await anext(late), await anext(late)] == [whole[4:10], whole[10:]]
