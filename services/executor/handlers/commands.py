"""Answers the executor's commands: read what the rule must know, let the decider decide, append, answer.

Drift is special: it is refused, and it is also a fact that stops the plan, so it is recorded before the refusal goes out.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from msgspec.structs import replace

from contracts.commands import (
    Accepted,
    CancelItem,
    Command,
    CompleteItem,
    ExecuteItem,
    OverrideStart,
    PutWorkflow,
    Request,
    RetryItem,
    SkipItem,
    StartPlan,
    TickSubStep,
    WaiveItem,
)
from contracts.guidance import moves_left, told
from contracts.plan import Plan
from contracts.plan_events import Event, ItemStarted, PlanDrifted
from contracts.refusals import Refused
from contracts.workflow import WorkflowRevised, workflow_digest, workflow_stream
from infra.commands import Decide, Desk
from infra.freezes import Freezes, frozen_at
from infra.requests import Handler, system_request
from infra.richtext import clean
from services.executor.decider import items, walk, workflows
from services.executor.decider.rules import drift_of
from services.executor.handlers.reading import Shelf
from services.executor.views import Workflow

log = structlog.get_logger()


class Commands:
    """One handler per command. `plans` and `workflows` are the desks of this process."""

    def __init__(self, plans: Desk[Plan], workflows: Desk[Workflow], shelf: Shelf, freezes: Freezes) -> None:
        self._plans = plans
        self._workflows = workflows
        self._shelf = shelf
        self._freezes = freezes

    def handlers(self) -> Mapping[type[Command], Handler]:
        """For `infra.requests.Requests`."""
        of_items = (CompleteItem, TickSubStep, ExecuteItem, SkipItem, CancelItem, RetryItem, WaiveItem)
        return {
            StartPlan: self.start,
            OverrideStart: self.start,
            PutWorkflow: self.put_workflow,
            **dict.fromkeys(of_items, self.act_on_item),
        }

    async def start(self, request: Request) -> Accepted:
        """StartPlan and OverrideStart."""
        command = request.command
        assert isinstance(command, StartPlan | OverrideStart)

        async def decide(plan: Plan | None) -> Sequence[Event]:
            sealed = await self._shelf.sealed(plan) if plan is not None else {}
            frozen = frozen_at(await self._freezes.read(), plan, request.at) if plan is not None else None
            if isinstance(command, OverrideStart):
                return walk.override_start(plan, command, request.actor, request.at, sealed, frozen)
            return walk.start(plan, command.plan, request.actor, request.at, sealed, frozen)

        return await self._on_plan(request, command.plan, decide, {"id": command.plan})

    async def act_on_item(self, request: Request) -> Accepted:
        """The item commands. The answer names the attempt and run of a start, and what may be done about failed items."""
        command = request.command
        assert isinstance(command, items.ItemCommand)
        if isinstance(command, CompleteItem):  # a remark is shown as rich text, like the content above it
            command = replace(command, remark=clean(command.remark))
        body: dict[str, Any] = {"id": command.plan, "item": command.item}

        async def decide(plan: Plan | None) -> Sequence[Event]:
            starts = isinstance(command, ExecuteItem | RetryItem)
            sealed = await self._shelf.sealed(plan, (command.item,)) if plan is not None and starts else {}
            frozen = frozen_at(await self._freezes.read(), plan, request.at) if plan is not None else None
            events = items.decide(plan, command, items.Context(request.actor, request.at, sealed, frozen))
            for event in events:
                if isinstance(event, ItemStarted):
                    body.update(attempt=event.attempt, run=event.run)
            if plan is not None:  # the order has moved its own item on; others may still block the plan
                body["next"] = told(moves_left(plan, frozenset({command.item})))
            return events

        return await self._on_plan(request, command.plan, decide, body)

    async def _on_plan(self, request: Request, plan_id: str, decide: Decide[Plan], body: dict[str, Any]) -> Accepted:
        stream = f"plan-{plan_id}"
        try:
            return await self._plans.execute(request, stream, decide, body=body)
        except Refused as refused:
            if refused.code == "seal_drift":
                await self._record_drift(request, stream)
            raise

    async def _record_drift(self, request: Request, stream: str) -> None:
        plan = await self._plans.read(stream)
        if plan is None or plan.drift is not None:
            return

        async def decide(plan: Plan | None) -> Sequence[Event]:
            if plan is None or plan.drift is not None or plan.status not in walk.ACTIVE:
                return ()
            drifted = drift_of(plan, plan.content.items, await self._shelf.sealed(plan))
            return (PlanDrifted(item=drifted[0], fields=drifted[1]),) if drifted else ()

        log.warning("plan_drifted", plan=plan.id)
        own = system_request(
            request.command, "executor", f"{plan.id}:drifted:{plan.version}", request.at, request.trace
        )
        await self._plans.execute(own, stream, decide, cause=plan.position)

    async def put_workflow(self, request: Request) -> Accepted:
        """PutWorkflow. Any user may create; then the creator, the runners and administrators change it."""
        command = request.command
        assert isinstance(command, PutWorkflow)
        definition = command.definition
        body: dict[str, Any] = {"project": definition.project, "name": definition.name}

        async def decide(workflow: Workflow | None) -> Sequence[Event]:
            events = workflows.put(workflow, command, request.actor)
            revised = events[0] if events else workflow and workflow.newest
            if isinstance(revised, WorkflowRevised):
                body.update(revision=revised.revision, digest=workflow_digest(revised.definition))
            return events

        return await self._workflows.execute(
            request, workflow_stream(definition.project, definition.name), decide, body=body
        )
