"""Answers the commands of templates."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from contracts.commands import Accepted, Command, DeleteTemplate, FillTemplate, PutTemplate, Request
from contracts.plan import Plan
from contracts.plan_events import Event
from contracts.template import template_stream
from contracts.template_state import TemplateState
from infra.commands import Desk
from infra.eventlog import EventLog
from infra.postgres import load_sql
from infra.requests import Handler
from services.planner.decider import Known, decide
from services.planner.decider import templates as rules
from services.planner.handlers.cleaning import clean_content


class Templates:
    """Keeps templates, and makes plans from them."""

    def __init__(self, log: EventLog, templates: Desk[TemplateState], plans: Desk[Plan]) -> None:
        self._log = log
        self._templates = templates
        self._plans = plans
        self._next_index = load_sql("services.planner", "next_index")

    def handlers(self) -> Mapping[type[Command], Handler]:
        """For `infra.requests.Requests`."""
        return {PutTemplate: self.put, DeleteTemplate: self.delete, FillTemplate: self.fill}

    async def put(self, request: Request) -> Accepted:
        """PutTemplate. The answer says the revision."""
        command = request.command
        assert isinstance(command, PutTemplate)
        body: dict[str, Any] = {"name": command.name}

        async def decided(state: TemplateState | None) -> Sequence[Event]:
            events = rules.put(state, command, request.actor)
            body.update(rules.told(state, events))
            return events

        return await self._templates.execute(request, template_stream(command.name), decided, body=body)

    async def delete(self, request: Request) -> Accepted:
        """DeleteTemplate."""
        command = request.command
        assert isinstance(command, DeleteTemplate)

        async def decided(state: TemplateState | None) -> Sequence[Event]:
            return rules.delete(state, command, request.actor)

        body = {"name": command.name}
        return await self._templates.execute(request, template_stream(command.name), decided, body=body)

    async def fill(self, request: Request) -> Accepted:
        """FillTemplate: the template is read once the plan is known not to be there, and filled in."""
        command = request.command
        assert isinstance(command, FillTemplate)

        async def decided(plan: Plan | None) -> Sequence[Event]:
            state = await self._templates.read(template_stream(command.template))
            create = rules.plan_from(state, command)
            create = replace(create, content=clean_content(create.content))
            index = await self._log.pool.fetchval(self._next_index) if plan is None else 0
            return decide(plan, create, request.actor, request.at, Known(index=index))

        return await self._plans.execute(request, f"plan-{command.plan}", decided, body={"id": command.plan})
