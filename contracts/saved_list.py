"""Lists of plans that a person keeps under a name: filters and their order. The events of a `list-<id>` stream, one per person.

What is kept is the question, never the answer: the list is asked for anew each time. Nobody else sees or changes it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Literal, cast

import msgspec
from msgspec import Meta

from contracts.envelope import Fact
from contracts.plan import Status
from contracts.plan_events import Event
from contracts.values import Moment, Ref, Slug, Value

TouchKey = Annotated[
    str, Meta(max_length=201, pattern=r"^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$(?!\n)", title="SERVICE/ENVIRONMENT")
]
"""A service in an environment: `api/production`."""
Asked = Annotated[
    str,
    Meta(
        max_length=110,
        pattern=r"^(administrators|(user|group):[A-Za-z0-9._@-]+)$(?!\n)",
        title="user:NAME, group:NAME or administrators",
    ),
]
MOST_LISTS = 100


class Filters(Value, frozen=True):
    """Filters are combined by "and"; several values of one filter by "or".

    `text` is looked for in name and description, in any case of letters. `window_from` and `window_to` find plans whose
    window, or schedule where they have no window, touches that time. `waiting_for`: whose vote is asked; `asked`: whom the
    plan waits for, for whatever reason. `review_owed`: an emergency approval waits for a review. `order`: `window` has what
    starts first first, and plans without a time last.
    """

    status: Annotated[tuple[Status, ...], Meta(max_length=20)] = ()
    owner: Annotated[tuple[Ref, ...], Meta(max_length=20)] = ()
    item_owner: Annotated[tuple[Ref, ...], Meta(max_length=20)] = ()
    waiting_for: Annotated[tuple[Ref, ...], Meta(max_length=20)] = ()
    label: Annotated[tuple[Slug, ...], Meta(max_length=20)] = ()
    project: Annotated[tuple[Slug, ...], Meta(max_length=20)] = ()
    text: Annotated[str, Meta(max_length=200)] = ""
    window_from: Moment | None = None
    window_to: Moment | None = None
    review_owed: bool | None = None
    touches: Annotated[tuple[TouchKey, ...], Meta(max_length=20)] = ()
    asked: Annotated[tuple[Asked, ...], Meta(max_length=20)] = ()
    order: Literal["newest", "oldest", "updated", "window", "name"] = "newest"


class ListSaved(Event, frozen=True, gc=False):
    """A list, new or changed, whole."""

    name: Slug
    filters: Filters


class ListDropped(Event, frozen=True, gc=False):
    name: Slug


EVENTS: dict[str, type[Event]] = {"list.saved.v1": ListSaved, "list.dropped.v1": ListDropped}
OWNERS: dict[str, tuple[str, ...]] = {"planner": tuple(EVENTS)}
_DECODE: Mapping[str, Callable[[bytes], Event]] = {
    name: cast(Callable[[bytes], Event], msgspec.json.Decoder(kind).decode) for name, kind in EVENTS.items()
}


class SavedLists(msgspec.Struct, frozen=True):
    """One person's lists, by name, at `version` of their stream."""

    version: int
    lists: Mapping[str, Filters]


def fold_lists(facts: Iterable[Fact], state: SavedLists | None = None) -> SavedLists | None:
    """The lists after these facts of a person's stream."""
    for fact in facts:
        lists = dict(state.lists) if state is not None else {}
        match _DECODE[fact.type](fact.payload) if fact.type in _DECODE else None:
            case ListSaved() as saved:
                lists[saved.name] = saved.filters
            case ListDropped() as dropped:
                lists.pop(dropped.name, None)
        state = SavedLists(fact.version, lists)
    return state
