"""The newest facts, read once for all followers of this process.

A service has several followers (projections, a reactor, a feed) that stand at the same place and wake at the same moment.
What is once in the log never changes, so what one of them has read may be given to the others; only what comes after it
is asked for again, and those who ask for the same thing at the same time share the question.
"""

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from contracts.envelope import Fact, Position
from infra.asked_once import AskedOnce
from infra.eventlog import EventLog

if TYPE_CHECKING:
    import asyncpg

REMEMBERED = 200


class RecentLog:
    """Reads like the log that it stands for; keeps the `remembered` newest facts."""

    def __init__(self, log: EventLog, remembered: int = REMEMBERED) -> None:
        self._log = log
        self._facts: deque[Fact] = deque(maxlen=remembered)
        self._asking = AskedOnce(self._read)

    @property
    def pool(self) -> "asyncpg.Pool[asyncpg.Record]":
        """The log's reading connections."""
        return self._log.pool

    async def read_after(self, position: Position, limit: int = 500) -> list[Fact]:
        """The next facts in order, at most `limit`; raises what `EventLog.read_after` raises."""
        if self._facts and self._facts[0].position <= position + 1 <= self._facts[-1].position:
            start = position + 1 - self._facts[0].position
            return list(islice(self._facts, start, start + limit))
        return await self._asking.get((position, limit))

    async def _read(self, asked: tuple[Position, int]) -> list[Fact]:
        facts = await self._log.read_after(*asked)
        if facts:
            self._remember(facts)
        return facts

    def _remember(self, facts: list[Fact]) -> None:
        """Keep these if they go on where the kept ones end; facts further on replace them, older ones are not kept."""
        if self._facts and facts[0].position != self._facts[-1].position + 1:
            if facts[-1].position <= self._facts[-1].position:
                return
            self._facts.clear()
        self._facts.extend(facts)
