"""What every service stands on, opened together: the log, the bus, a doorbell that both ring, a clock, background work.

A background task never ends by itself; one that does ends the process, so that no service lives on half alive.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from infra.bus import Bus
from infra.checkpoint import Projection
from infra.clock import Clock, SystemClock
from infra.config import Settings
from infra.eventlog import EventLog
from infra.postgres import PATIENCE_SECONDS
from infra.projection import Projector
from infra.recent import RecentLog
from infra.tail import Tail, Wake
from infra.telemetry import open_tracing

if TYPE_CHECKING:
    from infra.telemetry.tracing import Tracing

POLL_SECONDS = 0.5
"""How often the log is looked at when no bell rings. The bell is the rule; this is for a NATS that is away."""

GATHER_SECONDS = 0.02
"""How long after a ring a reactor waits for more: later by that, and much cheaper when a lot happens."""

_ASK_AGAIN_SECONDS = (
    6.0  # longer than any part takes to hand back what it has begun: a second cancel would cut that off
)


class Ground:
    """The open ground of one service. Has what `infra.process` asks of a service: `ready()` and `failed`.

    `tracing` is None where no endpoint for traces is set, and so is what the log and the bus have of it.
    """

    def __init__(self, log: EventLog, bus: Bus, clock: Clock, tracing: "Tracing | None" = None) -> None:
        self.log = log
        self.bus = bus
        self.clock = clock
        self.tracing = log.tracing = bus.tracing = tracing
        self.wake = Wake()
        self.recent = RecentLog(log, self.wake)
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks: list[asyncio.Task[None]] = []
        log.failed.add_done_callback(lambda writer: self._fail(writer.result()))

    def tail(self) -> Tail:
        """A follower of the log that this service's doorbell wakes."""
        return Tail(self.recent, self.wake, POLL_SECONDS, gather_seconds=GATHER_SECONDS)

    def project(
        self,
        projections: Iterable[Projection],
        *,
        gather_seconds: float = 0.0,
        may_wait: frozenset[str] = frozenset(),
        on_folded: Callable[[], None] | None = None,
    ) -> None:
        """Keep these projections at the end of the log until the service ends."""
        for projection in projections:
            projector = Projector(
                self.recent,
                self.wake,
                projection,
                poll_seconds=POLL_SECONDS,
                gather_seconds=gather_seconds,
                may_wait=may_wait,
                on_folded=on_folded,
            )
            self.run(projector.run(), f"projection {projection.name}")

    def run(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Work that goes on until the service ends."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def ready(self) -> str | None:
        """None when commands may be sent, else why not."""
        return None if self.bus.connected else "NATS does not answer"

    async def stop_work(self) -> None:
        """Cancel the background work and wait for it.

        Cancelled again where it does not end: in Python 3.11 a library's `asyncio.wait_for` forgets a cancellation that comes
        together with the answer.
        """
        left = set(self._tasks)
        for task in left:
            task.remove_done_callback(self._ended)
        while left:
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=_ASK_AGAIN_SECONDS)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        self._fail(error or RuntimeError(f"{task.get_name()} ended by itself"))

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)


@asynccontextmanager
async def open_ground(
    name: str,
    settings: Settings,
    clock: Clock | None = None,
    *,
    patience_seconds: float = PATIENCE_SECONDS,
    traced: bool = True,
) -> AsyncIterator[Ground]:
    """Opens the log and makes the bus, which the caller starts after declaring what it serves.

    `patience_seconds` is how long a silent database is waited for. On leaving: the bus answers what it has taken, the
    background work stops, the log sends what is queued, and then the spans of all that. `traced`: it does something that
    is worth spans.
    """
    tracing = open_tracing(name, settings.otel_exporter_otlp_endpoint) if traced else None
    try:
        async with _open_ground(name, settings, clock, patience_seconds, tracing) as ground:
            yield ground
    finally:
        if tracing is not None:
            await tracing.close()


@asynccontextmanager
async def _open_ground(
    name: str, settings: Settings, clock: Clock | None, patience_seconds: float, tracing: "Tracing | None"
) -> AsyncIterator[Ground]:
    log = await EventLog.open(settings.database_url.reveal(), patience_seconds=patience_seconds)
    bus = Bus(settings.nats_url, name=name, user=settings.nats_user, password=settings.nats_password.reveal())
    ground = Ground(log, bus, clock or SystemClock(), tracing)
    bus.on_wake(ground.wake.set)
    ground.run(log.watch(), "watch of the log")
    try:
        yield ground
    finally:
        await bus.stop()
        await ground.stop_work()
        await log.close()
