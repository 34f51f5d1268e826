"""One system for all that is done to it: what one test hurt must have healed before the next, or that one fails."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

pytest.register_assert_rewrite(
    "tests.chaos.arena", "tests.chaos.load", "tests.chaos.proof", "tests.chaos.small", "tests.chaos.wide"
)

from tests.chaos.arena import Arena, open_arena  # noqa: E402  (after the line above, so that a failure shows its values)
from tests.chaos.small import open_small  # noqa: E402


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def arena() -> AsyncIterator[Arena]:
    async with open_arena() as running:
        yield running


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def no_hook_is_due_where_nobody_receives(arena: Arena) -> AsyncIterator[None]:
    """The receiver of a test is gone after it; its endpoint would keep hooks of the next one waiting."""
    yield
    async with open_small(arena, "ada") as ada:
        await ada.send("PUT", "/endpoints/demo", {"url": arena.url, "secret": "whsec_bm9ib2R5", "enabled": False})
