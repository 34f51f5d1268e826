"""What many ask for at the same time is asked for once, and what went wrong is asked for again."""

import asyncio

import pytest

from infra.asked_once import AskedOnce


class Question:
    """Counts how often each thing is asked for; answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer = asyncio.Event()
        self.fails = False

    async def ask(self, key: str) -> str:
        self.asked.append(key)
        await self.answer.wait()
        if self.fails:
            raise LookupError(key)
        return key.upper()


async def asking(asked_once: AskedOnce[str, str], *keys: str) -> list[asyncio.Task[str]]:
    tasks = [asyncio.create_task(asked_once.get(key)) for key in keys]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_all_who_ask_for_the_same_at_the_same_time_share_one_asking() -> None:
    question = Question()
    tasks = await asking(AskedOnce(question.ask), "a", "b", "a", "a")
    question.answer.set()
    assert await asyncio.gather(*tasks) == ["A", "B", "A", "A"]
    assert question.asked == ["a", "b"]


async def test_no_answer_is_kept() -> None:
    question = Question()
    question.answer.set()
    asked_once = AskedOnce(question.ask)
    assert [await asked_once.get("a"), await asked_once.get("a")] == ["A", "A"]
    assert question.asked == ["a", "a"]


async def test_who_is_cancelled_takes_nothing_from_the_others() -> None:
    question = Question()
    first, second = await asking(AskedOnce(question.ask), "a", "a")
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    question.answer.set()
    assert await second == "A"
    assert question.asked == ["a"]


async def test_a_failure_is_that_of_all_who_waited_and_the_next_asks_anew() -> None:
    question = Question()
    question.fails = True
    asked_once = AskedOnce(question.ask)
    tasks = await asking(asked_once, "a", "a")
    question.answer.set()
    assert [type(one) for one in await asyncio.gather(*tasks, return_exceptions=True)] == [LookupError] * 2
    question.fails = False
    assert await asked_once.get("a") == "A"
    question.fails = True
    with pytest.raises(LookupError):
        await asked_once.get("a")
