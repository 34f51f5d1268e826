"""Edits of a draft: find the content that the asker looked at, and the version to bring back; decide; append."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from contracts.commands import Accepted, EditPlan, Request
from contracts.edit_commands import ChangeItem, PutItem, RestorePlan
from contracts.envelope import Fact
from contracts.plan import Plan
from contracts.plan_events import Event
from contracts.refusals import Refused
from contracts.versions import content_at
from infra.commands import Desk
from infra.eventlog import EventLog
from services.planner.decider import Known, decide
from services.planner.decider.editing import Edit
from services.planner.handlers.cleaning import clean_changes, clean_item, clean_item_changes


class Editor:
    """Answers everything that changes the content of a draft."""

    def __init__(self, log: EventLog, desk: Desk[Plan]) -> None:
        self._log = log
        self._desk = desk

    async def edit(self, request: Request) -> Accepted:
        """EditPlan and the orders of `contracts.edit_commands`."""
        command = _cleaned(request.command)
        stream = f"plan-{command.plan}"

        async def decided(plan: Plan | None) -> tuple[Event, ...]:
            known = Known() if plan is None else await self._known(plan, command, stream)
            return decide(plan, command, request.actor, request.at, known)

        return await self._desk.execute(request, stream, decided, body={"id": command.plan})

    async def _known(self, plan: Plan, command: Edit, stream: str) -> Known:
        base = None if command.base == plan.version else command.base
        if (
            base is not None and not 0 < base < plan.version
        ):  # without its content nothing could be kept of what came since
            detail = f"You changed version {base}; the plan is at version {plan.version}. Read it again."
            raise Refused("version_conflict", detail, current_version=plan.version)
        if base is None and not isinstance(command, RestorePlan):
            return Known()
        facts: list[Fact] = await self._log.read_stream(stream)
        return Known(
            base=None if base is None else content_at(facts, base),
            version=content_at(facts, command.version) if isinstance(command, RestorePlan) else None,
        )


_CLEAN: dict[type, Callable[[Any], Edit]] = {
    EditPlan: lambda command: replace(command, changes=clean_changes(command.changes)),
    PutItem: lambda command: replace(command, item=clean_item(command.item)),
    ChangeItem: lambda command: replace(command, changes=clean_item_changes(command.changes)),
}


def _cleaned(command: Any) -> Edit:
    """The order with its rich texts cleaned."""
    clean = _CLEAN.get(type(command))
    edit: Edit = command if clean is None else clean(command)
    return edit
