"""The rules of endpoints: an administrator names an address that may be asked, over http or https, without a password.

Whether the address may be reached is not looked up here: names change, so it is checked at each attempt. One that has to
be verified gets a challenge as soon as it is put, switched on, or moved to another address.
"""

import re

from contracts.commands import Actor, PutEndpoint
from contracts.delivery import EndpointPut
from contracts.endpoint import (
    EndpointChallenged,
    EndpointDisabled,
    EndpointEnabled,
    EndpointRotated,
    EndpointTested,
)
from contracts.endpoint_state import Endpoint
from contracts.evolve import APPLY
from contracts.hook_address import address_faults
from contracts.hook_commands import DisableEndpoint, EnableEndpoint, RotateEndpoint
from contracts.hook_patterns import is_pattern, matches
from contracts.plan_events import Event
from contracts.refusals import Fault, Refused
from contracts.run import EVENTS as RUN_EVENTS
from contracts.values import GATES

_ASKED = frozenset({"plan.created.v1", "delivery.died.v1", *APPLY, *RUN_EVENTS})
"""The events that can be asked for: those of plans and of runs, and that a hook of theirs was given up."""

_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@-]{0,199}")
_PLAN = re.compile(r"[0-9a-f]{24}")
_MOST_PATTERNS = 50
_MOST_AT_ONCE = 64
_MOST_PER_MINUTE = 60_000
_SECOND = 1_000_000


def put(before: Endpoint | None, command: PutEndpoint, actor: Actor, challenge: str) -> tuple[Event, ...]:
    """The endpoint as it is from now on; `()` when it is already so. Raises Refused with all faults.

    `challenge` is a fresh one, of use where the address must be verified.
    """
    _demand_administrator(actor)
    faults = [
        *(Fault("/url", fault) for fault in address_faults(command.url)),
        *_event_faults(command),
        *_other_faults(command),
    ]
    if faults:
        raise Refused("invalid_endpoint", "Hooks cannot be sent there.", faults)
    fields = {name: getattr(command, name) for name in EndpointPut.__struct_fields__}
    after = EndpointPut(**{**fields, "events": tuple(dict.fromkeys(command.events))})
    asks = after.verify and after.enabled and not _verified(before, after.url)
    if before is not None and all(getattr(before, name) == getattr(after, name) for name in fields):
        return ()
    return (after, EndpointChallenged(challenge=challenge)) if asks else (after,)


def _verified(before: Endpoint | None, url: str) -> bool:
    return before is not None and before.verified and before.url == url


def rotate(endpoint: Endpoint | None, command: RotateEndpoint, actor: Actor, at: int) -> tuple[Event, ...]:
    """A new secret; the one before signs as well until the overlap is over."""
    found = _existing(endpoint, actor)
    if command.secret_ref == found.secret_ref:
        return ()
    if not _REFERENCE.fullmatch(command.secret_ref):
        fault = Fault("/secret_ref", "is not the name of a secret")
        raise Refused("invalid_endpoint", "The secret cannot be used.", [fault])
    until = at + command.overlap_seconds * _SECOND
    return (EndpointRotated(secret_ref=command.secret_ref, previous_until=until, public_key=command.public_key),)


def enable(endpoint: Endpoint | None, command: EnableEndpoint, actor: Actor, challenge: str) -> tuple[Event, ...]:
    """Switched on; with a new challenge where one must be echoed and none was."""
    found = _existing(endpoint, actor)
    events: list[Event] = [] if found.enabled else [EndpointEnabled(reason=command.reason)]
    if found.verify and not found.verified:
        events.append(EndpointChallenged(challenge=challenge))
    return tuple(events)


def disable(endpoint: Endpoint | None, command: DisableEndpoint, actor: Actor) -> tuple[Event, ...]:
    """Switched off; `()` when it is."""
    found = _existing(endpoint, actor)
    return (EndpointDisabled(reason=command.reason),) if found.enabled else ()


def send_test(endpoint: Endpoint | None, actor: Actor) -> tuple[Event, ...]:
    """A test goes out, also to one that is not verified yet; not to one that is switched off."""
    found = _existing(endpoint, actor)
    if not found.enabled:
        raise Refused("endpoint_disabled", "The endpoint is switched off; enable it first.", reason=found.reason)
    return (EndpointTested(),)


def _existing(endpoint: Endpoint | None, actor: Actor) -> Endpoint:
    _demand_administrator(actor)
    if endpoint is None:
        raise Refused("endpoint_not_found", "There is no such endpoint.")
    return endpoint


def _demand_administrator(actor: Actor) -> None:
    if not actor.administrator:
        raise Refused("forbidden", f"{actor.id} may not set endpoints; administrators may.")


def _event_faults(command: PutEndpoint) -> list[Fault]:
    if not command.events:
        return [Fault("/events", "names no event; take enabled: false to stop an endpoint")]
    if len(command.events) > _MOST_PATTERNS:
        return [Fault("/events", f"names more than {_MOST_PATTERNS} events and patterns")]
    found = ((i, _event_fault(entry, command)) for i, entry in enumerate(command.events))
    return [Fault(f"/events/{i}", detail) for i, detail in found if detail]


def _event_fault(entry: str, command: PutEndpoint) -> str:
    if entry in GATES:
        return ""
    if not is_pattern(entry):
        return f"is neither a hook ({', '.join(GATES)}) nor a pattern such as plan.*, item.finished.v1 or gate.>"
    if not any(matches(entry, name) for name in _ASKED):
        return "matches no event of a plan or a run, nor delivery.died"
    if command.format == "zadig":
        return "is an event that only the formats standard and both can carry"
    return ""


def _other_faults(command: PutEndpoint) -> list[Fault]:
    checks = (
        (
            bool(command.secret_ref) and not _REFERENCE.fullmatch(command.secret_ref),
            "/secret_ref",
            "is not the name of a secret",
        ),
        (bool(command.plan) and not _PLAN.fullmatch(command.plan), "/plan", "is not the id of a plan"),
        (bool(command.plan and command.project), "/plan", "stands beside a project; one of the two makes the scope"),
        (not 1 <= command.concurrency <= _MOST_AT_ONCE, "/concurrency", f"must be 1 to {_MOST_AT_ONCE}"),
        (not 0 <= command.rate_per_minute <= _MOST_PER_MINUTE, "/rate_per_minute", f"must be 0 to {_MOST_PER_MINUTE}"),
    )
    return [Fault(path, detail) for wrong, path, detail in checks if wrong]
