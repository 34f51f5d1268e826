"""Hooks on their way out: the events of `endpoint-<id>`, `delivery-<id>` and `callback-<plan id>` streams.

A delivery is one (event, endpoint): its id is derived from both and goes out as `webhook-id` with every attempt. Each
attempt is an intent, a request, an outcome. A callback that was refused changes no plan; it is kept in the plan's
callback stream, so the record shows it and the plan's version does not move.
"""

from typing import Literal

from contracts.plan_events import Event
from contracts.values import GateName


class EndpointPut(Event, frozen=True, gc=False):
    """An address that wants hooks. `secret_ref` names its signing secret in the key store."""

    url: str
    secret_ref: str
    events: tuple[GateName, ...]
    enabled: bool = True


class DeliveryCreated(Event, frozen=True):
    """A hook is due: `event` of `plan`, raised by the fact at position `raised_by`, for `endpoint`.

    The body is a function of the log up to `raised_by`; `size` and `sha256` fix it. It is not kept here: an event holds
    64 kB, and the content of a long checklist alone comes near that.
    """

    plan: str
    event: GateName
    round: int
    endpoint: str
    raised_by: int
    size: int
    sha256: str


class DeliveryAttempted(Event, frozen=True):
    """Intent. Without an outcome by `until` (Unix µs), whoever had it is gone and it is tried again."""

    attempt: int
    until: int


class DeliverySucceeded(Event, frozen=True):
    attempt: int
    status: int
    latency_ms: int


DeliveryError = Literal[
    "status", "timeout", "refused", "name", "blocked_address", "tls", "connection", "secret", "other", "interrupted"
]
"""What went wrong: the answer's status, no answer in time, nobody listening, no such host, an address that hooks may not
go to, the certificate, a connection that broke, no usable signing secret, anything else, or the sender itself was gone."""


class DeliveryFailed(Event, frozen=True):
    """`next_at` (Unix µs) is when it is tried again; 0: it is not, and `delivery.died.v1` follows."""

    attempt: int
    error: DeliveryError
    detail: str = ""
    status: int | None = None
    latency_ms: int = 0
    next_at: int = 0


class DeliveryDied(Event, frozen=True, gc=False):
    reason: str


class DeliveryResent(Event, frozen=True, gc=False):
    """Somebody asks for another try now."""


class CallbackRefused(Event, frozen=True, gc=False):
    gate: str
    instance_code: str
    result: str
    code: str


EVENTS: dict[str, type[Event]] = {
    "endpoint.put.v1": EndpointPut,
    "delivery.created.v1": DeliveryCreated,
    "delivery.attempted.v1": DeliveryAttempted,
    "delivery.succeeded.v1": DeliverySucceeded,
    "delivery.failed.v1": DeliveryFailed,
    "delivery.died.v1": DeliveryDied,
    "delivery.resent.v1": DeliveryResent,
    "callback.refused.v1": CallbackRefused,
}
OWNERS: dict[str, tuple[str, ...]] = {"hook_dispatcher": tuple(EVENTS)}
