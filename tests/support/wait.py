"""Waiting for something to become true: the only place in the tests that sleeps."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

PATIENCE_SECONDS = 60.0
"""How long a test waits for what must come. Long, since a shared machine may stand still for seconds, and only a failure
waits so long. Whoever waits otherwise than by `eventually` takes it as well."""
_FIRST_PAUSE_SECONDS = 0.005
_LONGEST_PAUSE_SECONDS = 0.1


@overload
async def eventually(check: Callable[[], Awaitable[T]], timeout: float = PATIENCE_SECONDS, what: str = "") -> T: ...
@overload
async def eventually(check: Callable[[], T], timeout: float = PATIENCE_SECONDS, what: str = "") -> T: ...
async def eventually(check: Callable[[], Any], timeout: float = PATIENCE_SECONDS, what: str = "") -> Any:
    """The first truthy value of `check()` (plain or async). An AssertionError from it counts as "not yet".

    After `timeout` seconds raises AssertionError that says `what` was awaited and what was seen last.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    pause = _FIRST_PAUSE_SECONDS
    while True:
        seen: object
        try:
            answer = check()
            value = await answer if inspect.isawaitable(answer) else answer
            if value:
                return value
            seen = value
        except AssertionError as error:
            seen = error
        if loop.time() > deadline:
            raise AssertionError(f"not within {timeout} s: {what or check!r}; last seen: {seen!r}")
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)


async def ended(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel these until they have ended: in Python 3.11 a library may forget a cancellation that comes with its answer."""
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=2)
