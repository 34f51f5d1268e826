"""Wires the relay: one listening connection, one reader of the log, one writer of the mirror."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import REGISTRY

from infra.bus import Bus
from infra.bus.mirror import Mirror
from infra.clock import SystemClock
from infra.eventlog import EventLog
from infra.ground import Ground
from infra.postgres import PATIENCE_SECONDS
from infra.relay import STANDING_BY, LogWatch, Relay
from infra.relay.metrics import RelayMetrics
from services.relay.config import Settings


class RelayService:
    """What the process shell asks: may it be relied on, and has it ended by itself."""

    def __init__(self, ground: Ground, watch: LogWatch, relay: Relay, max_lag: int) -> None:
        self.failed = ground.failed
        self._ground = ground
        self._relay = relay
        self._watch = watch
        self._max_lag = max_lag

    def ready(self) -> str | None:
        """None when following closely enough, or standing by for one that does; else why not."""
        if obstacle := self._ground.ready():
            return obstacle
        if not self._watch.connected:
            return "PostgreSQL does not answer"
        if self._relay.obstacle == STANDING_BY:
            return None
        if self._relay.obstacle:
            return self._relay.obstacle
        lag = self._relay.lag or 0
        return f"{lag} events behind the log" if lag > self._max_lag else None


@asynccontextmanager
async def build(settings: Settings) -> AsyncIterator[RelayService]:
    """The running relay. It does not hear its own bell: the database's rings for it."""
    dsn = settings.database_url.reveal()
    log = await EventLog.open(  # any history: the relay compares it with the mirror
        dsn, pool_size=2, any_history=True, patience_seconds=PATIENCE_SECONDS
    )
    bus = Bus(settings.nats_url, name="relay", user=settings.nats_user, password=settings.nats_password.reveal())
    ground = Ground(log, bus, SystemClock())
    metrics = RelayMetrics(REGISTRY)
    leading = asyncio.Event()
    watch = LogWatch(dsn, ground.wake, leading)
    relay = Relay(
        log,
        Mirror(bus, replicas=settings.mirror_replicas),
        ground.wake,
        leading,
        metrics=metrics,
        gather_seconds=settings.relay_gather_seconds,
    )
    try:
        await bus.start()
        ground.run(watch.run(), "watch of the log")
        ground.run(relay.run(), "relay")
        yield RelayService(ground, watch, relay, settings.relay_max_lag)
    finally:
        await ground.stop_work()
        await bus.stop()
        metrics.close()
        await log.close()
