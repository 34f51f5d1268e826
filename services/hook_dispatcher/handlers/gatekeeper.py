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
from infra.requests import system_request
from services.hook_dispatcher.decider import gates
from services.hook_dispatcher.handlers.commands import fresh_code

SERVICE = "hook_dispatcher"


class Gatekeeper:
    """One look at a plan. Safe to do at any time, any number of times, by any number of processes."""

    def __init__(self, plans: Desk[Plan], clock: Clock, ring: Callable[[], None]) -> None:
        """`ring` says in this process that the log has grown."""
        self._plans = plans
        self._clock = clock
        self._ring = ring

    async def look(self, stream: str) -> None:
        """Do what is due."""
        plan = await self._plans.recall(stream)
        if plan is None:
            return
        now = self._clock.now()
        if gate := gates.due_gate(plan):
            code = fresh_code()
            await self._do(plan, gate, "open", lambda state: gates.open_due(state, now, code))
        elif gate := gates.expired_gate(plan, now):
            await self._do(plan, gate, "expire", lambda state: gates.expire(state, now))

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
