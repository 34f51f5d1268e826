"""Ringing the services: at once when it has been quiet, and not more often than they can make use of.

Each ring costs every service a message. Under load many events share one; the last of them is never left without a ring.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from contracts.envelope import Position
from infra.errors import Unavailable

log = structlog.get_logger()

Send = Callable[[Position], Awaitable[None]]


class Bell:
    """`send(position)` rings everybody; between two rings are at least `spacing_seconds`."""

    def __init__(self, send: Send, spacing_seconds: float = 0.002) -> None:
        self._send = send
        self._spacing_seconds = spacing_seconds
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
            self._again_at = now + self._spacing_seconds
            await self._send(position)
        else:
            self._later = asyncio.create_task(self._ring_later(self._again_at - now), name="bell")

    async def _ring_later(self, seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
        finally:
            self._later = None
        self._again_at = asyncio.get_running_loop().time() + self._spacing_seconds
        try:
            await self._send(self._newest)
        except Unavailable:
            log.info("bell_not_heard", position=self._newest)  # whoever follows the log looks from time to time as well

    async def close(self) -> None:
        """A ring that was to come does not."""
        if self._later is not None:
            self._later.cancel()
            await asyncio.gather(self._later, return_exceptions=True)
