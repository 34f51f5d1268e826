"""The headers of an event on the bus, as the CloudEvents NATS binding wants them."""

import msgspec
import pytest

from contracts.envelope import Fact
from infra.bus.cloudevents import encoded, headers, rfc3339
from infra.bus.store import message

FACT = Fact(
    position=7,
    stream="plan-0a",
    version=3,
    type="plan.sealed.v1",
    at=1_700_000_000_000_001,
    recorded_at=1_700_000_001_500_000,
    actor="olivia",
    channel="web",
    command_key="k",
    ordinal=0,
    cause=None,
    trace="",
    payload=b'{"a":1}',
    leaf=b"\x01\xff",
)


@pytest.mark.parametrize(
    ("value", "header"),
    [
        ("plain-text_./:~", "plain-text_./:~"),
        ("", ""),
        ("two words", "two%20words"),
        ('a "quote"', "a%20%22quote%22"),
        ("100%", "100%25"),
        ("Euro € 😀", "Euro%20%E2%82%AC%20%F0%9F%98%80"),
        ("line\r\nce-id: forged", "line%0D%0Ace-id:%20forged"),
        ("\x7f\x00", "%7F%00"),
    ],
)
def test_a_value_is_percent_encoded_as_the_binding_says(value: str, header: str) -> None:
    assert encoded(value) == header


def test_a_time_is_rfc_3339_in_utc_to_the_microsecond() -> None:
    assert rfc3339(0) == "1970-01-01T00:00:00.000000Z"
    assert rfc3339(1_700_000_000_000_001) == "2023-11-14T22:13:20.000001Z"
    assert rfc3339(253_402_300_799_999_999) == "9999-12-31T23:59:59.999999Z"


def test_every_required_attribute_is_there_and_the_actor_is_not() -> None:
    found = headers(FACT, "e1")
    assert {"ce-specversion", "ce-id", "ce-source", "ce-type"} <= found.keys()
    assert "olivia" not in " ".join(found.values())
    assert found["ce-leafhash"] == "01ff"


def test_the_cause_is_named_like_an_event() -> None:
    assert "ce-causationid" not in headers(FACT, "e1")
    assert headers(msgspec.structs.replace(FACT, cause=5), "e1")["ce-causationid"] == "e1/5"


@pytest.mark.parametrize("trace", ["", "nonsense", "00-zz-yy-01", "00-" + "a" * 32 + "-" + "b" * 16 + "-01\r\nx: y"])
def test_what_is_no_traceparent_is_not_sent_as_one(trace: str) -> None:
    assert "traceparent" not in headers(msgspec.structs.replace(FACT, trace=trace), "e1")


def test_a_sequence_sorts_as_text_like_its_number() -> None:
    sequences = [
        headers(msgspec.structs.replace(FACT, position=position), "e1")["ce-sequence"] for position in (9, 10, 2**62)
    ]
    assert sequences == sorted(sequences)
    assert [int(sequence) for sequence in sequences] == [9, 10, 2**62]


def test_a_message_is_one_hpub_with_true_lengths() -> None:
    assert message("s", "r", {"a": "1", "b": "€"}, b"body") == (
        b"HPUB s r 26 30\r\nNATS/1.0\r\na: 1\r\nb: \xe2\x82\xac\r\n\r\nbody\r\n"
    )
