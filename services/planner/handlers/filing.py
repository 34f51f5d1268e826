"""Answers ApplyPlan: a plan as a file. A dry run decides the same and appends nothing."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from contracts.commands import Accepted, ApplyPlan, Request
from contracts.plan import Plan
from contracts.plan_events import Event, PlanCreated
from contracts.values import SECTIONS, Content
from infra.commands import Desk
from infra.eventlog import EventLog
from infra.postgres import load_sql
from services.planner.decider import Known
from services.planner.decider.applying import apply, differing, wanted
from services.planner.handlers.cleaning import clean_content

_LARGEST_ANSWER_BYTES = 4 * 1024 * 1024
"""Of what differs: an answer travels as one message (`infra.limits`)."""


class Filing:
    """Applies plan files."""

    def __init__(self, log: EventLog, desk: Desk[Plan]) -> None:
        self._log = log
        self._desk = desk
        self._next_index = load_sql("services.planner", "next_index")

    async def apply(self, request: Request) -> Accepted:
        """ApplyPlan. The answer says what was done, or would be, and which sections differ."""
        command = request.command
        assert isinstance(command, ApplyPlan)
        command = replace(command, content=clean_content(command.content))
        body: dict[str, Any] = {"id": command.plan}

        async def decided(plan: Plan | None) -> Sequence[Event]:
            makes = plan is None and command.source is not None and not command.dry_run
            index = await self._log.pool.fetchval(self._next_index) if makes else 0
            events = apply(plan, command, request.actor, request.at, Known(index=index))
            told = _told(plan, command, events)
            body.update(told, sections=list(told["changes"]))
            if not command.dry_run or len(msgspec.json.encode(told)) > _LARGEST_ANSWER_BYTES:
                body["changes"] = {}
            return events

        stream = f"plan-{command.plan}"
        if not command.dry_run:
            return await self._desk.execute(request, stream, decided, body=body)
        plan = await self._desk.read(stream)
        await decided(plan)
        return Accepted(plan.version if plan else 0, plan.position if plan else 0, body)


def _told(plan: Plan | None, command: ApplyPlan, events: Sequence[Event]) -> dict[str, Any]:
    """Outcome and changes of these events, as `contracts.plan_file.Applied` has them."""
    if not events:
        return {"outcome": "unchanged", "changes": {}}
    if plan is not None:
        return {"outcome": "changed", "changes": _changes(plan, differing(plan.content, wanted(plan, command)))}
    content = command.content
    if isinstance(events[0], PlanCreated):  # the first of perhaps several; it knows whose the plan is
        content = replace(content, owner=events[0].content.owner or content.owner)
    return {"outcome": "created", "changes": _changes(None, _sections(content))}


def _sections(content: Content) -> dict[str, object]:
    """The sections that are not empty."""
    empty = Content(name="")
    return {name: getattr(content, name) for name in SECTIONS if getattr(content, name) != getattr(empty, name)}


def _changes(plan: Plan | None, after: dict[str, object]) -> dict[str, Any]:
    before = {name: getattr(plan.content, name) if plan else None for name in after}
    return {
        name: {"before": msgspec.to_builtins(before[name]), "after": msgspec.to_builtins(after[name])} for name in after
    }
