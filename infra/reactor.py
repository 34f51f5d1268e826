"""The reactor: from facts to the streams that may have something due, and never an action from a fact itself.

A fact only says "look at this stream". The reactor remembers which streams are to be looked at, looks at each with
bounded concurrency and never at one twice at once, and looks again later where looking failed. A stream that is named
again while it is being looked at is looked at once more. A sweep of what is open comes first and then now and again,
so a wake-up lost with a crashed process is made good. It keeps no checkpoint: what is due is found in the state.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec
import structlog

from contracts.envelope import Fact, Position
from infra.tail import Tail, database_away

if TYPE_CHECKING:
    from infra.telemetry.tracing import Tracing

log = structlog.get_logger()

React = Callable[[str], Awaitable[None]]
"""Looks at a stream's state and does what is due. May come too often; may raise, then it comes again."""

Wanted = Callable[[Fact], str | None]
"""The stream that this fact may have made something due in, if any."""

_FIRST_RETRY_SECONDS = 0.1
_LAST_RETRY_SECONDS = 5.0


class Swept(msgspec.Struct, frozen=True):
    """The streams in which something may be open, as of a log position: facts after it are not considered in them."""

    position: Position
    streams: tuple[str, ...] = ()


Sweep = Callable[[], Awaitable[Swept]]


class Reactor:
    """Runs `react(stream)` for each stream that a fact, a timer or a sweep names.

    `busy` counts the streams that wait, are looked at, or are to be looked at again.
    """

    def __init__(
        self,
        name: str,
        tail: Tail,
        react: React,
        wanted: Wanted,
        sweep: Sweep,
        *,
        sweep_seconds: float = 30.0,
        concurrency: int = 16,
        grace_seconds: float = 5.0,
        observe: Callable[[list[Fact]], None] | None = None,
        tracing: "Tracing | None" = None,
    ) -> None:
        """`observe` sees all facts, in order, before any stream is looked at because of them."""
        self._reactions = None
        if tracing is not None:
            from infra.telemetry.reactions import Reactions

            self._reactions = Reactions(name, tracing)
        self._observe = observe
        self._name = name
        self._tail = tail
        self._react = react
        self._wanted = wanted
        self._sweep = sweep
        self._sweep_seconds = sweep_seconds
        self._grace_seconds = grace_seconds
        self._slots = asyncio.Semaphore(concurrency)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._reacting: set[str] = set()
        self._stopping = False
        self.position: Position = 0

    @property
    def busy(self) -> int:
        return len(self._running)

    def due(self, stream: str) -> None:
        """Have this stream looked at, soon and once. Also what a timer's `fire` calls."""
        if stream in self._running:
            self._again.add(stream)
        elif not self._stopping:
            self._running[stream] = asyncio.create_task(self._look(stream), name=f"{self._name} {stream}")

    async def run(self) -> None:
        """Work until cancelled. Then no new stream is begun, and those being looked at get `grace_seconds` to end."""
        try:
            self.position = await self._first_sweep()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow())
                tasks.create_task(self._sweep_now_and_again())
                try:
                    await asyncio.get_running_loop().create_future()
                finally:  # at once: what the two are in the middle of, a query of the log say, may take its time to end
                    self._begin_nothing_more()
        finally:
            await self._hand_back()

    async def _follow(self) -> None:
        async for facts in self._tail.after(self.position):
            if self._observe is not None:
                self._observe(facts)
            if self._reactions is not None:
                self._reactions.note(facts, self._wanted)
            for stream in {stream: None for fact in facts if (stream := self._wanted(fact))}:
                self.due(stream)
            self.position = facts[-1].position

    async def _first_sweep(self) -> Position:
        """Nothing may be followed before it is known what is open and as of when, so this is tried until it works."""
        pause = _FIRST_RETRY_SECONDS
        while (position := await self._sweep_once()) is None:
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LAST_RETRY_SECONDS)
        return position

    async def _sweep_now_and_again(self) -> None:
        while True:
            await asyncio.sleep(self._sweep_seconds)
            await self._sweep_once()

    async def _sweep_once(self) -> Position | None:
        try:
            swept = await self._sweep()
        except Exception as error:
            self._tell("sweep", error)
            return None
        for stream in swept.streams:
            self.due(stream)
        return swept.position

    def _tell(self, what: str, error: Exception, **fields: str) -> None:
        if database_away(error):
            log.warning(f"{what}_waits", reactor=self._name, error=repr(error), **fields)
        else:
            log.error(f"{what}_failed", reactor=self._name, exc_info=error, **fields)

    async def _look(self, stream: str) -> None:
        """Look at one stream until a look succeeds and nothing named it meanwhile."""
        pause = _FIRST_RETRY_SECONDS
        try:
            while True:
                self._again.discard(stream)
                if await self._looked(stream):
                    pause = _FIRST_RETRY_SECONDS
                    if stream not in self._again or self._stopping:
                        return
                elif self._stopping:
                    return
                else:
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, _LAST_RETRY_SECONDS)
        finally:
            del self._running[stream]
            self._again.discard(stream)

    async def _looked(self, stream: str) -> bool:
        async with self._slots:
            self._reacting.add(stream)
            try:
                if self._reactions is None:
                    await self._react(stream)
                else:
                    await self._reactions.react(stream, self._react)
            except Exception as error:
                self._tell("reaction", error, stream=stream)
                return False
            finally:
                self._reacting.discard(stream)
        return True

    def _begin_nothing_more(self) -> None:
        self._stopping = True
        for stream, task in list(self._running.items()):
            if stream not in self._reacting:
                task.cancel()

    async def _hand_back(self) -> None:
        """Let what is being looked at end. Everything else is left to the next process's sweep, and so is what is late."""
        self._begin_nothing_more()
        if self._running:
            _, late = await asyncio.wait(list(self._running.values()), timeout=self._grace_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
