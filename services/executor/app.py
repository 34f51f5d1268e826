"""Wires the executor: commands in, events out, plans looked after, runs driven, timers heard."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from contracts.commands import Command
from contracts.envelope import Fact, category
from contracts.evolve import fold
from contracts.freeze import EVENTS as FREEZE_EVENTS
from contracts.plan import Plan
from contracts.run_state import Run, fold_run
from infra.addresses import networks
from infra.blobs import Blobs
from infra.checkpoint import Projection
from infra.clock import Clock
from infra.commands import Desk
from infra.config import Secret
from infra.eventlog import EventLog
from infra.freezes import Freezes
from infra.ground import Ground, open_ground
from infra.identity import Identities
from infra.postgres import load_sql
from infra.reactor import Reactor
from infra.remembered import by_items
from infra.requests import Handler, Requests
from infra.tail import Tail
from infra.timers import TimerLoop
from services.executor.adapters import http
from services.executor.adapters.place import owner_name, place_of
from services.executor.adapters.script import Limits, Scripts
from services.executor.adapters.step import FindSecret
from services.executor.config import Settings
from services.executor.handlers.cleaning import Cleaning, Keep
from services.executor.handlers.commands import Commands
from services.executor.handlers.held import HeldPlans
from services.executor.handlers.plans import Plans
from services.executor.handlers.reading import Shelf
from services.executor.handlers.runs import Lease, Runs
from services.executor.handlers.steps import Steps
from services.executor.handlers.sweep import Sweeps
from services.executor.projections import AttemptTimes, OpenAttempts
from services.executor.views import Workflow, fold_workflow

if TYPE_CHECKING:
    from infra.keystore import KeyStore
    from services.executor.handlers.spans import RunSpans

_PACKAGE = "services.executor"
_MARGIN_SECONDS = 2.0
_PLAN_FACTS = frozenset(
    {
        "plan.sealed.v1",
        "plan.reopened.v1",
        "plan.cancelled.v1",
        "plan.approved.v1",
        "plan.start_requested.v1",
        "plan.execution_started.v1",
        "plan.timed_out.v1",
        "plan.items_settled.v1",
        "plan.freeze_overridden.v1",
        "gate.passed.v1",
        "gate.overridden.v1",
        "item.started.v1",
        "item.cancel_requested.v1",
    }
)
_ITEM_FACTS = frozenset({"item.finished.v1", "item.completed.v1", "item.skipped.v1", "item.waived.v1"})
"""After these the system may have to start the next item, where the plan has it do so."""
_RUN_FACTS = frozenset({"run.created.v1", "run.claimed.v1", "run.cancel_requested.v1", "run.finished.v1"})


def projections(log: EventLog) -> Sequence[Projection]:
    """What this service keeps in tables."""
    return (OpenAttempts(), AttemptTimes())


class Executor:
    """The parts of one executor, joined. `handlers` answer commands; `reactor` must run; `close` drains."""

    def __init__(
        self, log: EventLog, tail: Tail, clock: Clock, settings: Settings, find_secret: FindSecret, owner: str = ""
    ) -> None:
        self._log = log
        self._settings = settings
        blobs = Blobs(settings.data / "blobs")
        folder = settings.data / "runs"
        limits = Limits(grace_seconds=settings.kill_grace_seconds, output_bytes=settings.max_output_bytes)
        plans: Desk[Plan] = Desk(log, fold, weigh=by_items)
        runs: Desk[Run] = Desk(log, fold_run)
        workflows: Desk[Workflow] = Desk(log, fold_workflow)
        shelf = Shelf(workflows, Identities(log.pool, clock=clock))
        self._requests = http.Requests(blobs, networks(settings.http_allow), along_of(log))
        self._scripts = scripts = Scripts(folder, place_of(folder), blobs, clock, limits)
        steps = Steps(scripts, self._requests, find_secret, blobs)
        keep = Keep(settings.keep_runs_days, settings.keep_logs_days)
        self.cleaning = Cleaning(log, clock, folder, blobs, keep)
        self._desks = (plans, runs)
        self.reactor = Reactor(
            "executor", tail, self._look, self._wanted, Sweeps(log).sweep, observe=self._observe, tracing=log.tracing
        )
        self.runs = Runs(
            runs,
            plans,
            steps,
            clock,
            owner or owner_name(),
            self.reactor.due,
            Lease(settings.lease_seconds, settings.max_runs),
            spans_of(log, runs),
        )
        self._freezes = freezes = Freezes(log.fetch)
        self._held = HeldPlans()  # the table of timers may not have them yet
        self._plans = Plans(log, plans, runs, shelf, freezes, clock, self.reactor.due)
        self._commands = Commands(plans, workflows, shelf, freezes)

    @property
    def handlers(self) -> "dict[type[Command], Handler]":
        """One per command of the executor."""
        return dict(self._commands.handlers())

    async def wake(self, stream: str, kind: str) -> None:
        """A timer fell due."""
        self.reactor.due(stream)

    async def close(self) -> None:
        """Drain: see `Runs.drain`. Fits into the time that a stopping service has."""
        patience = self._settings.drain_seconds - self._settings.kill_grace_seconds - _MARGIN_SECONDS
        try:
            await self.runs.drain(max(patience, 0))
        finally:
            await self._scripts.close()
            await self._requests.close()

    def _observe(self, facts: list[Fact]) -> None:
        for desk in self._desks:
            desk.observe(facts)
        self._freezes.observe(facts)
        self._held.observe(facts)

    async def _look(self, stream: str) -> None:
        if category(stream) == "run":
            await self.runs.look(stream)
        elif category(stream) == "freeze":
            rows = await self._log.pool.fetch(load_sql(_PACKAGE, "held"))
            for one in self._held.take().union(row["stream"] for row in rows):
                self.reactor.due(one)
        else:
            await self._plans.look(stream)

    def _wanted(self, fact: Fact) -> str | None:
        if fact.type in _PLAN_FACTS or fact.type in _RUN_FACTS or fact.type in FREEZE_EVENTS:
            return fact.stream
        if fact.type not in _ITEM_FACTS:
            return None
        plan = self._desks[0].remembered(fact.stream)
        return None if plan is not None and plan.content.rules.run == "by_hand" else fact.stream


def spans_of(log: EventLog, runs: Desk[Run]) -> "RunSpans | None":
    """What makes the spans of runs; None where no traces are kept."""
    if log.tracing is None:
        return None
    from services.executor.handlers.spans import RunSpans

    return RunSpans(log, runs, log.tracing)


def along_of(log: EventLog) -> Callable[[], Mapping[str, str]] | None:
    """What HTTP steps send of their trace; None where no traces are kept."""
    if log.tracing is None:
        return None
    from infra.telemetry.tracing import along

    return along


def secrets_of(log: EventLog, settings: Settings) -> FindSecret:
    """The key store's `get`; without a master key there are no secrets, and steps that need one say so."""
    store: KeyStore | None = None

    async def find(name: str) -> Secret | None:
        nonlocal store
        if not settings.master_key:
            return None
        if store is None:
            # Here, so that an executor without credentials does not carry the 6 MB of the cryptography library.
            from infra.keystore import KeyStore, master_key_of

            store = KeyStore(log.pool, master_key_of(settings.master_key))
        return await store.get(name)

    return find


@asynccontextmanager
async def build(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Ground]:
    """The running executor."""
    async with open_ground("executor", settings, clock) as ground:
        executor = Executor(ground.log, ground.tail(), ground.clock, settings, secrets_of(ground.log, settings))
        async with contextlib.AsyncExitStack() as closing:
            closing.push_async_callback(executor.close)
            timers = TimerLoop(ground.log.pool, "executor", ground.clock, executor.wake, wake=ground.wake)
            ground.run(executor.reactor.run(), "reactor of executor")
            ground.run(timers.run(), "timers of executor")
            ground.run(executor.cleaning.run(), "cleaning of executor")
            ground.project(projections(ground.log), gather_seconds=0.05)
            ground.bus.serve("executor", Requests("executor", executor.handlers))
            await ground.bus.start()
            yield ground
