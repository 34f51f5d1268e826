"""Saved lists: at most so many, the same again is already so."""

from contracts.commands import DropList, SaveList
from contracts.saved_list import MOST_LISTS, Filters, ListDropped, ListSaved, SavedLists
from services.planner.decider.lists import write
from tests.support.spec import given

FILTERS = Filters(status=("executing",), order="window")
SAVE = SaveList(name="mine", filters=FILTERS)


def test_a_list_is_saved_changed_and_dropped() -> None:
    given(None).when(lambda state: write(state, SAVE)).then(ListSaved(name="mine", filters=FILTERS))
    kept = SavedLists(1, {"mine": FILTERS})
    given(kept).when(lambda state: write(state, SAVE)).then_nothing()
    given(kept).when(lambda state: write(state, DropList(name="mine"))).then(ListDropped(name="mine"))
    given(kept).when(lambda state: write(state, DropList(name="other"))).refused("list_not_found")


def test_a_person_keeps_at_most_so_many_and_may_still_change_one() -> None:
    full = SavedLists(9, {**{f"l{number}": FILTERS for number in range(MOST_LISTS - 1)}, "mine": Filters()})
    given(full).when(lambda state: write(state, SAVE)).then(ListSaved(name="mine", filters=FILTERS))
    given(full).when(lambda state: write(state, SaveList(name="new", filters=FILTERS))).refused("too_many_lists")
