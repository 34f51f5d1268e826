"""What wakes the dispatcher, and who looks then: the gatekeeper at plans, the courier at deliveries."""

from collections.abc import Callable, Iterable

from contracts.envelope import Fact, category
from infra.clock import Clock
from infra.eventlog import EventLog
from infra.postgres import load_sql
from infra.reactor import Reactor, Swept
from infra.tail import Tail
from services.hook_dispatcher.handlers.alarms import Alarms, Lanes
from services.hook_dispatcher.handlers.courier import Courier
from services.hook_dispatcher.handlers.gatekeeper import SERVICE, Gatekeeper

PLAN_FACTS = {"plan.start_requested.v1", "plan.items_settled.v1", "plan.sealed.v1"}
DELIVERY_FACTS = frozenset({"delivery.created.v1", "delivery.failed.v1", "delivery.resent.v1"})

_SWEEP_SECONDS = 10.0
_HORIZON_SECONDS = 2 * _SWEEP_SECONDS


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
        concurrency: int,
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
            concurrency=concurrency,
            observe=observe,
        )
        self._alarms = Alarms(self._reactor.due, farthest_seconds=_HORIZON_SECONDS)
        self._lanes = Lanes(self._reactor.due)

    async def run(self) -> None:
        try:
            await self._reactor.run()
        finally:
            self._alarms.close()

    async def fire(self, stream: str, kind: str) -> None:
        """A timer of ours fell due: a gate's deadline."""
        self._reactor.due(stream)

    def raised(self, streams: Iterable[str]) -> None:
        """The projection of this process found these deliveries due."""
        for stream in streams:
            self._reactor.due(stream)

    async def _look(self, stream: str) -> None:
        if category(stream) == "plan":
            await self._gatekeeper.look(stream)
        else:
            await self._courier.look(stream, self._alarms, self._lanes)

    async def _sweep(self) -> Swept:
        """Whatever may have something to do before the next sweep but one."""
        horizon = self._clock.now() + int(_HORIZON_SECONDS * 1_000_000)
        rows = await self._log.pool.fetch(self._open_work, horizon)
        return Swept(rows[0]["position"], tuple(row["stream"] for row in rows[1:]))


def wanted(fact: Fact) -> str | None:
    """The stream that this fact may have made something due in."""
    wakes = fact.type in PLAN_FACTS or fact.type in DELIVERY_FACTS
    return fact.stream if wakes else None
