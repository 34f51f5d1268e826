"""Whether work may be sent here: the database answers, the bus is connected, the lists are not far behind, no draining.

Looked at once a second in the background, so that asking is free and a thousand probes cost no more than one.
"""

import asyncio

from infra.bus import Bus
from infra.postgres import Pool, Row, load_sql
from services.gateway.listing import PLANS, RECORD

_EVERY_SECONDS = 1.0
_PATIENCE_SECONDS = 2.0


class Health:
    """`reasons` is empty when work may be sent."""

    def __init__(self, pool: Pool, bus: Bus, most_lag_events: int) -> None:
        self._pool = pool
        self._bus = bus
        self._most_lag_events = most_lag_events
        self._lag = load_sql("services.gateway", "lag")
        self._database: tuple[str, ...] = ("starting",)
        self.draining = False

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why not, each in a few words."""
        found = list(self._database)
        if not self._bus.connected:
            found.append("NATS does not answer")
        if self.draining:
            found.append("draining")
        return tuple(found)

    async def run(self) -> None:
        """Look again and again until cancelled."""
        me = asyncio.current_task()
        # asyncpg may take a cancellation for its own time limit, in Python 3.11; it was meant for us all the same.
        while me is None or not me.cancelling():
            self._database = await self._look()
            await asyncio.sleep(_EVERY_SECONDS)

    async def _look(self) -> tuple[str, ...]:
        try:
            rows = await self._ask()
        except Exception:  # whatever it is, work sent here would meet it too
            return ("the database does not answer",)
        late = [row for row in rows if row["lag"] > self._most_lag_events]
        return tuple(f"the list {row['name']} is {row['lag']} events behind" for row in late)

    async def _ask(self) -> list[Row]:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            connection = await self._pool.acquire()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await connection.fetch(self._lag, [PLANS, RECORD])
        finally:
            # With a bound of its own: it waits until a given-up question is cancelled, and a frozen server hears nothing.
            await self._pool.release(connection, timeout=_PATIENCE_SECONDS)
