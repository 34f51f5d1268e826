"""Reading ahead: while the caller works on a page, the next one is on its way."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, TypeVar

Page = TypeVar("Page")
Read = Coroutine[Any, Any, Page]


async def ahead(page: Page, following: Callable[[Page], Read[Page] | None]) -> AsyncGenerator[Page]:
    """This page and those that follow it; ends with the one that `following` knows no next of. No more than two are held.

    Raises what reading raises, after the pages before it were given. Whoever leaves early closes it: it stops reading.
    """
    while (read := following(page)) is not None:
        coming = asyncio.create_task(read, name="next page")
        try:
            await asyncio.sleep(0)  # it asks before the caller works
            yield page
            page = await coming
        finally:
            coming.cancel()
    yield page
