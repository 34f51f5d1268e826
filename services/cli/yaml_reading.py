"""YAML as plain data that remembers where in the file each part stands.

It reads the part of YAML that people write plans in, from the parser's events, and refuses what surprises: a key that
stands twice, a second document, tags, keys that are no texts, and documents that are deep, or that grow large by their
aliases (the "billion laughs"). Nothing is guessed from a text: a scalar without quotes stays the text that it is
(`contracts.shape.Plain`), and only nothing at all, `~` and `null` are none.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from contracts.refusals import pointer
from contracts.shape import Path, Plain

_DEEPEST = 32
_MOST_PARTS = 500_000
"""A plan of ten thousand items has a fifth of it."""
_MOST_REPEATED = 20_000
"""Parts that are laid out once more because of an alias."""
_NOTHING = frozenset({"", "~", "null"})


class Place(NamedTuple):
    """Line and column, from 1."""

    line: int
    column: int


class Wrong(NamedTuple):
    """One thing that is wrong with the file itself."""

    place: Place
    detail: str


class Document(NamedTuple):
    """What the file says. `keys` and `values` have the places of each part by its JSON Pointer; `wrong` is all that was
    refused while reading, and `value` is worth nothing when there is something."""

    value: Any
    keys: dict[str, Place]
    values: dict[str, Place]
    wrong: tuple[Wrong, ...]

    def place(self, path: str, *, of_key: bool = False) -> Place:
        """Where the part with this pointer stands, or else the closest one around it."""
        while path:
            found = (self.keys.get(path) if of_key else None) or self.values.get(path) or self.keys.get(path)
            if found is not None:
                return found
            path = path.rpartition("/")[0]
        return self.values.get("", Place(1, 1))


class _Scalar(NamedTuple):
    text: str
    is_plain: bool
    place: Place


class _List(NamedTuple):
    parts: list[Any]
    place: Place


class _Fields(NamedTuple):
    parts: list[tuple[Any, Any]]
    place: Place


class _Stop(Exception):
    """Reading on makes no sense."""


def read_yaml(text: str) -> Document:
    """The document in this text. Never raises for what a person wrote: see `Document.wrong`."""
    reading = _Reading()
    node = None
    try:
        node = reading.whole(yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except _Stop:
        pass
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reading.wrong.append(Wrong(_place(mark) if mark else Place(1, 1), _sentence(error)))
    except yaml.reader.ReaderError as error:
        before = text[: error.position] if isinstance(error.position, int) else ""
        line = before.count("\n") + 1
        detail = "holds a character that YAML does not allow"
        reading.wrong.append(Wrong(Place(line, len(before) - before.rfind("\n")), detail))
    laying = _Laying(reading.wrong, reading.parts + _MOST_REPEATED)
    value = laying.lay(node, ()) if node is not None else None
    return Document(value, laying.keys, laying.values, tuple(sorted(reading.wrong)))


def _sentence(error: yaml.MarkedYAMLError) -> str:
    what = " ".join(str(part) for part in (error.context, error.problem) if part)
    return f"is not YAML: {what}"


def _place(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1)


class _Reading:
    """From events to a tree. Recursion is bounded by `_DEEPEST`."""

    def __init__(self) -> None:
        self.wrong: list[Wrong] = []
        self.parts = 0
        self._anchors: dict[str, Any] = {}

    def whole(self, events: Iterator[Any]) -> Any:
        node = None
        for event in events:
            match event:
                case yaml.DocumentStartEvent() if node is not None:
                    self._stop(event, "starts a second document; a file holds one")
                case yaml.NodeEvent():
                    node = self._node(event, events, 0)
        if node is None:
            self.wrong.append(Wrong(Place(1, 1), "is empty"))
        return node

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> Any:
        self.parts += 1
        if self.parts > _MOST_PARTS:
            self._stop(event, f"has more than {_MOST_PARTS} parts")
        if depth > _DEEPEST:
            self._stop(event, f"is nested deeper than {_DEEPEST} levels")
        if isinstance(event, yaml.AliasEvent):
            return self._anchor(event)
        if event.tag not in {None, "!"}:
            self.wrong.append(Wrong(_place(event.start_mark), f"has a tag ({event.tag[:50]}); tags are not read here"))
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        node = self._made(event, events, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _made(self, event: Any, events: Iterator[Any], depth: int) -> Any:
        place = _place(event.start_mark)
        match event:
            case yaml.ScalarEvent():
                return _Scalar(event.value, event.style is None or event.style == "", place)
            case yaml.SequenceStartEvent():
                parts: list[Any] = []
                while not isinstance(inner := next(events), yaml.SequenceEndEvent):
                    parts.append(self._node(inner, events, depth + 1))
                return _List(parts, place)
            case _:
                pairs: list[tuple[Any, Any]] = []
                while not isinstance(inner := next(events), yaml.MappingEndEvent):
                    key = self._node(inner, events, depth + 1)
                    pairs.append((key, self._node(next(events), events, depth + 1)))
                return _Fields(pairs, place)

    def _anchor(self, event: Any) -> Any:
        if self._anchors.get(event.anchor) is None:
            self._stop(event, f"refers to *{event.anchor[:50]}, which is not defined before it, or is itself")
        return self._anchors[event.anchor]

    def _stop(self, event: Any, detail: str) -> None:
        self.wrong.append(Wrong(_place(event.start_mark), detail))
        raise _Stop


class _Laying:
    """From a tree to data and places. What stands behind an alias is laid out again, up to `most` parts in all."""

    def __init__(self, wrong: list[Wrong], most: int) -> None:
        self.keys: dict[str, Place] = {}
        self.values: dict[str, Place] = {}
        self._wrong = wrong
        self._most = most
        self._parts = 0

    def lay(self, node: Any, path: Path) -> Any:
        self._parts += 1
        if self._parts > self._most:
            if self._parts == self._most + 1:
                self._wrong.append(Wrong(node.place, f"grows by more than {_MOST_REPEATED} parts by its aliases"))
            return None
        self.values[pointer(path)] = node.place
        match node:
            case _Scalar(text, is_plain, _):
                if not is_plain:
                    return text
                return None if text in _NOTHING else Plain(text)
            case _List(parts, _):
                return [self.lay(one, (*path, i)) for i, one in enumerate(parts)]
            case _:
                return self._fields(node, path)

    def _fields(self, node: _Fields, path: Path) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for key, part in node.parts:
            if not isinstance(key, _Scalar):
                self._wrong.append(Wrong(key.place, "is no name of a field"))
            elif key.text == "<<" and key.is_plain:
                self._wrong.append(Wrong(key.place, "merges fields; write them out, or repeat a whole part by *NAME"))
            elif key.text in fields:
                first = self.keys[pointer((*path, key.text))]
                self._wrong.append(
                    Wrong(key.place, f"{key.text[:50]} stands here a second time (first: line {first.line})")
                )
            else:
                self.keys[pointer((*path, key.text))] = key.place
                fields[key.text] = self.lay(part, (*path, key.text))
        return fields
