"""The HTTP bodies about deliveries and about what a plan waits for at its gates."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from contracts.command import PlanId as Id
from contracts.http import Answered, NextStep, Read, SystemView
from contracts.values import GateName, Moment, Slug

DeliveryState = Literal["due", "pending", "sending", "retrying", "delivered", "dead"]


class DeliveryQuery(Read, frozen=True, kw_only=True):
    """Filters are combined by "and", states by "or". `since` and `until` are about when the hook became due."""

    endpoint: Slug | None = None
    plan: Id | None = None
    state: Annotated[tuple[DeliveryState, ...], Meta(max_length=6)] = ()
    since: Moment | None = None
    until: Moment | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 100
    cursor: Annotated[str, Meta(max_length=200)] = ""


class PlanDeliveryQuery(Read, frozen=True, kw_only=True):
    """The page of a plan's deliveries."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 500
    cursor: Annotated[str, Meta(max_length=200)] = ""


class Resending(Read, frozen=True, kw_only=True):
    """Which deliveries are tried again now: these `deliveries`, or all that the other fields find, the oldest first.

    Something must be named: deliveries, an endpoint, a plan or a `since`. `after` is the `next` of the answer before.
    """

    deliveries: Annotated[tuple[Id, ...], Meta(max_length=200)] = ()
    endpoint: Slug | None = None
    plan: Id | None = None
    since: Moment | None = None
    until: Moment | None = None
    state: Annotated[tuple[DeliveryState, ...], Meta(min_length=1, max_length=6)] = ("dead",)
    after: Annotated[str, Meta(max_length=200)] = ""


class NotResent(Answered, frozen=True, kw_only=True):
    delivery: str
    code: str
    detail: str


class Resent(Answered, frozen=True, kw_only=True):
    """`resent` go out now, or were on their way. `next`: there are more; ask again with it as `after`."""

    resent: tuple[str, ...]
    refused: tuple[NotResent, ...]
    next: str | None


class DeliveryView(Answered, frozen=True, kw_only=True):
    """A hook on its way out, or at its end. `due`: its first attempt comes next. `next_at`: when it is tried again.

    `endpoint_name` is the name under which the endpoint was put. A test or a challenge has no plan.
    """

    id: str
    plan: str
    event: str
    format: Literal["zadig", "standard"]
    round: int
    endpoint: str
    endpoint_name: str
    state: DeliveryState
    attempts: int
    created_at: datetime | None
    ended_at: datetime | None
    status: int | None
    error: str
    next_at: datetime | None
    version: int


class DeliveryPage(Answered, frozen=True, kw_only=True):
    """`next` is the cursor of the next page, `null` at the end."""

    deliveries: tuple[DeliveryView, ...]
    next: str | None = None


class DeliveryAttemptView(Answered, frozen=True, kw_only=True):
    """One attempt. `detail` is the beginning of the answer, made one line, or what went wrong; `error` its class."""

    number: int
    at: datetime
    ended_at: datetime | None
    outcome: Literal["", "delivered", "failed"]
    status: int | None
    latency_ms: int | None
    error: str
    detail: str


class OneDelivery(DeliveryView, frozen=True, kw_only=True):
    """A delivery with its attempts. `size` and `sha256` are of the body that was sent. `resent_by`: who asked for more."""

    raised_by: int
    size: int
    sha256: str
    reason: str
    resent_by: tuple[str, ...]
    tried: tuple[DeliveryAttemptView, ...]


class WaitView(Answered, frozen=True, kw_only=True):
    """A gate: whom the plan waits for there, since when, until when, what was sent, and what happens then.

    `asks`: the plan waits here for an answer; else the hook is only told. `waiting_for` has the systems that have not said
    success; where the rule names none, the endpoints that were told.
    """

    gate: GateName
    asks: bool
    state: Literal["none", "due", "open", "passed", "failed", "expired", "overridden", "closed"]
    round: int
    instance_code: str
    since: datetime | None
    until: datetime | None
    answered_at: datetime | None
    text: str
    waiting_for: tuple[str, ...]
    systems: tuple[SystemView, ...]
    deliveries: tuple[DeliveryView, ...]
    then: str
    next: tuple[NextStep, ...]


class WaitPage(Answered, frozen=True, kw_only=True):
    """The three gates in their order, of the plan at `version`."""

    plan: str
    status: str
    version: int
    gates: tuple[WaitView, ...]
