"""All that is wrong with a body, with the path of each fault (RFC 6901), from its JSON Schema.

Only asked after msgspec has refused the body: msgspec alone decides what is right, the schema explains. What was sent is
never repeated in an explanation, since it may be a secret.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import jsonschema_rs
import msgspec

from contracts.refusals import Fault, pointer

MOST_FAULTS = 100
_Kind = jsonschema_rs.ValidationErrorKind
_Path = list[str | int]


class Faults:
    """Explains bodies of one type. The schema is compiled at the first fault."""

    def __init__(self, wanted: Any) -> None:
        self._wanted = wanted
        self._validator: Any = None

    def of(self, value: object) -> tuple[Fault, ...]:
        """The faults of an untyped body, at most `MOST_FAULTS`; empty when the schema finds none."""
        if self._validator is None:
            self._validator = jsonschema_rs.Draft202012Validator(
                msgspec.json.schema(self._wanted), validate_formats=True, mask="the value", retriever=_no_reference
            )
        found: dict[tuple[str, str], Fault] = {}
        for fault in _explained(self._validator.iter_errors(value)):
            found.setdefault((fault.path, fault.detail), fault)
            if len(found) >= MOST_FAULTS:
                break
        return tuple(found.values())


def _no_reference(uri: str) -> Any:
    raise ValueError(f"a schema may not refer to {uri}")


def _explained(errors: Iterable[Any]) -> Iterator[Fault]:
    for error in errors:
        kind = error.kind
        if isinstance(kind, _Kind.AnyOf | _Kind.OneOfNotValid):
            yield from _of_union(error)
        else:
            yield from _of_one(error)


def _of_one(error: Any) -> Iterator[Fault]:
    path: _Path = list(error.instance_path)
    match error.kind:
        case _Kind.AdditionalProperties(unexpected=names):
            for name in names:
                yield Fault(pointer([*path, name]), "is not a known field", "unknown_field")
        case _Kind.Required(property=name):
            yield Fault(pointer([*path, str(name)]), "is missing", "missing")
        case _:
            yield Fault(pointer(path), error.message)


def _of_union(error: Any) -> Iterator[Fault]:
    """The faults of the alternative that was meant: the one with this tag, or of this JSON type."""
    path: _Path = list(error.instance_path)
    branches = [list(branch) for branch in error.kind.context]
    meant = [branch for branch in branches if not any(_rules_out(fault, path) for fault in branch)]
    if len(meant) == 1:
        yield from _explained(meant[0])
        return
    tags = [fault for branch in branches for fault in branch if _is_tag(fault, path)]
    if tags and len(meant) == 0:
        choices = ", ".join(str(option) for fault in tags for option in fault.kind.options)
        yield Fault(pointer(tags[0].instance_path), f"must be one of {choices}")
        return
    common = [fault for fault in _explained(branches[0]) if all(fault in [*_explained(b)] for b in branches[1:])]
    yield from common or [Fault(pointer(path), "fits none of the forms that it may have")]


def _rules_out(error: Any, path: _Path) -> bool:
    return _is_tag(error, path) or (isinstance(error.kind, _Kind.Type) and list(error.instance_path) == path)


def _is_tag(error: Any, path: _Path) -> bool:
    where = list(error.instance_path)
    is_choice = isinstance(error.kind, _Kind.Enum | _Kind.Constant)
    return is_choice and len(where) == len(path) + 1 and where[:-1] == path and where[-1] == "type"
