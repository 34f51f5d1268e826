"""What happens to an endpoint after it was put: the other events of an `endpoint-<id>` stream.

A secret never stands in an event: `secret_ref` names it in the key store, and is private (`contracts.public`).
"""

from contracts.plan_events import Event


class EndpointRotated(Event, frozen=True, gc=False):
    """A new signing secret. Until `previous_until` (Unix µs) hooks are signed with the one before as well."""

    secret_ref: str
    previous_until: int
    public_key: str = ""


class EndpointEnabled(Event, frozen=True, gc=False):
    """Hooks go there again; those that were raised meanwhile were not kept for it."""

    reason: str = ""


class EndpointDisabled(Event, frozen=True, gc=False):
    """No hook goes there any more. What was on its way ends as a dead delivery."""

    reason: str = ""


class EndpointTested(Event, frozen=True, gc=False):
    """Somebody asks for a test: a delivery like any other, of this event."""


class EndpointChallenged(Event, frozen=True, gc=False):
    """A delivery with this challenge goes out; the answer must repeat it."""

    challenge: str


class EndpointVerified(Event, frozen=True, gc=False):
    """The address echoed its challenge, so whoever listens there wants our hooks."""


EVENTS: dict[str, type[Event]] = {
    "endpoint.rotated.v1": EndpointRotated,
    "endpoint.enabled.v1": EndpointEnabled,
    "endpoint.disabled.v1": EndpointDisabled,
    "endpoint.tested.v1": EndpointTested,
    "endpoint.challenged.v1": EndpointChallenged,
    "endpoint.verified.v1": EndpointVerified,
}
OWNERS: dict[str, tuple[str, ...]] = {"hook_dispatcher": tuple(EVENTS)}
