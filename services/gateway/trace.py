"""The trace of a request: taken from its `traceparent` (W3C Trace Context), made up where there is none or a wrong one."""

import re

import msgspec

from infra.ids import random_id

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")


class Trace(msgspec.Struct, frozen=True):
    """`id` is what people quote; `parent` is the traceparent that goes on with the command, with our own span."""

    id: str
    parent: str

    @classmethod
    def of(cls, traceparent: str | None) -> "Trace":
        known = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
        random = random_id(48)
        trace, flags = (known[1], known[2]) if known else (random[:32], "01")
        return cls(trace, f"00-{trace}-{random[32:]}-{flags}")
