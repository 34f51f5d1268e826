"""An endpoint as its stream has it. Who sends, who shows and who keeps the table fold the same way."""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from contracts.delivery import EndpointPut, Format, Signing
from contracts.endpoint import (
    EndpointChallenged,
    EndpointDisabled,
    EndpointEnabled,
    EndpointRotated,
    EndpointVerified,
)
from contracts.envelope import Fact, stream_id
from contracts.hook_patterns import asks_for
from contracts.plan_events import Event
from contracts.registry import DECODERS


class Endpoint(msgspec.Struct, frozen=True):
    """An endpoint at `version` of its stream. The field names are the columns of `view.endpoint`.

    `previous_ref` is the secret before the last rotation, of use until `previous_until` (Unix µs). `challenge` is the one
    that must be echoed; `verified` says that one was, by this address. `reason` says why it is switched off.
    """

    id: str
    url: str
    secret_ref: str
    events: tuple[str, ...]
    enabled: bool
    version: int
    position: int
    name: str = ""
    format: Format = "zadig"
    project: str = ""
    plan: str = ""
    ordered: bool = False
    concurrency: int = 4
    rate_per_minute: int = 0
    signing: Signing = "hmac"
    public_key: str = ""
    verify: bool = False
    verified: bool = False
    challenge: str = ""
    previous_ref: str = ""
    previous_until: int = 0
    reason: str = ""

    @property
    def active(self) -> bool:
        """Whether hooks go there: it is switched on, and verified where that is asked."""
        return self.enabled and (self.verified or not self.verify)

    def covers(self, plan: str, project: str) -> bool:
        """Whether this plan, of this project, is in its scope."""
        return self.plan in ("", plan) and self.project in ("", project)

    def wants_event(self, type_name: str) -> bool:
        """Whether it gets events of this type as such. Only the standard format can carry them."""
        return self.format != "zadig" and asks_for(self.events, type_name)


def fold_endpoint(facts: Iterable[Fact], endpoint: Endpoint | None = None) -> Endpoint | None:
    """The endpoint after these facts of its stream."""
    for fact in facts:
        event = DECODERS[fact.type](fact.payload) if fact.type in DECODERS else None
        endpoint = _after(endpoint, event, fact)
        if endpoint is not None:
            endpoint = replace(endpoint, version=fact.version, position=fact.position)
    return endpoint


def _after(endpoint: Endpoint | None, event: Event | None, fact: Fact) -> Endpoint | None:
    if isinstance(event, EndpointPut):
        return _put(endpoint, event, fact)
    if endpoint is None:
        return None
    match event:
        case EndpointRotated():
            return replace(
                endpoint,
                secret_ref=event.secret_ref,
                public_key=event.public_key,
                previous_ref=endpoint.secret_ref,
                previous_until=event.previous_until,
            )
        case EndpointEnabled():
            return replace(endpoint, enabled=True, reason="")
        case EndpointDisabled():
            return replace(endpoint, enabled=False, reason=event.reason)
        case EndpointChallenged():
            return replace(endpoint, challenge=event.challenge, verified=False)
        case EndpointVerified():
            return replace(endpoint, verified=True)
        case _:
            return endpoint


def _put(before: Endpoint | None, event: EndpointPut, fact: Fact) -> Endpoint:
    """The newest put counts. What was verified is the address, so another address is not; a new secret ends an overlap."""
    same_url = before is not None and before.url == event.url
    same_secret = before is not None and before.secret_ref == event.secret_ref
    fields = {name: getattr(event, name) for name in EndpointPut.__struct_fields__}
    return Endpoint(
        **{**fields, "name": event.name or _name_in(event.secret_ref)},
        id=stream_id(fact.stream),
        version=fact.version,
        position=fact.position,
        verified=same_url and before is not None and before.verified,
        challenge=before.challenge if before is not None and same_url else "",
        previous_ref=before.previous_ref if before is not None and same_secret else "",
        previous_until=before.previous_until if before is not None and same_secret else 0,
    )


def _name_in(secret_ref: str) -> str:
    """`board` of `endpoint/board/0f3a`: where an endpoint of the first release has its name."""
    parts = secret_ref.split("/")
    return parts[1] if len(parts) == 3 else ""
