"""Ringing the services: at once when it has been quiet, and not more often than they can make use of.

Each ring costs every service a message, a reading and a transaction. Under load many events share one, and when the log
grows faster than `busy_events_a_second` more of them do: then the lists follow a little later and all services together
spend a quarter less of the processor on a plan (measured), which whoever waits for an answer has instead. The last
event is never left without a ring.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from contracts.envelope import Position
from infra.errors import Unavailable

log = structlog.get_logger()

Send = Callable[[Position], Awaitable[None]]

_MEASURED_SECONDS = 0.25


class Bell:
    """`send(position)` rings everybody; between two rings are at least `spacing_seconds`, or `busy_seconds` under load."""

    def __init__(
        self,
        send: Send,
        spacing_seconds: float = 0.003,
        *,
        busy_seconds: float = 0.1,
        busy_events_a_second: float = 500.0,
    ) -> None:
        self._send = send
        self._busy_events_a_second = busy_events_a_second
        self._spacing_seconds = spacing_seconds
        self._busy_seconds = busy_seconds
        self._growth = Growth()
        self._again_at = 0.0
        self._newest: Position = 0
        self._later: asyncio.Task[None] | None = None

    async def ring(self, position: Position) -> None:
        """The log has grown up to here. Raises what `send` raises, when it rings at once."""
        self._newest = position
        if self._later is not None:
            return
        now = asyncio.get_running_loop().time()
        if now >= self._again_at:
            self._again_at = now + self._spacing(now)
            await self._send(position)
        else:
            self._later = asyncio.create_task(self._ring_later(self._again_at - now), name="bell")

    def _spacing(self, now: float) -> float:
        busy = self._growth.events_a_second(now, self._newest) > self._busy_events_a_second
        return self._busy_seconds if busy else self._spacing_seconds

    async def _ring_later(self, seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
        finally:
            self._later = None
        now = asyncio.get_running_loop().time()
        self._again_at = now + self._spacing(now)
        try:
            await self._send(self._newest)
        except Unavailable:
            log.info("bell_not_heard", position=self._newest)  # whoever follows the log looks from time to time as well

    async def close(self) -> None:
        """A ring that was to come does not."""
        if self._later is not None:
            self._later.cancel()
            await asyncio.gather(self._later, return_exceptions=True)


class Growth:
    """How fast the log grows, over the last whole quarter of a second or more; 0 before there was one."""

    def __init__(self) -> None:
        self._since: tuple[float, Position] | None = None
        self._rate = 0.0

    def events_a_second(self, now: float, position: Position) -> float:
        """`now` in seconds of any clock that does not go back."""
        if self._since is None:
            self._since = (now, position)
        began, first = self._since
        if now - began >= _MEASURED_SECONDS:
            self._rate = (position - first) / (now - began)
            self._since = (now, position)
        return self._rate
