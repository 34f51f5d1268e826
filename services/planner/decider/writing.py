"""From contents to events: the fewest and smallest that turn one content into another, each small enough for the log.

Pure. Relies on every single part being small enough, see `services.planner.decider.structure`. What one order makes goes
into the log in one append, so nobody ever acts on half of it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from contracts.difference import changed_sections, moved
from contracts.edit_events import ItemsDigested, ItemsPlaced, ItemsPut, ItemsRemoved, Run
from contracts.plan_events import Event, PlanCreated, PlanEdited, PlanSealed, ResolvedWorkflow, Source
from contracts.values import SECTIONS, Changes, Content, Item

EVENT_BYTES = 60_000

T = TypeVar("T")
_encode = msgspec.json.Encoder().encode


def created(index: int, project: str, content: Content, source: Source | None) -> tuple[Event, ...]:
    """A new plan with this content. What does not fit into its first event follows in others."""
    whole = PlanCreated(index=index, project=project, content=content, source=source)
    sizes = {name: len(_encode(getattr(content, name))) for name in SECTIONS}
    room = EVENT_BYTES - len(_encode(source))
    if sum(sizes.values()) + len(SECTIONS) * 20 <= room:
        return (whole,)
    first = Content(name=content.name)
    room -= 2_000
    for name in sorted(SECTIONS[1:], key=lambda name: sizes[name]):
        if (room := room - sizes[name] - 20) < 0:
            break
        first = msgspec.structs.replace(first, **{name: getattr(content, name)})
    return (msgspec.structs.replace(whole, content=first), *edited(first, content))


def edited(old: Content, new: Content, restored: int = 0) -> tuple[Event, ...]:
    """One content turned into another; `()` where they are equal. `restored`: the version that is brought back."""
    names = changed_sections(old, new)
    sections = [(name, getattr(new, name)) for name in names if name != "items"]
    events: list[Event] = []
    for portion in _portions(sections):
        events.append(PlanEdited(changes=Changes(**dict(portion)), restored=restored))
        restored = 0
    if "items" not in names:
        return tuple(events)
    if restored:
        events.append(PlanEdited(changes=Changes(), restored=restored))
    return (*events, *_items(old.items, new.items))


def _items(old: Sequence[Item], new: Sequence[Item]) -> Iterator[Event]:
    before, after = {item.id: item for item in old}, {item.id: item for item in new}
    for gone in _portions(one for one in before if one not in after):
        yield ItemsRemoved(items=tuple(gone))
    for put in _portions(item for item in new if before.get(item.id) != item):
        yield ItemsPut(items=tuple(put))
    order = [one for one in before if one in after] + [one for one in after if one not in before]
    places = {one: i for i, one in enumerate(order)}
    for runs in _portions(_runs(list(after), frozenset(moved(list(after), places)))):
        yield ItemsPlaced(runs=tuple(runs))


def _runs(order: list[str], moving: frozenset[str]) -> Iterator[Run]:
    """The moving names in runs, each with the name in front of it, none too long for a portion."""
    run: list[str] = []
    front = ""
    for i, one in enumerate(order):
        if one not in moving:
            continue
        if run and (order[i - 1] != run[-1] or len(run) == 500):
            yield Run(tuple(run), front)
            run = []
        if not run:
            front = order[i - 1] if i else ""
        run.append(one)
    if run:
        yield Run(tuple(run), front)


def sealed(whole: PlanSealed) -> tuple[Event, ...]:
    """A seal; where its digests do not fit into one event, most of them go before it."""
    if len(_encode(whole)) <= EVENT_BYTES:
        return (whole,)
    parts = (((one, digest), (one, whole.workflows.get(one))) for one, digest in whole.items.items())
    portions: Iterable[list[Any]] = _portions(parts)
    digests = (
        ItemsDigested(
            items=dict(digest for digest, _ in portion),
            workflows={one: workflow for _, (one, workflow) in portion if workflow is not None},
        )
        for portion in portions
    )
    return (*digests, msgspec.structs.replace(whole, items={}, workflows={}))


def whole_seal(events: Iterable[Event]) -> PlanSealed:
    """The seal that these events of one sealing make together."""
    items: dict[str, str] = {}
    workflows: dict[str, ResolvedWorkflow] = {}
    for event in events:
        if isinstance(event, ItemsDigested | PlanSealed):
            items, workflows = items | event.items, workflows | event.workflows
        if isinstance(event, PlanSealed):
            return msgspec.structs.replace(event, items=items, workflows=workflows)
    raise ValueError("no event of these seals a plan")


def _portions(parts: Iterable[T]) -> Iterator[list[T]]:
    """The parts in order, in lists that are no larger as JSON than an event may be."""
    portion: list[T] = []
    size = 0
    for part in parts:
        own = len(_encode(part)) + 24
        if portion and size + own > EVENT_BYTES:
            yield portion
            portion, size = [], 0
        portion.append(part)
        size += own
    if portion:
        yield portion
