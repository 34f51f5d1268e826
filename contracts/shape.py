"""Does this untyped document have the shape of that type? All faults at once, with their paths, and no file of its own.

For what people write: YAML files, where a text without quotes may be meant as a number, templates, where a text with a
placeholder has its final form only later, and bodies, query strings and settings that msgspec has refused. What is read is
decided by the type that is wanted and never guessed from the text: where the type says text, `no`, `1.10` and `2026-11-20`
are texts, exactly as they are written. What was given is never repeated in an explanation, since it may be a secret.

It knows the types that our words are made of and no others; whatever it lets pass, msgspec still has the last word. A
pattern is never shown: the `title` of its type says what it asks for, as that which a text must be.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from contracts.refusals import Fault, pointer

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_TRUTHS = {"true": True, "false": False}
_NEAR = 0.6
_DEEPEST = 32
MOST_FAULTS = 100
_AN_EXAMPLE = "write it like 2026-11-20T20:00:00+01:00"

Path = tuple[str | int, ...]
IsOpen = Callable[[str], bool]


class Plain(str):
    """A text that stands without quotes: it may also be read as a number, or as true or false, where that is wanted."""

    __slots__ = ()


class Fitted(NamedTuple):
    """`value` is made of dicts, lists, texts, integers, truths and None: what `msgspec.convert` takes. Without faults
    only, it is worth converting."""

    value: Any
    faults: tuple[Fault, ...]


def fit(value: object, wanted: Any, *, is_open: IsOpen = lambda text: False) -> Fitted:
    """The document as this type wants it. A text for which `is_open` says yes fits everywhere and is left as it is; a
    field of which nothing is written is absent."""
    return _Fitting(is_open, blank_is_absent=True).whole(value, wanted)


def faults_of(value: object, wanted: Any) -> tuple[Fault, ...]:
    """What keeps this value, made of dicts, lists, texts, numbers, truths and None, from being of the type; the first
    `MOST_FAULTS`. Empty: nothing that is known here."""
    return _Fitting(lambda text: False, blank_is_absent=False).whole(value, wanted).faults


def in_words(given: str | Sequence[str], wanted: Any) -> tuple[str, ...]:
    """What is wrong with a text without quotes, a parameter or a setting; of several the wrong one is counted, from 1."""
    if isinstance(given, str):
        return tuple(fault.detail for fault in faults_of(Plain(given), wanted))
    found = faults_of([Plain(text) for text in given], wanted)
    if len(given) == 1:
        return tuple(one.detail for one in found)
    return tuple(f"value {int(one.path[1:]) + 1} {one.detail}" if one.path[1:] else one.detail for one in found)


@cache
def _type_info(wanted: Any) -> inspect.Type:
    return inspect.type_info(wanted)


class _EnoughError(Exception):
    """So many faults that nobody reads further."""


class _Fitting:
    """One walk through one document."""

    def __init__(self, is_open: IsOpen, *, blank_is_absent: bool) -> None:
        self._faults: list[Fault] = []
        self._is_open = is_open
        self._blank_is_absent = blank_is_absent

    def whole(self, value: object, wanted: Any) -> Fitted:
        try:
            fitted = self.fit(value, _type_info(wanted), ())
        except _EnoughError:
            fitted = None
        return Fitted(fitted, tuple(self._faults))

    def _fault(self, path: Path, detail: str, code: str = "invalid") -> None:
        self._faults.append(Fault(pointer(path), detail, code))
        if len(self._faults) >= MOST_FAULTS:
            raise _EnoughError

    def fit(self, value: object, wanted: inspect.Type, path: Path) -> Any:
        title = _title(wanted)
        wanted = _bare(wanted)
        if isinstance(value, str) and self._is_open(value):
            return str(value)
        match wanted:
            case inspect.StructType():
                return self._struct(value, wanted, path)
            case inspect.UnionType():
                return self._union(value, wanted, path)
            case inspect.VarTupleType() | inspect.ListType():
                return self._several(value, wanted, path)
            case inspect.DictType():
                return self._named(value, wanted, path)
            case inspect.AnyType():
                return _untyped(value) if self._blank_is_absent else value
            case _:
                return self._leaf(value, wanted, path, title)

    def _struct(self, value: object, wanted: inspect.StructType, path: Path) -> Any:
        if not isinstance(value, Mapping):
            self._fault(
                path, f"must have fields ({_listed([f.encode_name for f in wanted.fields])}), not be {_kind(value)}"
            )
            return value
        fields = {field.encode_name: field for field in wanted.fields}
        tag = {wanted.tag_field} if wanted.tag_field else set()
        for name in value:
            if wanted.forbid_unknown_fields and name not in fields and name not in tag:
                self._fault((*path, str(name)), _unknown(str(name), [*fields, *sorted(tag)]), "unknown_field")
        fitted = {name: value[name] for name in tag & set(value)}
        for name, field in fields.items():
            if name not in value and field.required:
                self._fault((*path, name), "is missing", "missing")
            elif name in value and not self._is_absent(value[name], field):
                fitted[name] = self.fit(value[name], field.type, (*path, name))
        return fitted

    def _is_absent(self, value: object, field: inspect.Field) -> bool:
        return self._blank_is_absent and value is None and not field.required and not _may_be_none(field.type)

    def _union(self, value: object, wanted: inspect.UnionType, path: Path) -> Any:
        if value is None and wanted.includes_none:
            return None
        kinds = [kind for kind in wanted.types if not isinstance(kind, inspect.NoneType)]
        if len(kinds) == 1:
            return self.fit(value, kinds[0], path)
        structs = {kind.tag: kind for kind in kinds if isinstance(kind, inspect.StructType) and kind.tag is not None}
        if len(structs) != len(kinds):
            return self._simple(value, kinds, path)
        field = next(iter(structs.values())).tag_field
        if not isinstance(value, Mapping) or field not in value:
            self._fault((*path, str(field)), f"is missing; it is one of {_listed(structs)}", "missing")
            return value
        tag = str(value[field])
        if tag not in structs:
            self._fault((*path, str(field)), f"must be one of {_listed(structs)}")
            return value
        return {**self._struct(value, structs[tag], path), str(field): tag}

    def _simple(self, value: object, kinds: Sequence[inspect.Type], path: Path) -> Any:
        """One of several simple kinds: the one that the value has already."""
        if any(_fits_as_it_is(value, kind) for kind in kinds):
            return str(value) if isinstance(value, str) else value
        self._fault(path, f"must not be {_kind(value)}")
        return value

    def _several(self, value: object, wanted: inspect.VarTupleType | inspect.ListType, path: Path) -> Any:
        if not isinstance(value, list | tuple):
            self._fault(path, f"must be a list, not {_kind(value)}")
            return value
        self._length(len(value), wanted, path, "entries")
        return [self.fit(one, wanted.item_type, (*path, i)) for i, one in enumerate(value)]

    def _named(self, value: object, wanted: inspect.DictType, path: Path) -> Any:
        if not isinstance(value, Mapping):
            self._fault(path, f"must have names and values, not be {_kind(value)}")
            return value
        self._length(len(value), wanted, path, "entries")
        for name in value:
            self._leaf(name, _bare(wanted.key_type), (*path, str(name)), f"named by {_title(wanted.key_type)}")
        return {str(name): self.fit(one, wanted.value_type, (*path, str(name))) for name, one in value.items()}

    def _leaf(self, value: object, wanted: inspect.Type, path: Path, title: str) -> Any:
        match wanted:
            case inspect.StrType() if isinstance(value, str):
                self._text(value, wanted, path, title)
                return str(value)
            case inspect.IntType() if (number := _integer(value)) is not None:
                self._bounds(number, wanted, path)
                return number
            case inspect.FloatType() if (amount := _number(value)) is not None:
                self._bounds(amount, wanted, path)
                return amount
            case inspect.BoolType() if (truth := _truth(value)) is not None:
                return truth
            case inspect.LiteralType() if isinstance(value, str) and value in wanted.values:
                return str(value)
            case inspect.DateTimeType() if isinstance(value, str):
                return self._time(value, wanted, path)
            case inspect.LiteralType():
                self._fault(path, f"must be one of {_listed([str(one) for one in wanted.values])}")
            case inspect.IntType():
                self._fault(path, f"must be a whole number{_instead(value)}")
            case inspect.FloatType():
                self._fault(path, f"must be a number{_instead(value)}")
            case inspect.BoolType():
                self._fault(path, f"must be true or false{_instead(value)}")
            case inspect.DateTimeType():
                self._fault(path, f"must be a time, not {_kind(value)}; {_example(wanted)}")
            case _:
                self._fault(path, f"must be a text, not {_kind(value)}")
        return value

    def _text(self, text: str, wanted: inspect.StrType, path: Path, title: str) -> None:
        self._length(len(text), wanted, path, "characters")
        if "\x00" in text:
            self._fault(path, "must not contain the character U+0000")
        elif wanted.pattern is not None and (text or not wanted.min_length) and not re.search(wanted.pattern, text):
            self._fault(path, f"must be {title}" if title else "is not of the form that is wanted here")

    def _length(self, length: int, wanted: Any, path: Path, what: str) -> None:
        if wanted.min_length is not None and length < wanted.min_length:
            self._fault(path, "is empty" if not length else f"must have {wanted.min_length} {what} at least")
        if wanted.max_length is not None and length > wanted.max_length:
            self._fault(path, f"has {length} {what}; {wanted.max_length} are allowed")

    def _bounds(self, number: float, wanted: inspect.IntType | inspect.FloatType, path: Path) -> None:
        # "not at least" and not "less": NaN is neither.
        if wanted.ge is not None and not number >= wanted.ge:
            self._fault(path, f"must be {wanted.ge} or more")
        if wanted.gt is not None and not number > wanted.gt:
            self._fault(path, f"must be more than {wanted.gt}")
        if wanted.le is not None and not number <= wanted.le:
            self._fault(path, f"must be {wanted.le} or less")

    def _time(self, text: str, wanted: inspect.DateTimeType, path: Path) -> str:
        try:
            time = msgspec.convert(str(text), datetime)
        except msgspec.ValidationError:
            self._fault(path, f"is no time; {_example(wanted)}")
            return str(text)
        if wanted.tz and time.tzinfo is None:
            self._fault(path, f"has no offset from UTC; {_example(wanted)}, or with Z")
        elif wanted.tz is False and time.tzinfo is not None:
            self._fault(path, f"must be a wall-clock time, without an offset; {_example(wanted)}")
        return str(text)


def _example(wanted: inspect.DateTimeType) -> str:
    return _AN_EXAMPLE.removesuffix("+01:00") if wanted.tz is False else _AN_EXAMPLE


def _title(wanted: inspect.Type) -> str:
    notes = wanted.extra_json_schema if isinstance(wanted, inspect.Metadata) else None
    return str((notes or {}).get("title", ""))


def _bare(wanted: inspect.Type) -> inspect.Type:
    while isinstance(wanted, inspect.Metadata):
        wanted = wanted.type
    return wanted


def _may_be_none(wanted: inspect.Type) -> bool:
    bare = _bare(wanted)
    return isinstance(bare, inspect.UnionType) and bare.includes_none


def _fits_as_it_is(value: object, wanted: inspect.Type) -> bool:
    match _bare(wanted):
        case inspect.BoolType():
            return isinstance(value, bool)
        case inspect.IntType():
            return isinstance(value, int) and not isinstance(value, bool)
        case inspect.StrType():
            return isinstance(value, str)
        case _:
            return False


def _integer(value: object) -> int | None:
    if isinstance(value, Plain):
        return int(value) if _INTEGER.fullmatch(value) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: object) -> float | None:
    if not isinstance(value, Plain):
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None
    try:
        return float(value)
    except ValueError:
        return None


def _truth(value: object) -> bool | None:
    if isinstance(value, Plain):
        return _TRUTHS.get(value)
    return value if isinstance(value, bool) else None


def _untyped(value: object) -> Any:
    match value:
        case str():
            return str(value)
        case Mapping():
            return {str(name): _untyped(one) for name, one in value.items()}
        case list() | tuple():
            return [_untyped(one) for one in value]
        case _:
            return value


def _kind(value: object) -> str:
    """What was given, by kind and never by content: it may be a secret."""
    match value:
        case None:
            return "empty (null)"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case Mapping():
            return "a group of fields"
        case _:
            return "a list"


def _instead(value: object) -> str:
    """What stands there; of a text without quotes it need not be said that it is one."""
    return "" if isinstance(value, Plain) else f", not {_kind(value)}"


def _unknown(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=_NEAR)
    return "is not a known field" + (f"; did you mean {near[0]}?" if near else f"; known are {_listed(known)}")


def _listed(names: Any) -> str:
    return ", ".join(str(name) for name in names)


def paths(value: object, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every text of a document with its path, names of fields left out. Deeper than any plan is, nothing is looked at."""
    if len(path) > _DEEPEST:
        return
    match value:
        case str():
            yield path, value
        case Mapping():
            for name, one in value.items():
                yield from paths(one, (*path, str(name)))
        case list() | tuple():
            for i, one in enumerate(value):
                yield from paths(one, (*path, i))
