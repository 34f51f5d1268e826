"""An endpoint as its stream has it: the newest put counts."""

from collections.abc import Iterable

import msgspec

from contracts.delivery import EndpointPut
from contracts.envelope import Fact
from contracts.registry import DECODERS


class Endpoint(msgspec.Struct, frozen=True):
    """An endpoint at `version` of its stream."""

    put: EndpointPut
    version: int


def fold_endpoint(facts: Iterable[Fact], endpoint: Endpoint | None = None) -> Endpoint | None:
    """The endpoint after these facts of its stream."""
    for fact in facts:
        event = DECODERS[fact.type](fact.payload) if fact.type in DECODERS else None
        if isinstance(event, EndpointPut):
            endpoint = Endpoint(event, fact.version)
        elif endpoint is not None:
            endpoint = Endpoint(endpoint.put, fact.version)
    return endpoint
