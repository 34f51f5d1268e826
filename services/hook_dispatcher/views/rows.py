"""The rows of `view.delivery`, and what each fact does to them. Pure. The rows of `view.endpoint` are its state."""

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
from contracts.envelope import Fact
from contracts.plan_events import Event
from services.hook_dispatcher.views.delivery import Delivery
from services.hook_dispatcher.views.hooks import Raised

RowState = Literal["due", "pending", "sending", "retrying", "delivered", "dead"]


class DeliveryRow(msgspec.Struct, frozen=True):
    """A delivery as it stands now. `due`: raised, and its stream not begun. Without a plan it is a test or a challenge."""

    id: str
    plan: str
    event: str
    round: int
    endpoint: str
    raised_by: int
    state: RowState
    attempts: int
    last_status: int | None
    last_error: str
    next_at: int
    created_at: int
    ended_at: int
    version: int
    position: int
    format: Literal["zadig", "standard"] = "zadig"


def due_row(delivery: str, endpoint: str, raised: Raised, fact: Fact, plan: str) -> DeliveryRow:
    """A hook that `fact` raised for this endpoint."""
    return DeliveryRow(
        id=delivery,
        plan=plan,
        event=raised.event,
        round=raised.round,
        endpoint=endpoint,
        raised_by=fact.position,
        state="due",
        attempts=0,
        last_status=None,
        last_error="",
        next_at=0,
        created_at=fact.at,
        ended_at=0,
        version=0,
        position=fact.position,
        format=raised.format,
    )


def unbegun(row: DeliveryRow) -> Delivery:
    """The delivery whose stream is not begun, at version 0, by its row."""
    created = DeliveryCreated(
        plan=row.plan,
        event=row.event,
        round=row.round,
        endpoint=row.endpoint,
        raised_by=row.raised_by,
        size=0,
        sha256="",
        format=row.format,
    )
    return Delivery(row.id, created, row.created_at, 0, row.raised_by, since=row.created_at)


def advanced(row: DeliveryRow, event: Event | None, fact: Fact) -> DeliveryRow:
    """The row after a fact of the delivery's stream."""
    return replace(_after(row, event, fact), version=fact.version, position=fact.position)


def _after(row: DeliveryRow, event: Event | None, fact: Fact) -> DeliveryRow:
    match event:
        case DeliveryCreated() | DeliveryResent():
            return replace(row, state="pending", next_at=0, ended_at=0)
        case DeliveryAttempted():
            return replace(row, state="sending", attempts=event.attempt, next_at=event.until)
        case DeliverySucceeded():
            return replace(row, state="delivered", last_status=event.status, last_error="", next_at=0, ended_at=fact.at)
        case DeliveryFailed():
            error = f"{event.error}: {event.detail}" if event.detail else event.error
            return replace(row, state="retrying", last_status=event.status, last_error=error, next_at=event.next_at)
        case DeliveryDied():
            return replace(row, state="dead", next_at=0, ended_at=fact.at)
        case _:
            return row
