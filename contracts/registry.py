"""Every event type ever released: its name, its struct, who may append it. The only place that decodes payloads.

A name is never derived from a class. When an event must change, a new version gets a new name and an upcaster in
`UPCAST`, which turns old bytes into the newest struct; stored bytes are never rewritten.
"""

from collections.abc import Callable, Mapping
from typing import cast

import msgspec

from contracts import (
    approval_events,
    delivery,
    directory,
    edit_events,
    endpoint,
    executing_events,
    freeze,
    gate_events,
    letter,
    people,
    plan_events,
    run,
    saved_list,
    template,
    workflow,
)
from contracts.plan_events import Event

_MODULES = (
    plan_events,
    edit_events,
    approval_events,
    executing_events,
    people,
    directory,
    letter,
    workflow,
    run,
    delivery,
    endpoint,
    freeze,
    template,
    gate_events,
    saved_list,
)

EVENTS: Mapping[str, type[Event]] = {name: kind for module in _MODULES for name, kind in module.EVENTS.items()}
NAMES: Mapping[type[Event], str] = {kind: name for name, kind in EVENTS.items()}
UPCAST: Mapping[str, Callable[[bytes], Event]] = {}

OWNERS: Mapping[str, tuple[str, ...]] = {
    service: tuple(name for module in _MODULES for name in module.OWNERS.get(service, ()))
    for service in sorted({service for module in _MODULES for service in module.OWNERS})
}
"""Service -> the event types that it may append."""

DECODERS: Mapping[str, Callable[[bytes], Event]] = {
    **{name: cast(Callable[[bytes], Event], msgspec.json.Decoder(kind).decode) for name, kind in EVENTS.items()},
    **UPCAST,
}
"""Type name -> the function that turns stored bytes into an event. A missing name is a newer writer's event."""

_encode = msgspec.json.Encoder().encode


def encode(event: Event) -> tuple[str, bytes]:
    """The type name and the payload bytes of an event: exactly what is stored and hashed."""
    return NAMES[type(event)], _encode(event)


def decode(type_name: str, payload: bytes) -> Event:
    """The event that was stored. Raises KeyError for a name that this release does not know."""
    return DECODERS[type_name](payload)
