"""Answers what would happen. Everything is looked up as for the real thing, and nothing is appended."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping

import msgspec

from contracts.commands import Accepted, Actor, CheckSeal, Command, RehearsePlan, Request
from contracts.endpoint_state import Endpoint, fold_endpoint
from contracts.people import PEOPLE_STREAM
from contracts.people_state import People, fold_people
from contracts.plan import Plan
from contracts.rights import moves_plan, owners
from contracts.values import WorkflowSpec
from contracts.workflow import WorkflowRevised, workflow_stream
from contracts.workflow_state import resolved, revision_of
from infra.commands import Desk
from infra.eventlog import EventLog
from infra.freezes import Freezes, frozen_at
from infra.postgres import load_sql
from infra.requests import Handler
from services.planner.decider import Known
from services.planner.decider.foreseeing import check_seal
from services.planner.decider.rehearsing import Surroundings, Usual, rehearse
from services.planner.handlers import Directory, Planner


class Foreseeing:
    """Looks ahead. One rehearsal at a time is played, so that commands do not wait behind several."""

    def __init__(
        self, log: EventLog, desk: Desk[Plan], planner: Planner, directory: Directory, freezes: Freezes
    ) -> None:
        self._log = log
        self._desk = desk
        self._planner = planner
        self._directory = directory
        self._freezes = freezes
        self._usual_times = load_sql("infra", "usual_times")
        self._endpoint_ids = load_sql("services.planner", "endpoint_ids")
        self._turn = asyncio.Lock()

    def handlers(self) -> Mapping[type[Command], Handler]:
        """For `infra.requests.Requests`."""
        return {CheckSeal: self.check_seal, RehearsePlan: self.rehearse}

    async def check_seal(self, request: Request) -> Accepted:
        """CheckSeal. The answer's body is a `contracts.foresight.SealCheck`."""
        command = request.command
        assert isinstance(command, CheckSeal)
        plan = await self._desk.read(f"plan-{command.plan}")
        known = Known() if plan is None else await self._planner.known(plan)
        check = check_seal(plan, command.plan, request.actor, request.at, known)
        return Accepted(check.version, plan.position if plan else 0, msgspec.to_builtins(check))

    async def rehearse(self, request: Request) -> Accepted:
        """RehearsePlan. The answer's body is a `contracts.foresight.Rehearsal`."""
        command = request.command
        assert isinstance(command, RehearsePlan)
        plan = await self._desk.read(f"plan-{command.plan}")
        around = Surroundings() if plan is None else await self._surroundings(plan, request.actor)
        freezes = await self._freezes.read()
        async with self._turn:
            rehearsal = await asyncio.to_thread(
                rehearse, plan, command.plan, around, request.at, lambda now, at: frozen_at(freezes, now, at)
            )
        return Accepted(rehearsal.version, plan.position if plan else 0, msgspec.to_builtins(rehearsal))

    async def _surroundings(self, plan: Plan, asker: Actor) -> Surroundings:
        known = await self._as_sealed(plan, await self._planner.known(plan))
        runners = {ref for definition in known.definitions.values() for ref in definition.runners}
        groups = {ref for ref in (*known.members, *runners) if ref.startswith("group:")}
        members = await self._directory.members(groups)
        mover = asker if moves_plan(plan, asker) else None
        people = fold_people(await self._log.read_stream(PEOPLE_STREAM)) or People()
        return Surroundings(
            asker=mover,
            owners=owners(plan),
            sealing=known,
            linked=people,
            members=members,
            usual=await self._usual(plan),
            endpoints=tuple([one async for one in self._endpoints()]),
        )

    async def _as_sealed(self, plan: Plan, known: Known) -> Known:
        """What is known, with the workflows of the seal where there is one."""
        if plan.seal is None:
            return known
        workflows, definitions = {}, {}
        read: dict[tuple[str, int], WorkflowRevised | None] = {}
        for item, sealed in plan.seal.workflows.items():
            which = (workflow_stream(sealed.project, sealed.workflow), sealed.revision)
            if which not in read:  # a plan of many items has few workflows
                read[which] = revision_of(await self._log.read_stream(which[0]), sealed.revision)
            if (revised := read[which]) is not None:
                workflows[item], definitions[item] = resolved(revised), revised.definition
        return msgspec.structs.replace(known, workflows=workflows, definitions=definitions)

    async def _usual(self, plan: Plan) -> dict[tuple[str, str], Usual]:
        specs = [item.spec for item in plan.content.items if isinstance(item.spec, WorkflowSpec)]
        wanted: Iterable[tuple[str, str]] = sorted({(one.project, one.workflow) for one in specs})
        if not wanted:
            return {}
        projects, names = map(list, zip(*wanted, strict=True))
        rows = await self._log.pool.fetch(self._usual_times, projects, names)
        return {(row["project"], row["workflow"]): Usual(row["median"], row["runs"]) for row in rows}

    async def _endpoints(self) -> AsyncIterator[Endpoint]:
        for row in await self._log.pool.fetch(self._endpoint_ids):
            endpoint = fold_endpoint(await self._log.read_stream(f"endpoint-{row['id']}"))
            if endpoint is not None:
                yield endpoint
