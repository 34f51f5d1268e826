"""The leaf hash by its definition, and what the log refuses because of it. SQL agrees: test_event_log_append."""

import hashlib

import msgspec
import pytest

from contracts.envelope import Fact, leaf_hash
from infra.eventlog import Malformed, TooLarge
from infra.eventlog.check import EVENT_BYTES, size_of
from infra.eventlog.model import Draft
from tests.support.appends import append_of

FACT = Fact(
    position=7,
    stream="plan-0a",
    version=2,
    type="plan.edited.v1",
    at=1_700_000_000_000_000,
    recorded_at=1_700_000_000_000_001,
    actor="user:zoë",
    channel="api",
    command_key="k1",
    ordinal=0,
    cause=None,
    trace="not hashed",
    payload=b'{"x":1}',
    leaf=b"",
)
LIMIT = 1 << 20


def test_the_leaf_hash_is_sha256_over_prefix_envelope_and_payload() -> None:
    envelope = "7\nplan-0a\n2\nplan.edited.v1\n1700000000000000\n1700000000000001\nuser:zoë\napi\nk1\n0\n\n"
    assert leaf_hash(FACT) == hashlib.sha256(b"\x00" + envelope.encode() + b'{"x":1}').digest()


def test_the_leaf_hash_of_a_published_fact_never_changes() -> None:
    assert leaf_hash(FACT).hex() == "717706d008e8aa7d5336af6534db5a7dc6d565e7d926effcf0330aa9dfefcddc"


@pytest.mark.parametrize(
    "change",
    [
        {"position": 8},
        {"stream": "plan-0b"},
        {"version": 3},
        {"type": "plan.sealed.v1"},
        {"at": 1},
        {"recorded_at": 1},
        {"actor": "user:zoe"},
        {"channel": "web"},
        {"command_key": "k2"},
        {"ordinal": 1},
        {"cause": 6},
        {"payload": b'{"x":2}'},
    ],
)
def test_every_field_of_the_envelope_and_the_payload_changes_the_leaf_hash(change: dict[str, object]) -> None:
    assert leaf_hash(msgspec.structs.replace(FACT, **change)) != leaf_hash(FACT)


@pytest.mark.parametrize(
    "change",
    [
        {"actor": "user:a\napi"},
        {"key": "k\x00"},
        {"key": ""},
        {"key": "ü" * 501},
        {"principal": "\ud800"},
        {"channel": "a\rb"},
        {"stream": "plan-0g"},
        {"stream": "plan.0a"},
        {"expected": -1},
        {"expected": 2**31},
        {"at": 2**63},
        {"cause": 0},
        {"fingerprint": b"short"},
        {"events": (Draft("plan.\ncreated", b"{}"),)},
    ],
)
def test_what_cannot_be_stored_or_hashed_unambiguously_is_refused_before_the_batch(change: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        size_of(msgspec.structs.replace(append_of("k1"), **change), LIMIT)


def test_an_event_above_64_kb_is_refused_and_one_of_64_kb_is_not() -> None:
    largest = msgspec.structs.replace(append_of("k1"), events=(Draft("plan.created.v1", b"x" * EVENT_BYTES),))
    assert size_of(largest, LIMIT) == EVENT_BYTES
    with pytest.raises(TooLarge):
        size_of(msgspec.structs.replace(largest, events=(Draft("plan.created.v1", b"x" * (EVENT_BYTES + 1)),)), LIMIT)


def test_a_command_whose_events_exceed_a_whole_batch_is_refused() -> None:
    many = tuple(Draft("plan.created.v1", b"x" * EVENT_BYTES) for _ in range(17))
    with pytest.raises(TooLarge):
        size_of(msgspec.structs.replace(append_of("k1"), events=many), LIMIT)
