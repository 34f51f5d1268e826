"""What goes into the log in one append, and what comes back. Values only; `EventLog` does the work."""

import msgspec

from contracts.envelope import Position, Version


class Draft(msgspec.Struct, frozen=True):
    """One event about to be stored: its handwritten type name and the exact bytes that will be hashed and kept."""

    type: str
    payload: bytes


class Append(msgspec.Struct, frozen=True):
    """The outcome of one decided command, to be stored at once or not at all.

    `expected` is the stream version on which it was decided (0: the stream must not exist yet). `principal` and `key`
    name the command for ever; `fingerprint` is the SHA-256 of what the asker sent, never of anything we added.
    `events` may be empty ("already so"): then only the key is stored. `answer` is given back to every repetition.
    `at` is in Unix microseconds, by the clock of whoever accepted the command.
    """

    stream: str
    expected: Version
    principal: str
    key: str
    fingerprint: bytes
    events: tuple[Draft, ...]
    at: int
    actor: str
    channel: str
    cause: Position | None = None
    trace: str = ""
    answer: bytes = b""


class Appended(msgspec.Struct, frozen=True):
    """Stored now. `version` is the stream's new version; `last` the log position up to which it is contained."""

    version: Version
    last: Position
    answer: bytes


class Seen(msgspec.Struct, frozen=True):
    """Stored before under the same key and fingerprint: the first outcome again."""

    version: Version
    last: Position
    answer: bytes


class Conflict(msgspec.Struct, frozen=True):
    """The stream is at another `version` than expected. Nothing was stored."""

    version: Version


class KeyReused(msgspec.Struct, frozen=True):
    """The key was used before for another request. Nothing was stored."""


Outcome = Appended | Seen | Conflict | KeyReused


class Head(msgspec.Struct, frozen=True):
    """The end of the log: last position, time of the last append (µs), and the identity of this history."""

    position: Position
    epoch: str
    recorded_at: int
