"""Hooks on their way out: the events of `endpoint-<id>`, `delivery-<id>` and `callback-<plan id>` streams.

A delivery is one (event, endpoint): its id is derived from both and goes out as `webhook-id` with every attempt. Each
attempt is an intent, a request, an outcome. A callback that was refused changes no plan; it is kept in the plan's
callback stream, so the record shows it and the plan's version does not move.
"""

from typing import Literal

from contracts.plan_events import Event
from contracts.values import GateName


class EndpointPut(Event, frozen=True):
    """An address that wants hooks. `secret_ref` names its signing secret in the key store."""

    url: str
    secret_ref: str
    events: tuple[GateName, ...]
    enabled: bool = True


class DeliveryCreated(Event, frozen=True):
    """A hook is due: `event` of `plan`, raised by the fact at `raised_by`, for `endpoint`. The body is fixed here."""

    plan: str
    event: GateName
    round: int
    endpoint: str
    raised_by: int
    body: str


class DeliveryAttempted(Event, frozen=True):
    attempt: int


class DeliverySucceeded(Event, frozen=True):
    attempt: int
    status: int
    latency_ms: int


class DeliveryFailed(Event, frozen=True):
    """`next_at` (Unix µs) is when it is tried again; 0: it is not."""

    attempt: int
    error: Literal["status", "timeout", "refused", "blocked_address", "tls", "other", "interrupted"]
    detail: str = ""
    status: int | None = None
    latency_ms: int = 0
    next_at: int = 0


class DeliveryDied(Event, frozen=True):
    reason: str


class DeliveryResent(Event, frozen=True):
    """Somebody asks for another try now."""


class CallbackRefused(Event, frozen=True):
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
