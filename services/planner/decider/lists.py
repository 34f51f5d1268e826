"""The rules of saved lists: a person keeps at most so many, and their own only. Pure."""

from contracts.commands import DropList, SaveList
from contracts.plan_events import Event
from contracts.refusals import Refused
from contracts.saved_list import MOST_LISTS, ListDropped, ListSaved, SavedLists


def write(state: SavedLists | None, command: SaveList | DropList) -> tuple[Event, ...]:
    """Save or drop a list of the person whose lists these are; `()` when it is already so. Raises Refused."""
    lists = state.lists if state is not None else {}
    match command:
        case SaveList():
            if command.name not in lists and len(lists) >= MOST_LISTS:
                raise Refused("too_many_lists", f"You have {MOST_LISTS} lists; drop one first.", most=MOST_LISTS)
            if lists.get(command.name) == command.filters:
                return ()
            return (ListSaved(name=command.name, filters=command.filters),)
        case DropList():
            if command.name not in lists:
                raise Refused("list_not_found", f"You have no list {command.name}.")
            return (ListDropped(name=command.name),)
