"""A database with executors on it, for the executor's tests: plans given as events, commands asked, a counting target."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from contracts.commands import Accepted, Actor, AnyCommand, Denied, Failed, PutWorkflow, Reply, Request, StartPlan
from contracts.evolve import fold
from contracts.plan import ItemState, Plan
from contracts.plan_events import Event, ExecutionStarted, PlanCreated, ResolvedWorkflow, StartRequested
from contracts.run import EVENTS as RUN_EVENTS
from contracts.run_state import Run, fold_run
from contracts.seal import seal_of
from contracts.values import Content, Item, WorkflowSpec
from contracts.workflow import HttpStep, ScriptStep, Stage, WorkflowDefinition, WorkflowInput, workflow_digest
from infra.clock import Clock, SystemClock
from infra.commands import Desk
from infra.config import Secret
from infra.eventlog import EventLog
from infra.ids import random_id
from infra.projection import Projector
from infra.requests import Requests, decode_reply, encode_request, fingerprint_of
from infra.tail import Tail, Wake
from infra.timers import TimerLoop
from services.executor.app import Executor, projections
from services.executor.config import Settings
from services.planner.projections import PlanList
from tests.support.servers import Dsns
from tests.support.wait import ended, eventually

OLIVIA = Actor("user:olivia")
ADMIN = Actor("user:root", administrator=True)


class House:
    """One database, with a folder of data that all its executors share."""

    def __init__(self, dsns: Dsns, admin: EventLog, data: Path) -> None:
        self.dsns = dsns
        self.admin = admin
        self.data = data
        self.secrets: dict[str, str] = {}
        self._plans: Desk[Plan] = Desk(admin, fold)

    def settings(self, **fields: Any) -> Settings:
        return Settings(
            database_url=Secret(self.dsns.of("executor")),
            data=self.data,
            **{"kill_grace_seconds": 1.0, "drain_seconds": 5.0, "http_allow": ("127.0.0.0/8",), **fields},
        )

    @asynccontextmanager
    async def executor(self, owner: str = "", clock: Clock | None = None, **fields: Any) -> AsyncIterator["Asked"]:
        """A running executor in this process, without a bus: the log's poll wakes it."""
        log, wake, time = await EventLog.open(self.dsns.of("executor")), Wake(), clock or SystemClock()
        executor = Executor(log, Tail(log, wake, 0.02), time, self.settings(**fields), self._secret, owner)
        works = [executor.reactor.run(), TimerLoop(log.pool, "executor", time, executor.wake, poll_seconds=0.05).run()]
        works += [Projector(log, wake, one, poll_seconds=0.02).run() for one in projections(log)]
        works.append(Projector(self.admin, wake, PlanList(self.admin.read_stream), poll_seconds=0.02).run())
        tasks = [asyncio.create_task(work) for work in works]
        try:
            yield Asked(self, executor, time)
        finally:
            await executor.close()
            await ended(*tasks)
            await log.close()

    async def _secret(self, name: str) -> Secret | None:
        return Secret(self.secrets[name]) if name in self.secrets else None

    async def append(self, plan: str, *events: Event) -> None:
        """These events on the plan, whatever its state, as Olivia's."""

        async def decide(_: Plan | None) -> Sequence[Event]:
            return events

        at = SystemClock().now()
        request = Request(StartPlan(plan=plan), OLIVIA, random_id(), fingerprint_of(plan), at)
        await self._plans.execute(request, f"plan-{plan}", decide)

    async def plan(self, *items: Item, definition: WorkflowDefinition | None = None, **fields: Any) -> str:
        """A sealed plan of these items; workflow items run `definition`, which must have been put."""
        plan = random_id()
        content = Content(name="Release", owner=("user:olivia",), items=items, **fields)
        resolved = {}
        if definition is not None:
            one = ResolvedWorkflow(
                project=definition.project, workflow=definition.name, revision=1, digest=workflow_digest(definition)
            )
            resolved = {item.id: one for item in items if isinstance(item.spec, WorkflowSpec)}
        await self.append(plan, PlanCreated(index=1, project="web", content=content), seal_of(content, resolved))
        return plan

    async def executing(self, *items: Item, definition: WorkflowDefinition | None = None, **fields: Any) -> str:
        """As `plan`, and started."""
        plan = await self.plan(*items, definition=definition, **fields)
        seal = (await self.read(plan)).seal
        assert seal is not None
        await self.append(plan, StartRequested(by="owner"), ExecutionStarted(seal=seal.value))
        return plan

    async def read(self, plan: str) -> Plan:
        state = fold(await self.admin.read_stream(f"plan-{plan}"))
        assert state is not None
        return state

    async def item(self, plan: str, item: str = "deploy") -> ItemState:
        return (await self.read(plan)).state_of(item)

    async def item_is(self, plan: str, status: str, item: str = "deploy") -> ItemState:
        """The item, once it has this status."""

        async def check() -> ItemState | None:
            state = await self.item(plan, item)
            assert state.status == status, f"{state.status}: {[attempt.error for attempt in state.attempts]}"
            return state

        found = await eventually(check, what=f"item {item} is {status}")
        assert found is not None
        return found

    async def run(self, run: str) -> Run:
        state = fold_run(await self.admin.read_stream(f"run-{run}"))
        assert state is not None
        return state

    async def run_events(self, run: str, type_name: str) -> list[Any]:
        from contracts.registry import decode

        assert type_name in RUN_EVENTS
        facts = await self.admin.read_stream(f"run-{run}")
        return [decode(fact.type, fact.payload) for fact in facts if fact.type == type_name]


