"""Turns many concurrent appends into few calls: one writer connection, always taking whatever is queued.

No timer: while one call is under way the next batch gathers by itself. A caller gets the outcome of its own command.
When the outcome of a call is unknown (lost connection, anything unexpected) the batch is sent again with the same
keys, which is safe because a stored key answers with its first outcome; and so it is where the database refused it for
something that passes (a lock, a full disk). What is queued behind it waits, so the order stays. It refuses to guess and
to wait for ever: after the deadline the callers hear Unavailable and may repeat themselves.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import asyncpg
import msgspec
import structlog

from infra.errors import Unavailable
from infra.eventlog.batch import arguments, outcomes
from infra.eventlog.check import size_of
from infra.eventlog.errors import Rejected
from infra.eventlog.history import History
from infra.eventlog.model import Append, Outcome
from infra.limits import APPEND_BYTES
from infra.postgres import load_sql

log = structlog.get_logger(__name__)

_LOST = ("08", "57P", "25006")  # the connection or the server went away, or is a standby now: connect again
_PASSING = ("40", "53", "55P03", "57014", "58")  # refused now (deadlock, space, a lock); nothing was stored
_LOCKED = "55P03"
_ASK_SECONDS = 0.5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.25
_SECONDS_A_BYTE = 1 / 2**20  # what a large command may take longer than a small one


class CoalesceLimits(msgspec.Struct, frozen=True):
    """How much one call may carry, and how long (seconds) a command waits for an absent database.

    A batch has at most `payload_bytes`; a command that is larger, up to `command_bytes`, goes alone.
    """

    commands: int = 512
    payload_bytes: int = 1 << 20
    command_bytes: int = APPEND_BYTES
    deadline_seconds: float = 3.0


class _Waiting(NamedTuple):
    command: Append
    size: int
    expires: float
    outcome: asyncio.Future[Outcome]


class Coalescer:
    """The queue and the one task that empties it. `failed` completes with the reason if that task ever dies."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        statement: str,
        limits: CoalesceLimits,
        history: History | None = None,
    ):
        """`history` is told the positions of what was stored."""
        self._connect = connect
        self._history = history or History()
        self._text = statement
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._queue: deque[_Waiting] = deque()
        self._woken: asyncio.Future[None] | None = None
        self._connection: asyncpg.Connection | None = None
        self._statement: asyncpg.prepared_stmt.PreparedStatement | None = None
        self._closing = False
        self._in_call: Sequence[_Waiting] = ()
        self.failed: asyncio.Future[BaseException] = self._loop.create_future()
        self._task = asyncio.create_task(self._run(), name="event log writer")
        self._task.add_done_callback(self._ended)

    async def append(self, command: Append) -> Outcome:
        """The outcome of `command`. Raises TooLarge, Malformed, Rejected, or Unavailable (then repeat the same)."""
        size = size_of(command, self._limits.command_bytes)
        if self._closing or self._task.done():
            raise Unavailable("the event log")
        expires = self._loop.time() + self._limits.deadline_seconds + size * _SECONDS_A_BYTE
        waiting = _Waiting(command, size, expires, self._loop.create_future())
        self._queue.append(waiting)
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)
        return await waiting.outcome

    async def open(self) -> None:
        """Makes the writer's connection now, so that a wrong address is known at the start and not at first use."""
        await self._prepare()

    async def close(self) -> None:
        """Sends what is queued, then lets go of the connection."""
        self._closing = True
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)
        await asyncio.wait([self._task])
        if self._connection is not None:
            self._connection.terminate()

    def fail(self, reason: BaseException) -> None:
        """Append nothing more: `failed` completes with this, and whoever waits hears Unavailable."""
        if not self.failed.done():
            self.failed.set_result(reason)
        self._task.cancel()

    async def _run(self) -> None:
        while True:
            while not self._queue:
                if self._closing:
                    return
                self._woken = self._loop.create_future()
                await self._woken
                await asyncio.sleep(0)  # whoever else is about to append in this turn comes along
            self._in_call = self._take()
            await self._send(self._in_call)
            self._in_call = ()

    def _take(self) -> list[_Waiting]:
        batch = [self._queue.popleft()]
        room = self._limits.payload_bytes - batch[0].size
        while self._queue and len(batch) < self._limits.commands and self._queue[0].size <= room:
            waiting = self._queue.popleft()
            room -= waiting.size
            batch.append(waiting)
        return [waiting for waiting in batch if not waiting.outcome.done()]  # cancelled before it was sent

    async def _send(self, batch: Sequence[_Waiting]) -> None:
        pause = 0.0
        while batch:
            try:
                record = await self._call(
                    [waiting.command for waiting in batch], sum(waiting.size for waiting in batch)
                )
            except Exception as error:
                sqlstate = getattr(error, "sqlstate", None) if isinstance(error, asyncpg.PostgresError) else None
                if sqlstate is None or sqlstate.startswith(_LOST) or self._statement is None:
                    log.warning("event_log_connection_lost", error=type(error).__name__, sqlstate=sqlstate)
                    self._drop_connection()
                elif sqlstate.startswith(_PASSING):
                    who = await self._lock_holders() if sqlstate == _LOCKED else ()
                    log.warning("event_log_batch_waits", sqlstate=sqlstate, error=str(error), held_by=who)
                else:
                    self._reject(batch, sqlstate, str(error))
                    return
                batch = self._expire(batch)
                await asyncio.sleep(pause)
                pause = min(max(2 * pause, _FIRST_PAUSE), _LONGEST_PAUSE)
                continue
            for last in record["lasts"]:
                if last is not None and last > self._history.end:
                    self._history.end = last
            for waiting, outcome in zip(batch, outcomes([w.command for w in batch], record), strict=True):
                if not waiting.outcome.done():
                    waiting.outcome.set_result(outcome)
            return

    async def _call(self, commands: Sequence[Append], size: int) -> asyncpg.Record:
        statement = self._statement or await self._prepare()
        record = await statement.fetchrow(
            *arguments(commands), timeout=self._limits.deadline_seconds + size * _SECONDS_A_BYTE
        )
        assert record is not None, "log.append answers exactly one row"
        return record

    async def _prepare(self) -> asyncpg.prepared_stmt.PreparedStatement:
        self._connection = await self._connect()
        self._statement = await self._connection.prepare(self._text)
        return self._statement

    async def _lock_holders(self) -> tuple[str, ...]:
        """Who keeps the log from us, for whoever reads our log."""
        if self._connection is None:
            return ()
        try:
            rows = await self._connection.fetch(load_sql("infra.eventlog", "lock_holders"), timeout=_ASK_SECONDS)
        except Exception as error:
            log.info("event_log_lock_holders_unknown", error=type(error).__name__)
            return ()
        return tuple(f"{row['role']} ({row['application']}, process {row['pid']})" for row in rows)

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
        self._connection = self._statement = None

    def _reject(self, batch: Sequence[_Waiting], sqlstate: str, message: str) -> None:
        """Nothing of this batch was stored. Each caller gets an exception of its own: they add tracebacks to it."""
        log.warning("event_log_batch_refused", sqlstate=sqlstate, error=message, commands=len(batch))
        for waiting in batch:
            if not waiting.outcome.done():
                waiting.outcome.set_exception(Rejected(sqlstate, message))

    def _expire(self, batch: Sequence[_Waiting]) -> list[_Waiting]:
        """Tells those who waited long enough; returns the others of `batch`."""
        now = self._loop.time()
        while self._queue and self._queue[0].expires <= now:
            self._tell_unavailable(self._queue.popleft())
        for waiting in batch:
            if waiting.expires <= now:
                self._tell_unavailable(waiting)
        return [waiting for waiting in batch if not waiting.outcome.done()]

    def _tell_unavailable(self, waiting: _Waiting) -> None:
        if not waiting.outcome.done():
            waiting.outcome.set_exception(Unavailable("the event log"))

    def _ended(self, task: asyncio.Task[None]) -> None:
        for waiting in (*self._in_call, *self._queue):
            self._tell_unavailable(waiting)
        self._queue.clear()
        if not self._closing and not self.failed.done():
            reason = asyncio.CancelledError() if task.cancelled() else task.exception()
            self.failed.set_result(reason or RuntimeError("the event log's writer ended"))
