"""A page is worked on while the next is on its way, and nothing is left behind."""

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing
from typing import Any

import pytest

from infra.ahead import ahead


class Book:
    """Pages 1 to `last`. Says which have been asked for; reading page `torn` fails."""

    def __init__(self, last: int, *, torn: int = 0) -> None:
        self.last, self.torn = last, torn
        self.asked: list[int] = []
        self.given_up: list[int] = []
        self.may_come = asyncio.Event()
        self.may_come.set()

    def following(self, page: int) -> Coroutine[Any, Any, int] | None:
        return self._read(page + 1) if page < self.last else None

    async def _read(self, page: int) -> int:
        self.asked.append(page)
        try:
            await self.may_come.wait()
        except asyncio.CancelledError:
            self.given_up.append(page)
            raise
        if page == self.torn:
            raise OSError("torn")
        return page


async def test_the_next_page_is_asked_for_before_this_one_is_worked_on() -> None:
    book, seen = Book(3), []
    async with aclosing(ahead(1, book.following)) as pages:
        async for page in pages:
            seen.append((page, list(book.asked)))
    assert seen == [(1, [2]), (2, [2, 3]), (3, [2, 3])]


async def test_a_page_that_cannot_be_read_is_told_after_those_before_it() -> None:
    async with aclosing(ahead(1, Book(5, torn=3).following)) as pages:
        assert [await anext(pages), await anext(pages)] == [1, 2]
        with pytest.raises(OSError, match="torn"):
            await anext(pages)


async def test_who_leaves_early_takes_the_reading_along() -> None:
    book = Book(3)
    book.may_come.clear()
    async with aclosing(ahead(1, book.following)) as pages:
        assert await anext(pages) == 1
    await asyncio.sleep(0)
    assert (book.asked, book.given_up) == ([2], [2])