class Asked:
    """One executor, to be asked as the bus would."""

    def __init__(self, house: House, executor: Executor, clock: Clock) -> None:
        self.executor = executor
        self._house = house
        self._clock = clock
        self._requests = Requests("executor", executor.handlers)

    async def reply(self, command: AnyCommand, actor: Actor = OLIVIA, key: str = "") -> Reply:
        request = Request(command, actor, key or random_id(), fingerprint_of(key, command), self._clock.now())
        return decode_reply(await self._requests(encode_request(request)))

    async def ask(self, command: AnyCommand, actor: Actor = OLIVIA, key: str = "") -> Accepted:
        reply = await self.reply(command, actor, key)
        assert isinstance(reply, Accepted), reply
        return reply

    async def refused(self, command: AnyCommand, actor: Actor = OLIVIA) -> Denied:
        reply = await self.reply(command, actor)
        assert isinstance(reply, Denied), reply
        return reply

    async def put(self, definition: WorkflowDefinition) -> WorkflowDefinition:
        await self.ask(PutWorkflow(definition=definition), ADMIN)
        return definition


@asynccontextmanager
async def open_house(dsns: Dsns, data: Path) -> AsyncIterator[House]:
    admin = await EventLog.open(dsns.admin)
    try:
        yield House(dsns, admin, data)
    finally:
        await admin.close()


def deploy(*steps: ScriptStep | HttpStep, inputs: tuple[WorkflowInput, ...] = (), **fields: Any) -> WorkflowDefinition:
    """A workflow `web/deploy` of one stage."""
    return WorkflowDefinition(
        project="web", name="deploy", stages=(Stage(name="all", steps=steps),), inputs=inputs, **fields
    )


def script(text: str, name: str = "one", **fields: Any) -> ScriptStep:
    return ScriptStep(name=name, script=text, **fields)


def workflow_item(item: str = "deploy", inputs: dict[str, str] | None = None, **fields: Any) -> Item:
    return Item(id=item, name=item, spec=WorkflowSpec(project="web", workflow="deploy", inputs=inputs or {}), **fields)


class Target:
    """A server that counts what reaches it. `answers` gives the next statuses (then 200); `hold` keeps requests waiting."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.body = b"ok"
        self.hold: asyncio.Event | None = None
        self.url = ""

    @property
    def keys(self) -> list[str]:
        return [headers["Idempotency-Key"] for _, _, headers, _ in self.requests]

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append((request.method, request.raw_path, dict(request.headers), await request.read()))
        status = self.answers.pop(0) if self.answers else 200
        if self.hold is not None:
            await self.hold.wait()
        return web.Response(status=status, body=self.body)


@asynccontextmanager
async def counting_target() -> AsyncIterator[Target]:
    target = Target()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", target.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server = site._server
    assert isinstance(server, asyncio.Server)
    target.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield target
    finally:
        if target.hold is not None:
            target.hold.set()
        with contextlib.suppress(TimeoutError):
            await runner.cleanup()


__all__ = ["ADMIN", "OLIVIA", "Asked", "Failed", "House", "Target", "counting_target", "deploy", "open_house", "script"]
