"""Answers the commands on saved lists. A person's stream follows from who asks, so nobody reaches another's."""

from collections.abc import Mapping, Sequence

from contracts.commands import Accepted, Command, DropList, Request, SaveList
from contracts.plan_events import Event
from contracts.saved_list import SavedLists
from infra.commands import Desk
from infra.ids import lists_stream
from infra.requests import Handler
from services.planner.decider.lists import write


class Lists:
    """`desk` is what is written."""

    def __init__(self, desk: Desk[SavedLists]) -> None:
        self._desk = desk

    def handlers(self) -> Mapping[type[Command], Handler]:
        """For `infra.requests.Requests`."""
        return {SaveList: self.write, DropList: self.write}

    async def write(self, request: Request) -> Accepted:
        """SaveList and DropList."""
        command = request.command
        assert isinstance(command, SaveList | DropList)

        async def decide(state: SavedLists | None) -> Sequence[Event]:
            return write(state, command)

        return await self._desk.execute(request, lists_stream(request.actor.id), decide, body={"id": command.name})
