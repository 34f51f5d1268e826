"""A fact: one event as the log keeps it, and its leaf hash.

The leaf hash covers the envelope and the exact payload bytes, so anyone who holds a fact can check it without us:
SHA-256 over 0x00 (RFC 6962 leaf prefix), the envelope fields in the order of `ENVELOPE`, each as UTF-8 text followed
by a line feed (an absent cause is empty), and the payload.
"""

import hashlib

import msgspec

Position = int
Version = int


class Fact(msgspec.Struct, frozen=True, gc=False):
    """One stored event. Times are Unix microseconds: `at` by the accepting clock, `recorded_at` by the database."""

    position: Position
    stream: str
    version: Version
    type: str
    at: int
    recorded_at: int
    actor: str
    channel: str
    command_key: str
    ordinal: int
    cause: Position | None
    trace: str
    payload: bytes
    leaf: bytes


ENVELOPE = (
    "position",
    "stream",
    "version",
    "type",
    "at",
    "recorded_at",
    "actor",
    "channel",
    "command_key",
    "ordinal",
    "cause",
)


def leaf_hash(fact: Fact) -> bytes:
    """The leaf hash that a sound log holds for this fact (the stored `leaf` itself is not looked at)."""
    fields = (getattr(fact, name) for name in ENVELOPE)
    envelope = "".join(f"{'' if field is None else field}\n" for field in fields)
    return hashlib.sha256(b"\x00" + envelope.encode() + fact.payload).digest()


def category(stream: str) -> str:
    """`plan` of `plan-68b7ec363306e52e21b2dbe6`."""
    return stream.partition("-")[0]


def stream_id(stream: str) -> str:
    """`68b7ec363306e52e21b2dbe6` of `plan-68b7ec363306e52e21b2dbe6`."""
    return stream.partition("-")[2]
