"""An event as a CloudEvents 1.0.2 message on NATS, binary mode: attributes are `ce-` headers, the body is the payload.

Follows the NATS protocol binding (attribute values percent-encoded: space, quote, percent, everything outside printable
ASCII) and the extensions for sequence, recorded time and distributed tracing. `ce-leafhash` is ours: the leaf hash of
the fact, so a reader can check the message against the log. The body is the public form, so the hash covers more than
the body shows where a type has private fields. The actor stays inside: a name is for those who may read the record.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import quote

from contracts.envelope import Fact

SOURCE = "/gonogo/log"
LEAF = "ce-leafhash"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLAIN = re.compile(r"[!#$&-~]*")
_UNENCODED = "!#$&'()*+,/:;<=>?@[\\]^`{|}~"
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def headers(fact: Fact, epoch: str) -> dict[str, str]:
    """The headers of one event. `epoch` names the history, so an id stays unique when a log is restored."""
    found = {
        "ce-specversion": "1.0",
        "ce-id": f"{epoch}/{fact.position}",
        "ce-source": SOURCE,
        "ce-type": encoded(fact.type),
        "ce-subject": encoded(fact.stream),
        "ce-time": rfc3339(fact.at),
        "ce-recordedtime": rfc3339(fact.recorded_at),
        # The extension asks for text that sorts like the number.
        "ce-sequence": f"{fact.position:020d}",
        "ce-streamversion": str(fact.version),
        LEAF: fact.leaf.hex(),
        "content-type": "application/json",
    }
    if fact.cause is not None:
        found["ce-causationid"] = f"{epoch}/{fact.cause}"
    if _TRACEPARENT.fullmatch(fact.trace):
        found["ce-traceparent"] = fact.trace
        found["traceparent"] = fact.trace  # where the tracing libraries look for it
    return found


def encoded(value: str) -> str:
    """The value as the binding wants it in a header."""
    return value if _PLAIN.fullmatch(value) else quote(value, safe=_UNENCODED)


def rfc3339(at: int) -> str:
    """Unix microseconds as `2026-11-20T21:02:03.000004Z`."""
    seconds, microseconds = divmod(at, 1_000_000)
    return f"{_whole_second(seconds)}.{microseconds:06d}Z"


@lru_cache(256)
def _whole_second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
