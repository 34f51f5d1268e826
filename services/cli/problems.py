"""What went wrong, as a person reads it: one sentence, then one line per fault with its path.

`Problem` is the only exception that the commands raise on purpose. It never carries a token, and it never becomes a
stack trace.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from contracts.refusals import Fault
from services.cli.exits import Exit, exit_of_status

_LONGEST = 120  # characters of a value in a line

_HINTS = {
    Exit.NOT_ALLOWED: "Set GONOGO_TOKEN, or GONOGO_TOKEN_FILE, to a token of a user who may do this.",
    Exit.STALE: "Read it again, then repeat the command.",
}


class Problem(Exception):
    """The command ends with this sentence and this exit code. `code` is the refusal's public code, "" for our own."""

    def __init__(
        self, sentence: str, exit_code: Exit, *, faults: Sequence[Fault] = (), code: str = "", status: int = 0
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.exit_code = exit_code
        self.faults = tuple(faults)
        self.code = code
        self.status = status

    def lines(self) -> list[str]:
        """What goes to stderr, line by line."""
        title = f"{self.sentence} ({self.code})" if self.code else self.sentence
        return [title, *(f"  {fault.path or '/'}: {fault.detail}" for fault in self.faults)]


class Away(Problem):
    """The gateway did not answer in time. `key` is the Idempotency-Key under which a write may be repeated."""

    def __init__(self, sentence: str, key: str = "") -> None:
        if key:
            sentence += f" Whether it was carried out is not known; repeat it with --key {key} to be sure."
        super().__init__(sentence, Exit.AWAY)
        self.key = key


class Difference(msgspec.Struct):
    """A field that two edits changed: see `contracts.merging.Clash`."""

    path: str
    base: Any = None
    theirs: Any = None
    yours: Any = None

    def fault(self) -> Fault:
        """As a line of a problem."""
        was, now, wanted = (_shortly(one) for one in (self.base, self.theirs, self.yours))
        return Fault(self.path, f"was {was}, is {now} by now, and you want {wanted}")


def _shortly(value: object) -> str:
    text = "nothing" if value is None else msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


class ProblemDocument(msgspec.Struct):
    """The fields of an RFC 9457 problem that we show. Whatever else stands in it is left alone."""

    title: str = ""
    detail: str = ""
    code: str = ""
    type: str = ""
    faults: tuple[Fault, ...] = ()
    differences: tuple[Difference, ...] = ()


def problem_of(status: int, body: bytes) -> Problem:
    """The problem that a gateway's answer says. A body that is no problem document is never shown as it is."""
    document = _document(body)
    exit_code = Exit.USAGE if document.code == "invalid_parameter" else exit_of_status(status)
    sentence = document.detail or document.title or f"The gateway answered with status {status}."
    if status == 401 or (exit_code is Exit.STALE and not document.detail):
        sentence = f"{sentence} {_HINTS[exit_code]}"
    faults = (*document.faults, *(one.fault() for one in document.differences))
    code = document.code or document.type.rpartition("/")[2].rpartition(":")[2]
    return Problem(sentence, exit_code, faults=faults, code="" if code == "about:blank" else code, status=status)


def _document(body: bytes) -> ProblemDocument:
    try:
        return msgspec.json.decode(body, type=ProblemDocument)
    except msgspec.DecodeError:
        return ProblemDocument()


def usage(sentence: str, faults: Mapping[str, Any] | None = None) -> Problem:
    """What the person typed, or a file that they named, is wrong."""
    return Problem(sentence, Exit.USAGE, faults=[Fault(path, str(what)) for path, what in (faults or {}).items()])
