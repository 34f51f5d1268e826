"""Whatever a person may send wrongly has an explanation of ours: for each field of each body, query and plan section."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect

from contracts.plan_file import PlanFile
from contracts.shape import faults_of
from services.gateway.route import Route
from services.gateway.routes.editing import section_types

WRONG: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**12,
    2.5,
    "",
    "\x7f",
    "a b",
    "x" * 30_000,
    "2026-11-20T20:00:00",
    "2026-13-01T00:00:00Z",
    [],
    [None],
    ["a b"],
    ["a"] * 20_000,
    {},
    {"a b": None},
    {"type": "nonsense"},
    {"type": ["text"]},
)


def read_types(routes: list[Route]) -> Iterator[Any]:
    """All types that the gateway reads, and the plan file."""
    for route in routes:
        yield from (wanted for wanted in (route.body, route.query) if wanted is not None)
    yield from (PlanFile, *section_types().values())


def parts(info: inspect.Type, done: set[type]) -> Iterator[inspect.Type]:
    """This type and all that it is made of."""
    yield info
    match info:
        case inspect.StructType(cls=cls, fields=fields) if cls not in done:
            done.add(cls)
            for field in fields:
                yield from parts(field.type, done)
        case inspect.UnionType(types=kinds):
            for kind in kinds:
                yield from parts(kind, done)
        case inspect.VarTupleType(item_type=one):
            yield from parts(one, done)
        case inspect.DictType(key_type=key, value_type=one):
            yield from parts(key, done)
            yield from parts(one, done)
        case inspect.Metadata(type=bare):
            yield from parts(bare, done)


def all_parts(routes: list[Route]) -> Iterator[inspect.Type]:
    done: set[type] = set()
    for wanted in read_types(routes):
        yield from parts(inspect.type_info(wanted), done)


def is_refused(value: Any, wanted: Any) -> bool:
    try:
        msgspec.convert(value, wanted)
    except msgspec.ValidationError:
        return True
    return False


def test_what_is_explained_is_what_is_refused(routes: list[Route]) -> None:
    structs = {part.cls for part in all_parts(routes) if isinstance(part, inspect.StructType)}
    assert len(structs) > 50
    for struct in structs:
        for field in msgspec.structs.fields(struct):
            for value in WRONG:
                found = faults_of(value, field.type)
                assert bool(found) == is_refused(value, field.type), (struct, field.name, str(value)[:50], found)


def test_every_pattern_says_in_words_what_it_asks_for_and_is_never_shown(routes: list[Route]) -> None:
    with_pattern = 0
    for part in all_parts(routes):
        if isinstance(part, inspect.Metadata) and isinstance(part.type, inspect.StrType) and part.type.pattern:
            with_pattern += 1
            title = str((part.extra_json_schema or {}).get("title", ""))
            assert title, part
            assert not re.search(r"[\\^$]|\[", title), title
        elif isinstance(part, inspect.StructType):
            for field in part.fields:
                bare = [field.type, *(field.type.types if isinstance(field.type, inspect.UnionType) else ())]
                assert not any(isinstance(one, inspect.StrType) and one.pattern for one in bare), (part.cls, field.name)
    assert with_pattern > 50
