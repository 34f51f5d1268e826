"""How a delivery stands: the fold of its stream. Times are Unix microseconds, 0 for "not yet"."""

from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec.structs import replace

from contracts.delivery import (
    DeliveryAttempted,
    DeliveryCreated,
    DeliveryDied,
    DeliveryFailed,
    DeliveryResent,
    DeliverySucceeded,
)
from contracts.envelope import Fact, stream_id
from contracts.plan_events import Event
from contracts.registry import DECODERS

DeliveryState = Literal["pending", "sending", "retrying", "delivered", "dead"]


class Delivery(msgspec.Struct, frozen=True):
    """A delivery at `version` of its stream. `tries` and `since` count from its creation or the last asking for it.

    `next_at` is when there may be something to do: the next try of a `retrying` one, the end of a `sending` one's time.
    """

    id: str
    created: DeliveryCreated
    created_at: int
    version: int
    position: int
    since: int
    state: DeliveryState = "pending"
    attempts: int = 0
    tries: int = 0
    next_at: int = 0
    last_status: int | None = None
    last_error: str = ""
    ended_at: int = 0

    @property
    def ended(self) -> bool:
        return self.state in {"delivered", "dead"}


def fold_delivery(facts: Iterable[Fact], delivery: Delivery | None = None) -> Delivery | None:
    """The delivery after these facts of its stream. Facts of an unknown type move only the version."""
    for fact in facts:
        event = DECODERS[fact.type](fact.payload) if fact.type in DECODERS else None
        if delivery is not None:
            delivery = replace(after(delivery, event, fact.at), version=fact.version, position=fact.position)
        elif isinstance(event, DeliveryCreated):
            delivery = created(event, fact)
    return delivery


def created(event: DeliveryCreated, fact: Fact) -> Delivery:
    """The delivery after its first fact."""
    return Delivery(stream_id(fact.stream), event, fact.at, fact.version, fact.position, since=fact.at)


def after(delivery: Delivery, event: Event | None, at: int) -> Delivery:
    """The delivery after one more event at this time; version and position are the caller's business."""
    match event:
        case DeliveryAttempted():
            return replace(
                delivery, state="sending", attempts=event.attempt, tries=delivery.tries + 1, next_at=event.until
            )
        case DeliverySucceeded():
            return replace(delivery, state="delivered", last_status=event.status, last_error="", next_at=0, ended_at=at)
        case DeliveryFailed():
            error = f"{event.error}: {event.detail}" if event.detail else event.error
            return replace(
                delivery, state="retrying", last_status=event.status, last_error=error, next_at=event.next_at
            )
        case DeliveryDied():
            return replace(delivery, state="dead", next_at=0, ended_at=at)
        case DeliveryResent():
            return replace(delivery, state="pending", tries=0, since=at, next_at=0, ended_at=0)
        case _:
            return delivery
