"""Many who ask for the same thing at the same time share one asking. It keeps no answer: that is for the asker to do.

Whoever is cancelled while waiting takes nothing from the others. An asking that fails fails for all who wait for it, and the
next asks anew.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class AskedOnce(Generic[K, V]):
    """`ask(key)` finds the answer."""

    def __init__(self, ask: Callable[[K], Awaitable[V]]) -> None:
        self._ask = ask
        self._asking: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K) -> V:
        """The answer, of the asking that is under way if there is one. Raises what asking raises."""
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._answer(key), name=f"asking for {key}")
            task.add_done_callback(lambda done: self._answered(key, done))
        return await asyncio.shield(task)

    async def _answer(self, key: K) -> V:
        return await self._ask(key)

    def _answered(self, key: K, done: asyncio.Task[V]) -> None:
        del self._asking[key]
        if not done.cancelled():
            done.exception()  # whoever still waits gets it; if nobody does, nobody misses it
