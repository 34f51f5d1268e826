"""Timers: waking a stream when something of its falls due.

The rows of `view.timer` are derived from the log, so a timer cannot be lost, and firing only wakes: whoever is woken
folds the state and decides. This loop never deletes a row. The projection does, once the log has moved on; until then
the row is fired again, ever more slowly, so a wake-up that led to nothing (a service that crashed) is made good.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec
import structlog

from infra.clock import Clock
from infra.postgres import load_sql
from infra.tail import Wake, database_away

if TYPE_CHECKING:
    import asyncpg

log = structlog.get_logger()

Fire = Callable[[str, str], Awaitable[None]]
"""Wakes a stream for one kind of timer: `await fire(stream, kind)`."""

_GATHER_SECONDS = 0.2  # a busy log rings hundreds of times a second; one look serves many rings
_MICROSECONDS = 1_000_000


class Due(msgspec.Struct, frozen=True):
    """One timer that fell due at `due_at` (Unix microseconds)."""

    stream: str
    kind: str
    due_at: int


class Fired(msgspec.Struct, frozen=True):
    """How often a due timer was fired, and when (Unix microseconds) it may be fired again."""

    times: int
    again_at: int


class TimerLoop:
    """Fires the due timers of one service, by the given clock.

    `wake` should ring when the log has grown (a timer may have been set); without it new timers are seen at the pace of
    `poll_seconds`. A row that stays is fired again after 1, 2, 4 ... at most `again_seconds` seconds.
    """

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        service: str,
        clock: Clock,
        fire: Fire,
        *,
        wake: Wake | None = None,
        poll_seconds: float = 0.5,
        again_seconds: float = 60.0,
    ) -> None:
        self._pool = pool
        self._service = service
        self._clock = clock
        self._fire = fire
        self._wake = wake or Wake()
        self._poll_seconds = poll_seconds
        self._again_seconds = again_seconds
        self._due_sql = load_sql("infra", "timers_due")
        self._next_sql = load_sql("infra", "timers_next")
        self._fired: dict[Due, Fired] = {}

    async def run(self) -> None:
        """Fire until cancelled. A database that is away is waited for, and told once."""
        away = False
        while True:
            ticket = self._wake.ticket()
            try:
                pause = await self.step()
                away = False
            except Exception as error:
                if not database_away(error):
                    raise
                if not away:
                    log.warning("timers_wait", service=self._service, error=repr(error))
                away, pause = True, self._poll_seconds
            if await self._wake.wait(pause, ticket):
                await asyncio.sleep(_GATHER_SECONDS)

    async def step(self) -> float:
        """Fire what is due now and may be fired. Returns the seconds until there may be something to do again."""
        now = self._clock.now()
        async with self._pool.acquire() as conn:
            rows = await conn.fetch(self._due_sql, self._service, now)
            following = await conn.fetchval(self._next_sql, self._service, now)
        due = [Due(row["stream"], row["kind"], row["due_at"]) for row in rows]
        self._fired = {timer: self._fired[timer] for timer in due if timer in self._fired}
        for timer in due:
            if timer not in self._fired or self._fired[timer].again_at <= now:
                await self._fire_one(timer, now)
        moments = [fired.again_at for fired in self._fired.values()]
        if following is not None:
            moments.append(following)
        seconds = (min(moments) - self._clock.now()) / _MICROSECONDS if moments else self._poll_seconds
        return min(max(seconds, 0.001), self._poll_seconds)

    async def _fire_one(self, timer: Due, now: int) -> None:
        before = self._fired.get(timer)
        times = before.times + 1 if before else 1
        wait_seconds = min(2.0 ** (times - 1), self._again_seconds)
        self._fired[timer] = Fired(times, now + int(wait_seconds * _MICROSECONDS))
        try:
            await self._fire(timer.stream, timer.kind)
        except Exception:
            log.exception("timer_failed", service=self._service, stream=timer.stream, kind=timer.kind)
