"""What the executor does of itself when a plan has moved on: start it, end it, create its runs, take in their ends.

Asked about a plan as often as one likes. It folds the plan, asks the decider what is due, and appends under a key made of
the plan's version, so that it acts once however many executors are woken. Nothing due appends nothing.
"""

from collections.abc import Callable, Mapping, Sequence

import structlog

from contracts.commands import StartPlan
from contracts.evolve import fold
from contracts.plan import Attempt, Plan
from contracts.plan_events import Event, Frozen
from contracts.registry import NAMES
from contracts.run import RunCreated, run_stream
from contracts.run_state import Run
from contracts.values import Item
from infra.clock import Clock
from infra.commands import Decide, Desk
from infra.eventlog import EventLog
from infra.freezes import Freezes, frozen_at
from infra.requests import system_request
from services.executor.decider import runs as run_rules
from services.executor.decider import walk
from services.executor.decider.inputs import complete_inputs
from services.executor.decider.starting import waiting_for_system
from services.executor.handlers.reading import Shelf

log = structlog.get_logger()


class Plans:
    """Looks after plans. `due(stream)` has a run looked at (`Reactor.due`)."""

    def __init__(
        self,
        event_log: EventLog,
        plans: Desk[Plan],
        runs: Desk[Run],
        shelf: Shelf,
        freezes: Freezes,
        clock: Clock,
        due: Callable[[str], None],
    ) -> None:
        self._log = event_log
        self._plans = plans
        self._runs = runs
        self._shelf = shelf
        self._freezes = freezes
        self._clock = clock
        self._due = due

    async def look(self, stream: str) -> None:
        """Do what is due in this plan now, until nothing is."""
        while (plan := await self._plans.recall(stream)) is not None and await self._step(plan):
            pass
        if plan is not None:
            await self._runs_of(plan)

    async def _step(self, plan: Plan) -> bool:
        at = self._clock.now()
        key = f"due:{plan.version}"
        if walk.needs_workflows(plan, at):
            frozen = frozen_at(await self._freezes.recall(), plan, at)
            # A freeze may come and go without moving the plan's version: what was decided under one says nothing later.
            key = f"{key}:{self._freezes.position}"
        else:
            frozen = None
        if not await self._due_now(plan, at, frozen):
            return False

        async def decide(now: Plan | None) -> Sequence[Event]:
            if now is None:
                return ()
            return await self._due_now(now, at, frozen_at(await self._freezes.read(), now, at))

        await self._append(plan, key, decide)
        return True

    async def _due_now(self, plan: Plan, at: int, frozen: Frozen | None) -> Sequence[Event]:
        if not walk.needs_workflows(plan, at):
            return walk.due(plan, at, {}, frozen)
        if plan.status != "executing":
            return walk.due(plan, at, await self._shelf.sealed(plan), frozen)
        waiting = [item.id for item in waiting_for_system(plan)]
        return walk.due(plan, at, await self._shelf.sealed(plan, waiting), frozen, await self._shelf.runner(plan))

    async def _append(self, plan: Plan, what: str, decide: Decide[Plan]) -> None:
        # The log keeps events, not commands: this one only fills the place.
        request = system_request(StartPlan(plan=plan.id), "executor", f"{plan.id}:{what}", self._clock.now())
        events: list[str] = []

        async def told(now: Plan | None) -> Sequence[Event]:
            decided = await decide(now)
            events[:] = [NAMES[type(event)] for event in decided]
            return decided

        accepted = await self._plans.execute(request, f"plan-{plan.id}", told, cause=plan.position)
        if events and not accepted.repeated:
            log.info("plan_moved", plan=plan.id, events=events, version=accepted.version)

    async def _runs_of(self, plan: Plan) -> None:
        """Every attempt without an end has its run; every run that has ended is told to the plan."""
        asked: dict[str, Item] = {}
        for item, state in list(plan.items.items()):
            attempt = state.running
            if attempt is None or not attempt.run:
                continue
            run = await self._runs.recall(run_stream(attempt.run))
            if run is None:
                asked = asked or {one.id: one for one in plan.content.items}
                await self._create(plan, item, attempt, asked)
            elif run.outcome is not None:
                await self._finish(plan, run)
            else:
                self._due(run_stream(run.id))

    async def _finish(self, plan: Plan, run: Run) -> None:
        async def decide(now: Plan | None) -> Sequence[Event]:
            return run_rules.item_finished(now, run)

        await self._append(plan, f"finished:{run.id}", decide)

    async def _create(self, plan: Plan, item: str, attempt: Attempt, asked: Mapping[str, Item]) -> None:
        """The run of an intent. Made also where the plan no longer wants it, so that there is one thing to cancel."""
        created = await self._created(plan, item, attempt, asked)
        stream = run_stream(attempt.run)
        request = system_request(StartPlan(plan=plan.id), "executor", f"{attempt.run}:created", self._clock.now())

        async def decide(run: Run | None) -> Sequence[Event]:
            return () if run is not None else (created,)

        await self._runs.execute(request, stream, decide, cause=plan.position)
        log.info("run_created", run=attempt.run, plan=plan.id, item=item, attempt=attempt.number)
        self._due(stream)

    async def _created(self, plan: Plan, item: str, attempt: Attempt, asked: Mapping[str, Item]) -> RunCreated:
        """`asked`: the items of the plan as it is, by id."""
        then = await self._as_started(plan, item, attempt)
        wanted = asked.get(item) if then is plan else then.item(item)
        sealed = await self._shelf.sealed(then, (item,))
        assert wanted is not None
        found = sealed[item]
        before = await self._runs.read(run_stream(attempt.retry_of)) if attempt.retry_of else None
        return RunCreated(
            plan=plan.id,
            item=item,
            attempt=attempt.number,
            revision=found.resolved.revision,
            digest=found.resolved.digest,
            definition=found.definition,
            inputs=complete_inputs(then, wanted, found.definition),
            first_step=(before.next_step or 0) if before is not None else 0,
            retry_of=attempt.retry_of,
            outputs=before.outputs if before is not None else {},
        )

    async def _as_started(self, plan: Plan, item: str, attempt: Attempt) -> Plan:
        """The plan as it was when this attempt was decided. Since then it may have been reopened, edited, sealed anew."""
        if plan.status == "executing" and plan.state_of(item).status == "running":
            return plan
        then: Plan | None = None
        for fact in await self._log.read_stream(f"plan-{plan.id}"):
            then = fold((fact,), then)
            running = then.state_of(item).running if then is not None else None
            if running is not None and running.number == attempt.number:
                break
        assert then is not None
        return then
