"""One function per command: find out what the decision needs, decide, append."""

from collections.abc import Iterable
from typing import Any, Protocol

from msgspec.structs import replace

from contracts.commands import Accepted, CopyPlan, CreatePlan, Request, SealPlan
from contracts.endpoint_state import fold_endpoint
from contracts.people import PEOPLE_STREAM
from contracts.people_state import fold_people
from contracts.plan import Plan
from contracts.plan_events import Event, ResolvedWorkflow
from contracts.values import GATES, Content, WorkflowSpec
from contracts.workflow import WorkflowDefinition, WorkflowRevised, workflow_stream
from contracts.workflow_state import resolved, revision_of
from infra.commands import Desk
from infra.eventlog import EventLog
from infra.freezes import Freezes
from infra.ids import derived_id
from infra.postgres import load_sql
from infra.zones import zone_names
from services.planner.decider import Command, Known, decide
from services.planner.handlers.cleaning import clean_content
from services.planner.handlers.freezing import concerning

_ENDPOINT = "endpoint:"


class Directory(Protocol):
    """Who exists. `infra.identity.Identities` has it."""

    async def existing(self, refs: Iterable[str]) -> set[str]: ...
    async def members(self, groups: Iterable[str]) -> dict[str, frozenset[str]]: ...


class Planner:
    """Answers the planner's commands."""

    def __init__(self, log: EventLog, desk: Desk[Plan], directory: Directory, freezes: Freezes) -> None:
        self._log = log
        self._desk = desk
        self._directory = directory
        self._freezes = freezes
        self._next_index = load_sql("services.planner", "next_index")
        self._zones = zone_names()

    async def create(self, request: Request) -> Accepted:
        """CreatePlan: a plan with the next running number."""
        command = request.command
        assert isinstance(command, CreatePlan)
        command = replace(command, content=clean_content(command.content))
        return await self._new(request, command, None)

    async def copy(self, request: Request) -> Accepted:
        """CopyPlan: a new plan with another one's content."""
        command = request.command
        assert isinstance(command, CopyPlan)
        origin = await self._desk.read(f"plan-{command.origin}")
        left = [name for name in ("window", "schedule") if origin is not None and getattr(origin.content, name)]
        return await self._new(request, command, origin, left_behind=left)

    async def seal(self, request: Request) -> Accepted:
        """SealPlan: every reference is looked up, then all problems are told at once."""
        command = request.command
        assert isinstance(command, SealPlan)

        async def decided(plan: Plan | None) -> tuple[Event, ...]:
            known = Known() if plan is None else await self.known(plan)
            return decide(plan, command, request.actor, request.at, known)

        return await self._desk.execute(request, f"plan-{command.plan}", decided, body={"id": command.plan})

    async def move(self, request: Request) -> Accepted:
        """ReopenPlan and CancelPlan."""
        return await self._change(request, request.command)  # type: ignore[arg-type]  # dispatched by type in app

    async def _new(
        self, request: Request, command: CreatePlan | CopyPlan, origin: Plan | None, **answer: Any
    ) -> Accepted:
        async def decided(plan: Plan | None) -> tuple[Event, ...]:
            index = await self._log.pool.fetchval(self._next_index) if plan is None else 0
            return decide(plan, command, request.actor, request.at, Known(index=index, origin=origin))

        return await self._desk.execute(request, f"plan-{command.plan}", decided, body={"id": command.plan, **answer})

    async def _change(self, request: Request, command: Command) -> Accepted:
        async def decided(plan: Plan | None) -> tuple[Event, ...]:
            return decide(plan, command, request.actor, request.at, Known())

        return await self._desk.execute(request, f"plan-{command.plan}", decided, body={"id": command.plan})

    async def known(self, plan: Plan) -> Known:
        """All that sealing this plan must know, looked up now."""
        refs = set(_refs(plan.content))
        groups = {ref for ref in refs if ref.startswith("group:")}
        workflows: dict[str, ResolvedWorkflow] = {}
        definitions: dict[str, WorkflowDefinition] = {}
        read: dict[tuple[str, int | None], WorkflowRevised | None] = {}
        for item in plan.content.items:
            if not isinstance(item.spec, WorkflowSpec):
                continue
            stream = workflow_stream(item.spec.project, item.spec.workflow)
            which = (stream, item.spec.revision)
            if which not in read:  # a plan of many items has few workflows
                read[which] = revision_of(await self._log.read_stream(stream), item.spec.revision)
            if (revised := read[which]) is not None:
                workflows[item.id], definitions[item.id] = resolved(revised), revised.definition
        people = fold_people(await self._log.read_stream(PEOPLE_STREAM))
        return Known(
            people=frozenset({*await self._directory.existing(refs), *await self._endpoints(plan.content)}),
            members=await self._directory.members(groups),
            persons=people.persons if people else {},
            workflows=workflows,
            definitions=definitions,
            zones=self._zones,
            frozen=await concerning(self._freezes, plan),
        )

    async def _endpoints(self, content: Content) -> set[str]:
        """The endpoints among the systems of the gates that exist and are switched on."""
        found = set()
        for system in _systems(content):
            if system.startswith(_ENDPOINT):
                name = system.removeprefix(_ENDPOINT)
                facts = await self._log.read_stream(f"endpoint-{derived_id('endpoint', name)}")
                endpoint = fold_endpoint(facts)
                if endpoint is not None and endpoint.enabled:
                    found.add(system)
        return found


def _systems(content: Content) -> Iterable[str]:
    for gate in GATES:
        rule = content.gates.rule(gate)
        yield from rule.systems if rule else ()


def _refs(content: Content) -> Iterable[str]:
    yield from content.owner
    yield from (system for system in _systems(content) if not system.startswith(_ENDPOINT))
    for item in content.items:
        yield from item.owner
    for level in content.approval.levels:
        for rule in level.rules:
            yield from rule.approvers
