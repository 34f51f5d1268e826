"""Two edits of one draft that meet: what both wanted, or where they clash, field by field.

Pure. `base` is the content that the later one looked at, `theirs` what the plan has become since, `yours` the sections
that the later one sends. The rule: a section that only one side changed is taken from that side. Items are matched by id
and each is a unit like a section: of an item that only one side changed, removed or added that side's wish is done; the
order is a unit as well, and added items stand behind the item that they were put behind. What both sides changed, and
not to the same, is a clash, and then nothing is taken.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from contracts.values import SECTIONS, Content, Item


class Clash(msgspec.Struct, frozen=True):
    """A field that somebody else changed meanwhile, or that you did: what it was, is, and was to be.

    `path` is a JSON Pointer in which items are named by their id (`/items/deploy/name`); `/items` alone is their order.
    """

    path: str
    base: Any
    theirs: Any
    yours: Any


def merged(base: Content, theirs: Content, wanted: Mapping[str, object]) -> tuple[Content, tuple[Clash, ...]]:
    """`theirs` with the wanted sections; and the clashes, with which the content means nothing."""
    taken: dict[str, Any] = {}
    clashes: list[Clash] = []
    for name, yours in wanted.items():
        was, now = getattr(base, name), getattr(theirs, name)
        if yours == now or (yours == was and was != now):
            continue
        if was is now or was == now:
            taken[name] = yours
        elif name == "items":
            taken[name] = _items(was, now, yours, clashes)  # type: ignore[arg-type]  # the section's own type
        else:
            clashes += _fields(f"/{name}", was, now, yours)
    return (msgspec.structs.replace(theirs, **taken) if taken else theirs), tuple(clashes)


def sections_of(clashes: Sequence[Clash]) -> tuple[str, ...]:
    """The sections that clash, in the order of a plan."""
    names = {clash.path.split("/")[1] for clash in clashes}
    return tuple(name for name in SECTIONS if name in names)


def _fields(path: str, was: Any, now: Any, yours: Any) -> Iterator[Clash]:
    if was == now == yours:
        return
    kinds = {type(was), type(now), type(yours)}
    if len(kinds) == 1 and isinstance(was, msgspec.Struct):
        for name in was.__struct_fields__:
            yield from _fields(f"{path}/{name}", getattr(was, name), getattr(now, name), getattr(yours, name))
    else:
        yield Clash(path, *(msgspec.to_builtins(one) for one in (was, now, yours)))


def _items(was: Sequence[Item], now: Sequence[Item], yours: Sequence[Item], clashes: list[Clash]) -> tuple[Item, ...]:
    """The items that both sides want, in the order that both want; adds to `clashes` where they cannot both have it."""
    base, theirs, ours = _by_id(was), _by_id(now), _by_id(yours)
    result: dict[str, Item] = {}
    for one in dict.fromkeys((*base, *theirs, *ours)):
        old, their, our = base.get(one), theirs.get(one), ours.get(one)
        if their != old and our not in (old, their):
            clashes += _fields(f"/items/{one}", old, their, our)
        elif (taken := our if their == old else their) is not None:
            result[one] = taken
    order = _order(list(base), list(theirs), list(ours), result, clashes)
    return tuple(result[one] for one in order)


def _by_id(items: Sequence[Item]) -> dict[str, Item]:
    return {item.id: item for item in items}


def _order(
    base: list[str], theirs: list[str], ours: list[str], kept: Mapping[str, Item], clashes: list[Clash]
) -> list[str]:
    everywhere = set(base) & set(theirs) & set(ours)
    was, now, yours = ([one for one in side if one in everywhere] for side in (base, theirs, ours))
    if yours in (was, now):
        return _woven(theirs, ours, kept)
    if now != was:
        clashes.append(Clash("/items", was, now, yours))
    return _woven(ours, theirs, kept)


def _woven(order: list[str], other: list[str], kept: Mapping[str, Item]) -> list[str]:
    """The kept names in the order of one side; what only the other side has stands behind the one it stood behind."""
    own = {one for one in order if one in kept}
    behind: dict[str, list[str]] = {}
    last = ""
    for one in other:
        if one in own:
            last = one
        elif one in kept:
            behind.setdefault(last, []).append(one)
    at_end = behind.pop(last, [])  # nothing that both have follows: it was put at the end
    row = list(behind.get("", ()))
    for one in order:
        if one in own:
            row.append(one)
            row += behind.get(one, ())
    return row + at_end
