"""Looks at one append before it joins a batch, because whatever the database refuses there fails its neighbours too.

It refuses what cannot be stored (too large, NUL, lone surrogates, numbers out of range) and what would make the leaf
hash ambiguous (control characters: the envelope joins its fields by line feeds). It knows nothing of event contents.
"""

import re

from infra.eventlog.errors import Malformed, TooLarge
from infra.eventlog.model import Append

EVENT_BYTES = 64 * 1024
NAME_BYTES = 1_000  # principal and key share one index entry, which holds 2 704 bytes

_STREAM = re.compile(r"[a-z_]+-[0-9a-f]+")
_UNFIT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_INTEGER = 2**31 - 100_000  # a version, with room for the events of this append
_BIGINT = 2**63


def size_of(command: Append, command_bytes: int) -> int:
    """The bytes that this append adds to a batch. Raises TooLarge (above 64 kB an event, `command_bytes` in all) or
    Malformed."""
    size = len(command.answer)
    for draft in command.events:
        if len(draft.payload) > EVENT_BYTES:
            raise TooLarge(f"event {draft.type} has {len(draft.payload)} bytes, more than {EVENT_BYTES}")
        size += len(draft.payload)
    if size > command_bytes:
        raise TooLarge(f"the command's events and answer have {size} bytes, more than {command_bytes}")
    _check_text(command)
    _check_numbers(command)
    return size


def _check_text(command: Append) -> None:
    if len(command.stream) > NAME_BYTES or not _STREAM.fullmatch(command.stream):
        raise Malformed("stream must read <category>-<hex digits>")
    texts = (command.principal, command.key, command.actor, command.channel, command.trace)
    if _UNFIT.search("".join(texts)) or any(_UNFIT.search(draft.type) for draft in command.events):
        raise Malformed("principal, key, actor, channel, trace and type must not contain control characters")
    for name, text in (("principal", command.principal), ("key", command.key)):
        if not text or (len(text) * 4 > NAME_BYTES and len(text.encode()) > NAME_BYTES):
            raise Malformed(f"{name} must have 1 to {NAME_BYTES} bytes")


def _check_numbers(command: Append) -> None:
    if not 0 <= command.expected < _INTEGER:
        raise Malformed("expected must be a stream version")
    if not -_BIGINT <= command.at < _BIGINT:
        raise Malformed("at must be Unix microseconds")
    if command.cause is not None and not 0 < command.cause < _BIGINT:
        raise Malformed("cause must be a log position")
    if len(command.fingerprint) != 32:
        raise Malformed("fingerprint must be a SHA-256")
