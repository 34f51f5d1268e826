"""The body of a hook in the format `standard`. Pure: the same fact of the same history gives the same bytes."""

import msgspec

from contracts.cloud_event import EVENT_SOURCE, HOOK_SOURCE, CloudEvent, hook_type
from contracts.envelope import Fact
from contracts.moments import rfc3339
from contracts.public import public_form


def event_body(fact: Fact, epoch: str, plan: str) -> bytes:
    """A fact as an outside system sees it: the same as on the bus. `epoch` names the history."""
    return _body(fact, epoch, plan, EVENT_SOURCE, fact.type, public_form(fact.type, fact.payload))


def hook_event_body(fact: Fact, epoch: str, plan: str, hook: str, body: bytes) -> bytes:
    """One of the three hooks, raised by this fact. `body` is what the format `zadig` sends."""
    return _body(fact, epoch, plan, HOOK_SOURCE, hook_type(hook), body)


def challenge_body(fact: Fact, epoch: str, challenge: str) -> bytes:
    """A challenge to an endpoint. It is private elsewhere; here it is what is told."""
    return _body(fact, epoch, "", EVENT_SOURCE, fact.type, msgspec.json.encode({"challenge": challenge}))


def _body(fact: Fact, epoch: str, plan: str, source: str, type_name: str, data: bytes) -> bytes:
    at = rfc3339(fact.at) or ""
    return msgspec.json.encode(
        CloudEvent(
            specversion="1.0",
            id=f"{epoch}/{fact.position}",
            source=source,
            type=type_name,
            subject=fact.stream,
            time=at,
            timestamp=at,
            sequence=f"{fact.position:020d}",
            streamversion=fact.version,
            plan=plan,
            datacontenttype="application/json",
            data=msgspec.Raw(data),
        )
    )
