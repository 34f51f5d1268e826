"""The newest facts, read once for all followers of this process.

A service has several followers (projections, a reactor, a feed) that stand at the same place and wake at the same moment.
What is once in the log never changes, so what one of them has read may be given to the others; only what comes after it
is asked for again, and those who ask for the same thing at the same time share the question.

So an answer may be older than the question, and a ring in between be for facts that it lacks. Every answer therefore comes
with the doorbell's ticket from before it was read: who waits with that one misses no ring.
"""

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from contracts.envelope import Fact, Position
from infra.asked_once import AskedOnce
from infra.eventlog import EventLog
from infra.tail import Wake

if TYPE_CHECKING:
    import asyncpg

REMEMBERED = 200


class RecentLog:
    """Reads like the log that it stands for; keeps the `remembered` newest facts."""

    def __init__(self, log: EventLog, wake: Wake, remembered: int = REMEMBERED) -> None:
        """`wake` is the doorbell of the followers."""
        self.wake = wake
        self._log = log
        self._facts: deque[Fact] = deque(maxlen=remembered)
        self._as_of = 0
        self._asking = AskedOnce(self._read)

    @property
    def pool(self) -> "asyncpg.Pool[asyncpg.Record]":
        """The log's reading connections."""
        return self._log.pool

    async def read_after(self, position: Position, limit: int = 500) -> list[Fact]:
        """The next facts in order, at most `limit`; raises what `EventLog.read_after` raises."""
        return (await self.read_as_of(position, limit))[0]

    async def read_as_of(self, position: Position, limit: int) -> tuple[list[Fact], int]:
        """Likewise, with the ticket of `wake` from before they were read."""
        if self._facts and self._facts[0].position <= position + 1 <= self._facts[-1].position:
            start = position + 1 - self._facts[0].position
            return list(islice(self._facts, start, start + limit)), self._as_of
        return await self._asking.get((position, limit))

    async def _read(self, asked: tuple[Position, int]) -> tuple[list[Fact], int]:
        ticket = self.wake.ticket()
        facts = await self._log.read_after(*asked)
        if facts:
            self._remember(facts, ticket)
        return facts, ticket

    def _remember(self, facts: list[Fact], ticket: int) -> None:
        """Keep these if they go on where the kept ones end; facts further on replace them, older ones are not kept."""
        if self._facts and facts[0].position != self._facts[-1].position + 1:
            if facts[-1].position <= self._facts[-1].position:
                return
            self._facts.clear()
        self._facts.extend(facts)
        self._as_of = ticket
