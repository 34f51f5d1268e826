"""Files that people write by hand: read as YAML (JSON is YAML too), held against a type, every fault with line and column.

A refusal of the gateway comes back to the file as well: the JSON Pointer of each fault is turned into the place where
that part stands.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from contracts.refusals import Fault
from contracts.shape import IsOpen, fit
from infra.limits import PLAN_BODY_BYTES
from services.cli.exits import Exit
from services.cli.files import called, read_text
from services.cli.problems import Problem
from services.cli.yaml_reading import Document, Place, read_yaml

_AT_THE_KEY = frozenset({"unknown_field"})


class Read(NamedTuple):
    """A file that was read: `value` is what the type wants, made of plain data."""

    name: str
    value: Any
    document: Document

    def located(self, problem: Problem) -> Problem:
        """The same problem, its faults with the places in this file."""
        faults = [_at(self, fault) for fault in problem.faults]
        return Problem(problem.sentence, problem.exit_code, faults=faults, code=problem.code, status=problem.status)


def read_document(name: str, wanted: Any, *, is_open: IsOpen = lambda text: False) -> Read:
    """The file as this type wants it; texts for which `is_open` says yes fit everywhere.

    Raises Problem with all faults: of YAML, or of fields and values.
    """
    document = _document(name, read_text(name))
    value, faults = fit(document.value, wanted, is_open=is_open)
    read = Read(name, value, document)
    if faults:
        raise _wrong(name, [_at(read, fault) for fault in faults])
    return read


def read_fields(name: str, wanted: Any, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The fields in a file, for the gateway to judge: JSON as it stands, all else as YAML that is held against this type.

    Fields that are `given` beside the file go before its own. Raises Problem, for YAML with all faults.
    """
    text = read_text(name)
    try:
        fields = msgspec.json.decode(text)
    except msgspec.DecodeError:
        fields = None
    if isinstance(fields, dict):
        return fields | dict(given or {})
    document = _document(name, text)
    if not isinstance(document.value, dict):
        raise Problem(f"{called(name)} must hold fields, in JSON or YAML.", Exit.USAGE)
    value, faults = fit(document.value | dict(given or {}), wanted)
    if faults:
        raise _wrong(name, [_at(Read(name, value, document), fault) for fault in faults])
    return dict(value)


def _document(name: str, text: str) -> Document:
    if len(text.encode()) > PLAN_BODY_BYTES:
        raise Problem(f"{called(name)} is larger than {PLAN_BODY_BYTES} bytes.", Exit.USAGE)
    document = read_yaml(text)
    if document.wrong:
        raise _wrong(name, [Fault(_where(name, one.place), one.detail) for one in document.wrong])
    return document


def wrong(read: Read, faults: list[Fault]) -> Problem:
    """These faults of the file, as a problem."""
    return _wrong(read.name, [_at(read, fault) for fault in faults])


def _wrong(name: str, faults: list[Fault]) -> Problem:
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    return Problem(f"{called(name)} has {count}.", Exit.USAGE, faults=faults)


def _at(read: Read, fault: Fault) -> Fault:
    place = read.document.place(fault.path, of_key=fault.code in _AT_THE_KEY)
    detail = f"{fault.path}: {fault.detail}" if fault.path else fault.detail
    return Fault(_where(read.name, place), detail, fault.code)


def _where(name: str, place: Place) -> str:
    return f"{called(name)}:{place.line}:{place.column}"
