"""Answers the commands on freezes: put, delete, and override one for a plan."""

from collections.abc import Mapping, Sequence

from contracts.commands import Accepted, Command, DeleteFreeze, OverrideFreeze, PutFreeze, Request
from contracts.freeze import FreezeState
from contracts.moments import micros
from contracts.plan import Plan
from contracts.plan_events import Event, Frozen
from infra.commands import Desk
from infra.freezes import Freezes, frozen_within, settled
from infra.recurrence import faults_of
from infra.requests import Handler
from services.planner.decider.freezes import override, write

_FAR = 3 * 366 * 86_400 * 1_000_000


class Freezing:
    """`freezes` is what is read for plans, `desk` what is written."""

    def __init__(self, plans: Desk[Plan], desk: Desk[FreezeState], freezes: Freezes) -> None:
        self._plans = plans
        self._desk = desk
        self._freezes = freezes

    def handlers(self) -> Mapping[type[Command], Handler]:
        """For `infra.requests.Requests`."""
        return {PutFreeze: self.write, DeleteFreeze: self.write, OverrideFreeze: self.override}

    async def write(self, request: Request) -> Accepted:
        """PutFreeze and DeleteFreeze. Answered when every start that is decided from then on knows it."""
        command = request.command
        assert isinstance(command, PutFreeze | DeleteFreeze)
        faults = faults_of(command.definition) if isinstance(command, PutFreeze) else ()

        async def decide(state: FreezeState | None) -> Sequence[Event]:
            return write(state, command, request.actor, faults)

        done = await self._desk.execute(request, f"freeze-{command.freeze}", decide, body={"id": command.freeze})
        await settled()
        return done

    async def override(self, request: Request) -> Accepted:
        """OverrideFreeze."""
        command = request.command
        assert isinstance(command, OverrideFreeze)

        async def decide(plan: Plan | None) -> Sequence[Event]:
            found = await concerning(self._freezes, plan, request.at) if plan is not None else ()
            return override(plan, command, request.actor, found)

        return await self._plans.execute(request, f"plan-{command.plan}", decide, body={"id": command.plan})


async def concerning(freezes: Freezes, plan: Plan, at: int | None = None) -> tuple[Frozen, ...]:
    """The occurrences that concern the plan in its window, at its schedule, and at this moment where one is given."""
    window, schedule = plan.content.window, plan.content.schedule
    spans = []
    if window is not None:  # freezes are looked for in its first years only; a window that long leaves time free
        spans.append((micros(window.start), min(micros(window.end), micros(window.start) + _FAR)))
    spans += [(moment, moment + 1) for moment in (micros(schedule.at) if schedule else None, at) if moment is not None]
    states = await freezes.read() if spans else {}
    found = {one: None for start, end in spans for one in frozen_within(states, plan.project, plan.content, start, end)}
    return tuple(sorted(found, key=lambda one: (one.start, one.end, one.freeze)))
