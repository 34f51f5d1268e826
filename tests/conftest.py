"""What holds for every test: the real servers as fixtures, no asyncio task left behind, and who runs beside whom."""

import asyncio
import inspect
import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from tests.support.wait import eventually

pytest_plugins = ["tests.support.servers"]


def pytest_configure() -> None:
    """No property fails because the machine is busy: Hypothesis would hold each example against a clock."""
    settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("unhurried")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For `-n 2 --dist loadgroup`: a file stays on one worker, and so do all tests that start whole systems.

    Each worker has its own embedded servers. Servers that the environment names are one for all, so nothing is shared out.
    """
    named = "GONOGO_TEST_DATABASE_URL" in os.environ or "GONOGO_TEST_NATS_URL" in os.environ
    for item in items:
        file = item.nodeid.partition("::")[0]
        whole_system = file.startswith(("tests/chaos/", "tests/e2e/"))
        item.add_marker(pytest.mark.xdist_group("all" if named else "systems" if whole_system else file))


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
        await eventually(lambda: not left_behind())
    except AssertionError:
        names = "; ".join(repr(task.get_coro()) for task in left_behind())
        pytest.fail(f"the test left tasks running: {names}")
