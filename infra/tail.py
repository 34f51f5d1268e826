"""Following the log: lists of facts as they are appended, in order, none left out.

`Wake` is a doorbell: it says "look", never what happened. `Tail` looks when it rings and also at a fixed pace, so a
lost ring costs a moment and never a fact. Neither keeps a position for anybody; the caller knows where it stands.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol, TypeGuard

import asyncpg
import structlog

from contracts.envelope import Fact, Position
from infra.errors import Corrupt, Unavailable

log = structlog.get_logger()

_AWAY = (
    Unavailable,
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


def database_away(error: BaseException) -> bool:
    """True after errors that more patience may cure: the server is away, stopping, full, or something held us up."""
    return isinstance(error, _AWAY) and not isinstance(error, asyncpg.DataError)


class Readable(Protocol):
    """The part of the log that a follower needs; `infra.eventlog.EventLog` has it."""

    async def read_after(self, position: Position, limit: int = 500) -> list[Fact]: ...


class Remembering(Readable, Protocol):
    """A log that may answer with what others have read a moment ago; `infra.recent.RecentLog` is one."""

    @property
    def wake(self) -> "Wake": ...

    async def read_as_of(self, position: Position, limit: int) -> tuple[list[Fact], int]:
        """The facts, and the ticket of `wake` from before they were read. A later ring may be for facts behind them."""
        ...


class Wake:
    """A doorbell for any number of waiters in this process. `set` may be called from a bus callback."""

    def __init__(self) -> None:
        self._rings = 0
        self._waiters: set[asyncio.Future[None]] = set()

    def set(self) -> None:
        """Ring. Whoever waits looks now; whoever took a ticket before this looks at once."""
        self._rings += 1
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def ticket(self) -> int:
        """Take this before looking, and give it to `wait`: a ring in between is then not missed."""
        return self._rings

    async def wait(self, timeout_seconds: float, ticket: int | None = None) -> bool:
        """Wait for a ring later than the ticket (without one: than now). False when the time passed first."""
        if ticket is not None and ticket != self._rings:
            return True
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await asyncio.wait((waiter,), timeout=timeout_seconds)
            return waiter.done()
        finally:
            self._waiters.discard(waiter)


class Tail:
    """Reads the log behind a position, for ever. A database that is away is waited for, and told once."""

    def __init__(
        self,
        source: Readable,
        wake: Wake,
        poll_seconds: float = 0.2,
        *,
        limit: int = 500,
        gather_seconds: float = 0.0,
        tell_quiet: bool = False,
    ) -> None:
        """`gather_seconds` waits after a ring, so that more facts share one reading (slower by that, cheaper).

        `tell_quiet`: an empty list comes whenever the poll's pace passed without a fact.
        """
        self._source = source
        self._remembering = source if _remembers(source) and source.wake is wake else None
        self._wake = wake
        self._poll_seconds = poll_seconds
        self._limit = limit
        self._gather_seconds = gather_seconds
        self._tell_quiet = tell_quiet
        self._away = False
        self._pace_seconds = poll_seconds

    def pace(self, seconds: float | None) -> None:
        """Look after so many seconds when nothing rings; `None`: at the usual pace again."""
        self._pace_seconds = self._poll_seconds if seconds is None else min(seconds, self._poll_seconds)

    async def after(self, position: Position) -> AsyncIterator[list[Fact]]:
        """Non-empty lists of the facts after `position`, each list joined to the one before without a hole.

        Raises Corrupt when the log shows a hole: positions are drawn without gaps, so it is never "not yet".
        """
        rang = True
        while True:
            facts, ticket = await self._read(position)
            if not facts and not rang and self._tell_quiet:
                yield []
            if facts:
                _refuse_hole(position, facts)
                position = facts[-1].position
                yield facts
                if len(facts) == self._limit:
                    continue  # there may be more already; else the ring of what comes next is awaited
            rang = await self._wake.wait(self._pace_seconds, ticket)
            if rang and self._gather_seconds:
                await asyncio.sleep(self._gather_seconds)

    async def _read(self, position: Position) -> tuple[list[Fact], int]:
        """The next facts, or none while the database is away; and the ticket with which to wait for more."""
        ticket = self._wake.ticket()
        try:
            if self._remembering is not None:
                facts, ticket = await self._remembering.read_as_of(position, self._limit)
            else:
                facts = await self._source.read_after(position, self._limit)
        except Exception as error:
            if not database_away(error):
                raise
            if not self._away:
                log.warning("log_away", after=position, error=repr(error))
            self._away = True
            return [], ticket
        if self._away:
            log.info("log_back", after=position)
        self._away = False
        return facts, ticket


def _remembers(source: Readable) -> TypeGuard[Remembering]:
    return hasattr(source, "read_as_of")


def _refuse_hole(position: Position, facts: list[Fact]) -> None:
    if facts[0].position != position + 1 or facts[-1].position != position + len(facts):
        raise Corrupt(f"the log has a hole after position {position}")
