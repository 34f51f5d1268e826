"""Appends for tests of the log: only what matters in a test is spelled out there."""

import hashlib

from msgspec.structs import replace

from contracts.envelope import Fact
from infra.eventlog import Append, Draft

STREAM = "plan-68b7ec363306e52e21b2dbe6"


def append_of(
    key: str,
    *,
    stream: str = STREAM,
    expected: int = 0,
    events: int = 1,
    body: str = "",
    event_type: str = "plan.created.v1",
    answer: bytes = b"",
    principal: str = "user:alice",
) -> Append:
    """One command of `events` events. `body` stands for what was asked: another body, another fingerprint."""
    return Append(
        stream=stream,
        expected=expected,
        principal=principal,
        key=key,
        fingerprint=hashlib.sha256(body.encode()).digest(),
        events=tuple(Draft(event_type, f'{{"n":{n}}}'.encode()) for n in range(events)),
        at=1_700_000_000_000_000,
        actor=principal,
        channel="api",
        answer=answer,
    )


def stream_of(number: int) -> str:
    return f"plan-{number:024x}"


def foldable(fact: Fact) -> Fact:
    """What `EventLog.read_pages` gives of it."""
    return replace(fact, recorded_at=0, command_key="", ordinal=0, cause=None, trace="", leaf=b"")
