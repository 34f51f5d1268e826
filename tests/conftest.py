"""What holds for every test: the real servers as fixtures, and no asyncio task left behind."""

import asyncio
import inspect
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.wait import eventually

pytest_plugins = ["tests.support.servers"]


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def no_task_is_left_behind(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """A task that outlives its test hides errors and disturbs the next one. pytest-asyncio does not notice it."""
    before = asyncio.all_tasks()
    yield
    if not inspect.iscoroutinefunction(getattr(request.function, "__wrapped__", request.function)):
        return

    def left_behind() -> set[asyncio.Task[object]]:
        return asyncio.all_tasks() - before - {asyncio.current_task()}

    try:
        await eventually(lambda: not left_behind(), timeout=2)
    except AssertionError:
        names = "; ".join(repr(task.get_coro()) for task in left_behind())
        pytest.fail(f"the test left tasks running: {names}")
