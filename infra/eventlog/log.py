"""The event log as a process sees it: append through the coalescer, read through a small pool.

Positions are gap-free, so `read_after` is complete and final at any moment. It refuses to step over a hole: that is
corruption, and whoever went on would lose an event without a word. It decodes no payload and knows no event type.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Self, cast

import asyncpg
import structlog

from contracts.envelope import Fact, Position, Version
from infra.errors import Corrupt, Unavailable
from infra.eventlog.coalescer import CoalesceLimits, Coalescer
from infra.eventlog.history import History
from infra.eventlog.model import Append, Head, KeyReused, Outcome, Seen
from infra.eventlog.pages import PagedStreams
from infra.eventlog.stream_reader import StreamReader, whole
from infra.kept import Kept
from infra.postgres import CONNECT_SECONDS, load_sql, open_pool

if TYPE_CHECKING:
    from infra.postgres import AnyConnection
    from infra.telemetry.tracing import Tracing

log = structlog.get_logger(__name__)

_PACKAGE = "infra.eventlog"
_READ_SECONDS = 10.0

# The connection or the server went away, or is not back yet. Reading again is always safe.
_LOST = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that dies in the middle of an answer
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
)

# A replica, or a database that was restored from before the migration and is not migrated yet: both may change.
_NOT_HERE = (
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.UndefinedFunctionError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.LockNotAvailableError,
)


class EventLog:
    """One per process. `pool` is for reading (also by others); `failed` completes when the writer died: end then.

    With `tracing` each append is a span, whose name goes along with what is stored.
    """

    def __init__(self, pool: asyncpg.Pool, coalescer: Coalescer, history: History) -> None:
        self.pool = pool
        self.tracing: Tracing | None = None
        self._history = history
        self._kept = Kept(pool)
        self._coalescer = coalescer
        self._read_after = load_sql(_PACKAGE, "read_after")
        self._streams, self._pages = StreamReader(self.fetch, whole()), PagedStreams(self.fetch, self._heard)
        self._read_head = load_sql(_PACKAGE, "read_head")
        self._read_command = load_sql(_PACKAGE, "read_command")
        self._renew = load_sql(_PACKAGE, "renew_epoch")

    @classmethod
    async def open(
        cls,
        dsn: str,
        *,
        pool_size: int = 4,
        coalesce: CoalesceLimits | None = None,
        any_history: bool = False,
        patience_seconds: float | None = None,
    ) -> Self:
        """Connects the writer and the pool; raises what asyncpg raises when the server cannot be reached now.

        Each new connection must show the log that was seen before, else `failed` completes; with `any_history` it need not,
        for who remembers nothing of it. `patience_seconds`: as of `open_pool`.
        """
        limits = coalesce or CoalesceLimits()
        history = History()
        admit = None if any_history else history.check

        async def connect() -> asyncpg.Connection:
            connection = await asyncpg.connect(
                dsn,
                timeout=min(CONNECT_SECONDS, limits.deadline_seconds),
                server_settings={"application_name": "gonogo log writer"},
            )
            if admit is not None:
                await _admitted(connection, admit)
            return connection

        coalescer = Coalescer(connect, load_sql(_PACKAGE, "append"), limits, history)
        history.on_another = coalescer.fail
        try:
            await coalescer.open()
            pool = await open_pool(  # one is kept
                dsn, size=pool_size + 1, admit=admit, patience_seconds=patience_seconds
            )
        except BaseException:
            await coalescer.close()
            raise
        return cls(pool, coalescer, history)

    @property
    def failed(self) -> asyncio.Future[BaseException]:
        """Completes, with the reason as its result, if the writer task dies or this is another log. The process must end then."""
        return self._coalescer.failed

    async def append(self, command: Append) -> Outcome:
        """Stores the command's events at once or not at all. See `Coalescer.append` for what it raises."""
        if self.tracing is None:
            return await self._coalescer.append(command)
        from infra.telemetry.appends import traced

        return await traced(self.tracing, command, self._coalescer.append)

    async def seen(self, principal: str, key: str, fingerprint: bytes) -> Seen | KeyReused | None:
        """What became of a command, or None when it was never stored (a refusal never is)."""
        records = await self.fetch(self._read_command, principal, key)
        if not records:
            return None
        record = records[0]
        if record["fingerprint"] != fingerprint:
            return KeyReused()
        return Seen(record["version"], record["last"], record["answer"])

    async def read_stream(self, stream: str, after_version: Version = 0) -> list[Fact]:
        """All events of a stream above `after_version`, in order; empty when there are none. Reads raise Unavailable."""
        found = await self._streams.read(stream, after_version)
        if found:
            self._heard(found[-1].position)
        return found

    def read_pages(self, stream: str, after_version: Version = 0) -> AsyncGenerator[list[Fact]]:
        """What a fold needs of them, page by page; see `pages` and `stream_reader.for_folding`."""
        return self._pages.read(stream, after_version)

    async def read_after(self, position: Position, limit: int = 500) -> list[Fact]:
        """The next events in order, at most `limit`. Raises Corrupt at a hole."""
        found = facts(await self.fetch(self._read_after, position, limit))
        if found and found[-1].position != position + len(found):
            raise Corrupt(f"the log has a hole after position {position}, before {found[-1].position}")
        if found:
            self._history.saw(found)
        return found

    async def head(self) -> Head:
        """The end of the log now."""
        records = await self.fetch(self._read_head)
        if not records:
            raise Corrupt("the log has no head")
        record = records[0]
        return Head(record["position"], record["epoch"], record["recorded_at"])

    async def watch(self, every_seconds: float = 10.0) -> None:
        """Look now and then, until cancelled, whether this is still the log that was seen: a restore into a running database
        breaks no connection. Where it is not, `failed` completes, and this raises AnotherLog."""
        while True:
            await asyncio.sleep(every_seconds)
            try:
                # Not asyncpg's own timeout: it would forget a cancellation, in Python 3.11.
                async with asyncio.timeout(_READ_SECONDS), self.pool.acquire() as connection:
                    await self._history.check(connection)
            except (*_LOST, TimeoutError) as error:
                log.debug("log_not_looked_at", error=repr(error))  # others tell that it is away

    def _heard(self, position: Position) -> None:
        if position > self._history.end:
            self._history.end = position

    async def renew_epoch(self, epoch: str, position: Position, leaf: bytes) -> str | None:
        """Give the log a new epoch, which is returned, if its epoch is this one and it lacks this event: see 0091_renew_epoch.

        `None` where that is not so. Raises Unavailable also where this database, or this role, cannot.
        """
        try:
            return cast("str | None", (await self.fetch(self._renew, epoch, position, leaf))[0]["epoch"])
        except _NOT_HERE as error:
            raise Unavailable(f"a new epoch of the log ({error})") from error

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """A short query's rows, once more on a fresh connection if the first one turns out to be dead; then Unavailable."""
        try:
            try:
                return await self._kept.fetch(query, *arguments, timeout_seconds=_READ_SECONDS)
            except TimeoutError:  # an OSError as well; who has waited so long is not made to wait once more
                raise
            except _LOST:
                return await self.pool.fetch(query, *arguments, timeout=_READ_SECONDS)
        except (*_LOST, TimeoutError) as error:
            raise Unavailable("the event log") from error

    async def close(self) -> None:
        """Sends what is queued, then lets go of all connections."""
        await self._coalescer.close()
        await self._streams.close()
        await self._pages.close()
        await self._kept.close()
        await self.pool.close()


async def _admitted(
    connection: asyncpg.Connection, admit: "Callable[[AnyConnection], Coroutine[Any, Any, None]]"
) -> None:
    try:
        await admit(connection)
    except BaseException:
        connection.terminate()
        raise


def facts(records: Sequence[asyncpg.Record]) -> list[Fact]:
    """Rows with the columns of an event, in the order of `Fact`'s fields, as facts. Half the time of starmap."""
    return [Fact(*record) for record in records]
