"""What differs between two contents of a plan: for versions of a draft, for approvers, for two edits that meet.

Pure. Items are matched by id, whatever their place: an item with another id is another item. Entries of other lists are
matched by what names them (a requirement by tracker, kind and key; a touch, an owner, a label by itself; approval levels
and rules by their place). A change of order is told apart from changes of content, with the fewest moves that explain
it; texts are compared by words. It refuses nothing and knows no versions: whoever asks says which two contents.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, Literal

import msgspec

from contracts.values import SECTIONS, Content, Item, Requirement, SubStep, Touch
from contracts.words import Piece, Pieces


class Change(msgspec.Struct, frozen=True):
    """One field or list entry that differs. `path` is a JSON Pointer: into the new content, for `removed` into the old one.

    For `moved`, `before` and `after` are places in the list, counted from 0. `words` is there for texts of several words.
    """

    path: str
    kind: Literal["changed", "added", "removed", "moved"] = "changed"
    before: Any = None
    after: Any = None
    words: tuple[Piece, ...] = ()


class ItemPlace(msgspec.Struct, frozen=True):
    """An item that is on one side only, whole. `place` counts from 0."""

    item: Item
    place: int


class ItemChange(msgspec.Struct, frozen=True):
    """An item that is on both sides and differs. Paths begin at the item: `/name`, `/spec/content`."""

    id: str
    name: str
    changes: tuple[Change, ...]


class ItemMove(msgspec.Struct, frozen=True):
    """An item that stands elsewhere among those that both sides have. Places count from 0."""

    id: str
    name: str
    before: int
    after: int


class ItemsDifference(msgspec.Struct, frozen=True):
    """What differs between two lists of items."""

    added: tuple[ItemPlace, ...] = ()
    removed: tuple[ItemPlace, ...] = ()
    changed: tuple[ItemChange, ...] = ()
    moved: tuple[ItemMove, ...] = ()


class Difference(msgspec.Struct, frozen=True):
    """`sections` are the names of those that differ, in the order of a plan; `changes` tells all of them but `items`."""

    sections: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    items: ItemsDifference = ItemsDifference()


def difference(old: Content, new: Content) -> Difference:
    """What was changed from `old` to `new`. Equal contents give `Difference()`."""
    sections = changed_sections(old, new)
    pieces = Pieces()
    changes: list[Change] = []
    for name in sections:
        if name != "items":
            changes += _compare(f"/{name}", getattr(old, name), getattr(new, name), pieces)
    if "items" not in sections:
        return Difference(sections, tuple(changes))
    return Difference(sections, tuple(changes), items_difference(old.items, new.items, pieces))


def changed_sections(old: Content, new: Content) -> tuple[str, ...]:
    """The names of the sections that differ, in the order of a plan."""
    pairs = ((name, getattr(old, name), getattr(new, name)) for name in SECTIONS)
    return tuple(name for name, before, after in pairs if before is not after and before != after)


def items_difference(old: Sequence[Item], new: Sequence[Item], pieces: Pieces | None = None) -> ItemsDifference:
    """What differs between two lists of items, in time that grows with their length."""
    pieces = pieces or Pieces()
    before = {item.id: i for i, item in enumerate(old)}
    after = {item.id: i for i, item in enumerate(new)}
    changed: list[ItemChange] = []
    for i, item in enumerate(new):
        was = old[before[item.id]] if item.id in before else item
        if after[item.id] == i and was is not item and was != item:
            changed.append(ItemChange(item.id, item.name, tuple(_compare("", was, item, pieces))))
    kept = [item.id for item in new if item.id in before]
    return ItemsDifference(
        added=tuple(ItemPlace(item, i) for i, item in enumerate(new) if item.id not in before),
        removed=tuple(ItemPlace(item, i) for i, item in enumerate(old) if item.id not in after),
        changed=tuple(changed),
        moved=tuple(ItemMove(one, new[after[one]].name, before[one], after[one]) for one in moved(kept, before)),
    )


def moved(order: Sequence[str], places: dict[str, int]) -> list[str]:
    """The fewest of these names that must be taken out so that the others stand in the order of their old `places`."""
    tails: list[int] = []  # tails[n]: index in `order` of the smallest end of an ascending row of n + 1 names
    behind: list[int] = []
    for i, name in enumerate(order):
        place, low, high = places[name], 0, len(tails)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if places[order[tails[middle]]] < place else (low, middle)
        behind.append(tails[low - 1] if low else -1)
        tails[low : low + 1] = [i]
    staying, i = set(), tails[-1] if tails else -1
    while i >= 0:
        staying.add(i)
        i = behind[i]
    return [name for i, name in enumerate(order) if i not in staying]


_NAMES: dict[type, Callable[[Any], Hashable]] = {
    str: lambda text: text,
    Requirement: lambda one: (one.tracker, one.kind, one.key),
    Touch: lambda one: (one.service, one.environment),
    SubStep: lambda one: one.id,
}
"""What names an entry of a list, by its type. Entries of other types are matched by their place."""


def _compare(path: str, old: Any, new: Any, pieces: Pieces) -> Iterator[Change]:
    if old is new or old == new:
        return
    if isinstance(old, msgspec.Struct) and type(old) is type(new):
        for name in old.__struct_fields__:
            yield from _compare(f"{path}/{name}", getattr(old, name), getattr(new, name), pieces)
    elif isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys((*old, *new)):
            yield from _one_side(f"{path}/{_escaped(name)}", old.get(name), new.get(name), pieces)
    elif isinstance(old, tuple) and isinstance(new, tuple):
        yield from _list(path, old, new, pieces)
    elif isinstance(old, str) and isinstance(new, str):
        yield Change(path, "changed", old, new, pieces.between(old, new))
    else:
        yield Change(path, "changed", _plain(old), _plain(new))


def _one_side(path: str, old: Any, new: Any, pieces: Pieces) -> Iterator[Change]:
    if old is None:
        yield Change(path, "added", after=_plain(new))
    elif new is None:
        yield Change(path, "removed", before=_plain(old))
    else:
        yield from _compare(path, old, new, pieces)


def _list(path: str, old: tuple[Any, ...], new: tuple[Any, ...], pieces: Pieces) -> Iterator[Change]:
    before, after = _named(old), _named(new)
    for name, (i, one) in before.items():
        if name not in after:
            yield Change(f"{path}/{i}", "removed", before=_plain(one))
    for name, (i, one) in after.items():
        if name not in before:
            yield Change(f"{path}/{i}", "added", after=_plain(one))
        else:
            yield from _compare(f"{path}/{i}", before[name][1], one, pieces)
    places = {repr(name): i for name, (i, _) in before.items()}
    goes = {repr(name): i for name, (i, _) in after.items() if name in before}
    for one in moved(list(goes), places):
        yield Change(f"{path}/{goes[one]}", "moved", places[one], goes[one])


def _named(entries: tuple[Any, ...]) -> dict[Hashable, tuple[int, Any]]:
    """Entries with their places, by what names them. One that stands there twice is told apart by its count."""
    found: dict[Hashable, tuple[int, Any]] = {}
    for i, one in enumerate(entries):
        name_of = _NAMES.get(type(one))
        name: Hashable = i if name_of is None else name_of(one)
        while name in found:
            name = (name, i)
        found[name] = (i, one)
    return found


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value)
