"""What no draft may have, because it would not be a plan: every fault with its path, whoever edits whatever.

Pure. Names are what people recognise and approve, so they must show what they are: control characters and those that
reorder or embed text (U+202A to U+202E, U+2066 to U+2069: a name could read as another one, CVE-2021-42574) are refused in
them, and a name of nothing but invisible characters is blank. All else of Unicode is kept as it was typed, without
normalising: marks, joiners and right-to-left letters are how names are written. Long texts may have all of it but U+0000.
"""

import unicodedata
from collections.abc import Iterable, Iterator

import msgspec

from contracts.refusals import Fault, Refused
from contracts.values import SECTIONS, Content, Item, TextSpec

PART_BYTES = 56_000
"""How large an item, or a section other than the items, may be as JSON: one event must hold it (64 kB, see
`infra.eventlog.check`), with room for what stands around it."""

MOST_LONG, MOST_SHORT, MOST_ITEMS = 20_000, 2_000, 10_000
"""Characters of a long and of a short text, and items of a plan, as `contracts.values` has them. A test compares them."""

_encode = msgspec.json.Encoder().encode
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def demand_structure(content: Content) -> None:
    """Raises Refused(invalid_body) with every fault of the draft."""
    if faults := structural_faults(content):
        raise Refused("invalid_body", counted(faults, "problem") + " in the plan.", faults)


def counted(faults: tuple[Fault, ...], word: str) -> str:
    """`1 problem`, `3 problems`."""
    return f"1 {word}" if len(faults) == 1 else f"{len(faults)} {word}s"


def structural_faults(content: Content) -> tuple[Fault, ...]:
    """Two items of one id, a window that ends before it starts, a name that shows nothing, a part that is too large.

    Lengths are looked at here again, although a body that is too long is refused at the door: cleaning may make a text
    longer, merging a list, and an event with more than its type allows could never be read again.
    """
    return (*_structure(content), *_texts(content), *_sizes(content))


def _structure(content: Content) -> Iterator[Fault]:
    yield from _name("/name", content.name)
    if content.window is not None and content.window.end <= content.window.start:
        yield Fault("/window/end", "is not after the start", "window_order")
    for i, one in enumerate(content.requirements):
        yield from _name(f"/requirements/{i}/key", one.key)
    yield from _duplicates((item.id for item in content.items), "/items/{}/id")
    for i, item in enumerate(content.items):
        yield from _item(f"/items/{i}", item)


def _item(path: str, item: Item) -> Iterator[Fault]:
    yield from _name(f"{path}/name", item.name)
    if item.group:
        yield from _name(f"{path}/group", item.group)
    if isinstance(item.spec, TextSpec) and item.spec.sub_steps:
        yield from _duplicates((step.id for step in item.spec.sub_steps), f"{path}/spec/sub_steps/{{}}/id")


def _name(path: str, name: str) -> Iterator[Fault]:
    if name.isascii() and name.isprintable():
        if not name.strip():
            yield Fault(path, "is blank", "blank")
        return
    kinds = [unicodedata.category(character) for character in name]
    if all(kind in {"Cf", "Zs", "Zl", "Zp", "Cc"} for kind in kinds):
        yield Fault(path, "is blank", "blank")
    elif not _REORDERING.isdisjoint(name):
        yield Fault(path, "must not contain characters that reorder text (such as U+202E)", "reordering_character")
    elif not {"Cc", "Zl", "Zp"}.isdisjoint(kinds):
        yield Fault(path, "must not contain control characters or line breaks", "control_character")


def _duplicates(ids: Iterable[str], path: str) -> Iterator[Fault]:
    seen: set[str] = set()
    for i, one in enumerate(ids):
        if one in seen:
            yield Fault(path.format(i), f"{one} stands here a second time", "duplicate_id")
        seen.add(one)


def _texts(content: Content) -> Iterator[Fault]:
    yield from _length("/description", content.description, MOST_LONG)
    for i, one in enumerate(content.requirements):
        yield from _length(f"/requirements/{i}/title", one.title, MOST_SHORT)
    if len(content.items) > MOST_ITEMS:
        yield Fault("/items", f"has {len(content.items)} items; at most {MOST_ITEMS} are possible", "too_many")
    for i, item in enumerate(content.items):
        if isinstance(item.spec, TextSpec):
            yield from _length(f"/items/{i}/spec/content", item.spec.content, MOST_LONG)
            for j, step in enumerate(item.spec.sub_steps):
                yield from _length(f"/items/{i}/spec/sub_steps/{j}/text", step.text, MOST_SHORT)


def _length(path: str, text: str, most: int) -> Iterator[Fault]:
    if len(text) > most:
        detail = f"has {len(text)} characters when its HTML is written out safely; at most {most} are kept"
        yield Fault(path, detail, "too_long")


def _sizes(content: Content) -> Iterator[Fault]:
    for name in SECTIONS:
        if name != "items":
            yield from _size(f"/{name}", getattr(content, name))
    for i, item in enumerate(content.items):
        yield from _size(f"/items/{i}", item)


def _size(path: str, part: object) -> Iterator[Fault]:
    size = len(_encode(part))
    if size > PART_BYTES:
        yield Fault(path, f"has {size} bytes as JSON; at most {PART_BYTES} are kept in one piece", "too_large")
