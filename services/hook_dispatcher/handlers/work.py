"""What wakes the dispatcher, and who looks then: the gatekeeper at plans, the courier at deliveries.

However much is due, only so many deliveries are in memory: the rest stays in the table, and is swept up as there is room.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

import structlog

from contracts.envelope import Fact, category
from infra.clock import Clock
from infra.eventlog import EventLog
from infra.postgres import load_sql
from infra.reactor import Reactor, Swept
from infra.tail import Tail, database_away
from services.hook_dispatcher.handlers.alarms import Alarms, Lanes
from services.hook_dispatcher.handlers.breakers import host_of
from services.hook_dispatcher.handlers.courier import Courier
from services.hook_dispatcher.handlers.gatekeeper import SERVICE, Gatekeeper
from services.hook_dispatcher.views.rows import DeliveryRow

log = structlog.get_logger(__name__)

PLAN_FACTS = {"plan.start_requested.v1", "plan.items_settled.v1", "plan.sealed.v1"}
DELIVERY_FACTS = frozenset({"delivery.resent.v1"})
"""All else that happens to a delivery is done by who looks at it, or found by the sweep when that one is gone."""

_SWEEP_SECONDS = 10.0
_HORIZON_SECONDS = 2 * _SWEEP_SECONDS
_MOST_OF_ONE = 200
"""Deliveries of one endpoint that one sweep takes up."""
_MOST_BUSY = 2_000
"""Deliveries that are in memory at once, whatever they wait for. How many of them are sent at once, `Turns` bounds."""
_REFILL_SECONDS = 0.5


class Work:
    """The dispatcher's own work. `run` until cancelled; `due` has a stream looked at."""

    def __init__(
        self,
        log: EventLog,
        tail: Tail,
        clock: Clock,
        gatekeeper: Gatekeeper,
        courier: Courier,
        *,
        observe: Callable[[list[Fact]], None],
    ) -> None:
        self._log = log
        self._clock = clock
        self._gatekeeper = gatekeeper
        self._courier = courier
        self._open_work = load_sql("services.hook_dispatcher", "open_work")
        self._reactor = Reactor(
            SERVICE,
            tail,
            self._look,
            wanted,
            self._sweep,
            sweep_seconds=_SWEEP_SECONDS,
            concurrency=_MOST_BUSY,  # how many send at once, the courier says
            observe=observe,
            tracing=log.tracing,
        )
        self._alarms = Alarms(self._reactor.due, farthest_seconds=_HORIZON_SECONDS)
        self._lanes = Lanes(self._reactor.due)
        self._more = False
        """There was more than the last sweep took up."""
        self._swept = asyncio.Event()

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._prepare())
                tasks.create_task(self._reactor.run())
                tasks.create_task(self._refill())
        finally:
            self._alarms.close()

    async def _prepare(self) -> None:
        """Of use, and no more than that: whatever was not read now is read when it is needed.

        Not before it is known from where on the log is followed: what is remembered earlier would miss what comes between.
        """
        await self._swept.wait()
        try:
            await self._courier.prepare()
        except Exception as error:
            log.warning("not_prepared", error=repr(error))

    async def _refill(self) -> None:
        """Sweep again as soon as there is room, while there is more than was taken up."""
        while True:
            await asyncio.sleep(_REFILL_SECONDS)
            if self._more and self._reactor.busy < _MOST_OF_ONE:
                self._more = False
                try:
                    streams = (await self._sweep()).streams
                except Exception as error:
                    if not database_away(error):
                        raise
                    continue
                for stream in streams:
                    if not self._lanes.waits(stream):
                        self._reactor.due(stream)

    async def fire(self, stream: str, kind: str) -> None:
        """A timer of ours fell due: a gate's deadline."""
        self._reactor.due(stream)

    def raised(self, rows: Sequence[DeliveryRow]) -> None:
        """The projection of this process found these deliveries due."""
        room = max(0, _MOST_BUSY - self._reactor.busy)
        self._more = self._more or len(rows) > room
        self._courier.know(rows[:room])
        for row in rows[:room]:
            self._reactor.due(f"delivery-{row.id}")

    async def _look(self, stream: str) -> None:
        if category(stream) == "plan":
            await self._gatekeeper.look(stream)
        else:
            await self._courier.look(stream, self._alarms, self._lanes)

    async def _sweep(self) -> Swept:
        """Whatever may have something to do before the next sweep but one. Of a host that is left alone, one hook."""
        now = self._clock.now()
        rows = await self._log.pool.fetch(self._open_work, now + int(_HORIZON_SECONDS * 1_000_000), _MOST_OF_ONE)
        self._swept.set()
        streams: list[str] = []
        seen, told = Counter[str](), set[str]()
        for row in rows[1:]:
            held = row["url"] and self._courier.breakers.held_until(host_of(row["url"]), now)
            seen[row["url"]] += 0 if held else 1
            if not held or row["url"] not in told:
                streams.append(row["stream"])
                told.add(row["url"])
        self._more = self._more or any(url and count >= _MOST_OF_ONE for url, count in seen.items())
        return Swept(rows[0]["position"], tuple(streams))


def wanted(fact: Fact) -> str | None:
    """The stream that this fact may have made something due in."""
    wakes = fact.type in PLAN_FACTS or fact.type in DELIVERY_FACTS
    return fact.stream if wakes else None
