"""Hooks on their way out: the events of `endpoint-<id>`, `delivery-<id>` and `callback-<plan id>` streams.

A delivery is one (event, endpoint): its id is derived from both and goes out as `webhook-id` with every attempt. Each
attempt is an intent, a request, an outcome. A callback that was refused changes no plan; it is kept in the plan's
callback stream, so the record shows it and the plan's version does not move.
"""

from typing import Literal

from contracts.plan_events import Event

Format = Literal["zadig", "standard", "both"]
"""`zadig`: the body of the reference system. `standard`: a CloudEvent in JSON. `both`: one delivery of each."""

Signing = Literal["hmac", "ed25519"]
"""How hooks are signed: `v1` with a secret that both sides have, `v1a` with a key pair whose public half is shown."""


class EndpointPut(Event, frozen=True, gc=False):
    """An address that wants hooks. `secret_ref` names its signing secret in the key store.

    `events` are names and patterns (`contracts.hook_patterns`). With a `plan` only that plan's hooks go there, with a
    `project` only those of its plans, with neither all. `ordered`: a hook of a plan waits for the one before it.
    `concurrency` and `rate_per_minute` (0: any) are of one dispatcher. `verify`: nothing goes there before the address has
    echoed a challenge.
    """

    url: str
    secret_ref: str
    events: tuple[str, ...]
    enabled: bool = True
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


class DeliveryCreated(Event, frozen=True):
    """A hook is due: `event` of `plan`, raised by the fact at position `raised_by`, for `endpoint`.

    `event` is one of the three names or, in the format `standard`, the type of an event as well. A test of an endpoint
    belongs to no plan. The body is a function of the log up to `raised_by`; `size` and `sha256` fix it. It is not kept
    here: an event holds 64 kB, and the content of a long checklist alone comes near that.
    """

    plan: str
    event: str
    round: int
    endpoint: str
    raised_by: int
    size: int
    sha256: str
    format: Literal["zadig", "standard"] = "zadig"


class DeliveryAttempted(Event, frozen=True):
    """Intent. Without an outcome by `until` (Unix µs), whoever had it is gone and it is tried again."""

    attempt: int
    until: int


class DeliverySucceeded(Event, frozen=True):
    """`detail` is the beginning of the answer, made one printable line; empty where it was not read."""

    attempt: int
    status: int
    latency_ms: int
    detail: str = ""


DeliveryError = Literal[
    "status",
    "timeout",
    "refused",
    "name",
    "blocked_address",
    "tls",
    "connection",
    "secret",
    "other",
    "interrupted",
    "challenge",
]
"""What went wrong: the answer's status, no answer in time, nobody listening, no such host, an address that hooks may not
go to, the certificate, a connection that broke, no usable signing secret, anything else, the sender itself was gone, or
the challenge was not echoed."""


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


class CallbackRepeated(Event, frozen=True, gc=False):
    """A verdict that was given before in the same words. Kept once per asker; it changed nothing."""

    gate: str
    instance_code: str
    result: str


EVENTS: dict[str, type[Event]] = {
    "endpoint.put.v1": EndpointPut,
    "delivery.created.v1": DeliveryCreated,
    "delivery.attempted.v1": DeliveryAttempted,
    "delivery.succeeded.v1": DeliverySucceeded,
    "delivery.failed.v1": DeliveryFailed,
    "delivery.died.v1": DeliveryDied,
    "delivery.resent.v1": DeliveryResent,
    "callback.refused.v1": CallbackRefused,
    "callback.repeated.v1": CallbackRepeated,
}
OWNERS: dict[str, tuple[str, ...]] = {"hook_dispatcher": tuple(EVENTS)}
