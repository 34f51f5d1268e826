"""More of what can happen to a plan as it starts and runs: a start out of its time, items that the system could not start.

Events of a `plan-<id>` stream, beside those of `contracts.plan_events`.
"""

from typing import Literal

from contracts.plan_events import Event

TimeRule = Literal["window", "schedule"]


class ItemHeld(Event, frozen=True, gc=False):
    """The plan has the system start this item, and the system may not or cannot: `code` of the refusal, and why.

    A person starts, skips or repairs; the system does not try again.
    """

    item: str
    code: str
    detail: str


class StartOverridden(Event, frozen=True, gc=False):
    """The plan starts before its time, by someone who may, with a reason. `rules`: what would have kept it waiting.

    With `window` its items start before the window opens as well. The end of the window stays what it is.
    """

    reason: str
    rules: tuple[TimeRule, ...] = ()


class ItemCancelRequested(Event, frozen=True, gc=False):
    """The running attempt is to be cancelled: its step is stopped, no later one starts. `item.finished.v1` says when it has."""

    item: str
    attempt: int
    reason: str


EVENTS: dict[str, type[Event]] = {
    "item.held.v1": ItemHeld,
    "item.cancel_requested.v1": ItemCancelRequested,
    "plan.start_overridden.v1": StartOverridden,
}
OWNERS: dict[str, tuple[str, ...]] = {"executor": tuple(EVENTS)}
