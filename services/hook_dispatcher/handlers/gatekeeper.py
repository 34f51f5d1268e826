"""Looks at a plan and does what its gates ask for: opens the one that is due, ends the waiting at the deadline, and hands
on the hooks that the plan raised."""

from collections.abc import Callable, Sequence

from contracts.commands import Accepted, RecheckGate
from contracts.envelope import stream_id
from contracts.plan import Plan
from contracts.plan_events import Event
from contracts.values import GateName
from infra.clock import Clock
from infra.commands import Desk
from infra.eventlog import EventLog
from infra.postgres import load_sql
from infra.requests import system_request
from services.hook_dispatcher.decider import gates
from services.hook_dispatcher.handlers.alarms import Alarms, Wake
from services.hook_dispatcher.handlers.commands import fresh_code

SERVICE = "hook_dispatcher"
_PACKAGE = "services.hook_dispatcher"
_ELSEWHERE_SECONDS = 0.1  # when it is another process that folds, nobody tells us that it has


class Gatekeeper:
    """One look at a plan. Safe to do at any time, any number of times, by any number of processes."""

    def __init__(self, log: EventLog, plans: Desk[Plan], clock: Clock, ring: Callable[[], None]) -> None:
        """`ring` says in this process that the log has grown."""
        self._log = log
        self._plans = plans
        self._clock = clock
        self._ring = ring
        self._due = load_sql(_PACKAGE, "due_deliveries")
        self._folded = load_sql(_PACKAGE, "folded_to")
        self._early: set[str] = set()

    async def look(self, stream: str, wake: Wake, alarms: Alarms) -> None:
        """Do what is due. Comes again soon where the projection does not yet know which hooks the plan raised."""
        plan = await self._plans.read(stream)
        if plan is None:
            return
        now, position = self._clock.now(), plan.position
        if gate := gates.due_gate(plan):
            code = fresh_code()
            accepted = await self._do(plan, gate, "open", lambda state: gates.open_due(state, now, code))
            position = accepted.position
        elif gate := gates.expired_gate(plan, now):
            await self._do(plan, gate, "expire", lambda state: gates.expire(state, now))
        if await self._log.pool.fetchval(self._folded) < position:
            self._early.add(stream)
            alarms.set(stream, _ELSEWHERE_SECONDS)
            return
        for row in await self._log.pool.fetch(self._due, plan.id):
            wake(f"delivery-{row['id']}")

    def folded(self, wake: Wake) -> None:
        """The projection in this process has moved on: look again where we came too early."""
        early, self._early = self._early, set()
        for stream in early:
            wake(stream)

    async def _do(
        self, plan: Plan, gate: GateName, what: str, decide: Callable[[Plan | None], Sequence[Event]]
    ) -> Accepted:
        """The key names the version that was looked at, so of two processes one acts, and a later state asks anew."""
        stream = f"plan-{plan.id}"
        command = RecheckGate(plan=stream_id(stream), gate=gate)
        request = system_request(command, SERVICE, f"{stream}/{gate}/{what}/{plan.version}", self._clock.now())

        async def decided(state: Plan | None) -> Sequence[Event]:
            return decide(state)

        accepted = await self._plans.execute(request, stream, decided, cause=plan.position)
        self._ring()
        return accepted
