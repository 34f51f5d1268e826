"""The rules of deliveries: when to try, when to try again, when to give up.

Any 2xx is success and nothing else is; 410 says that nobody will listen there again. Tries go by a schedule with
jitter, never sooner than the receiver asked (`Retry-After`), within a budget of time. An attempt without outcome past
its time is one that was interrupted, and is made again: at least once, under the same id.
"""

from typing import Literal

import msgspec

from contracts.commands import Actor
from contracts.delivery import (
    DeliveryAttempted,
    DeliveryDied,
    DeliveryError,
    DeliveryFailed,
    DeliveryResent,
    DeliverySucceeded,
)
from contracts.plan import Plan
from contracts.plan_events import Event
from contracts.refusals import Refused
from contracts.rights import demand_mover
from services.hook_dispatcher.views.delivery import Delivery

_SECOND = 1_000_000
_LONGEST_RETRY_AFTER_SECONDS = 86_400.0


class Patience(msgspec.Struct, frozen=True):
    """`schedule_seconds[n]` is the pause before try n + 1 (the first is 0); jitter as a part of it, both ways."""

    schedule_seconds: tuple[float, ...] = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400, 86_400)
    budget_seconds: float = 259_200
    jitter: float = 0.2


class Sent(msgspec.Struct, frozen=True):
    """What came of a request: a status, or an error. `retry_after_seconds` is what the receiver asked for."""

    status: int | None = None
    error: DeliveryError | None = None
    detail: str = ""
    latency_ms: int = 0
    retry_after_seconds: float | None = None

    @property
    def taken(self) -> bool:
        """Whether the receiver took the hook."""
        return self.error is None and self.status is not None and 200 <= self.status < 300


Step = Literal["try", "interrupted", "wait", "nothing"]


def next_step(delivery: Delivery, now: int) -> Step:
    """What is to be done about this delivery now. `wait` is until `delivery.next_at`."""
    match delivery.state:
        case "pending":
            return "try"
        case "retrying":
            return "try" if delivery.next_at <= now else "wait"
        case "sending":
            return "interrupted" if delivery.next_at <= now else "wait"
        case "delivered" | "dead":
            return "nothing"


def attempt(delivery: Delivery, until: int) -> tuple[Event, ...]:
    """The intent of the next attempt."""
    return (DeliveryAttempted(attempt=delivery.attempts + 1, until=until),)


def outcome(delivery: Delivery, sent: Sent, now: int, chance: float, patience: Patience) -> tuple[Event, ...]:
    """The outcome of the attempt that `delivery` is at. `chance` in 0..1 makes the jitter."""
    if sent.taken:
        return (
            DeliverySucceeded(
                attempt=delivery.attempts, status=sent.status or 0, latency_ms=sent.latency_ms, detail=sent.detail
            ),
        )
    next_at, reason = _again(delivery, sent, now, chance, patience)
    failed = DeliveryFailed(
        attempt=delivery.attempts,
        error=sent.error or "status",
        detail=sent.detail,
        status=sent.status,
        latency_ms=sent.latency_ms,
        next_at=next_at,
    )
    return (failed, DeliveryDied(reason=reason)) if reason else (failed,)


def interrupted(delivery: Delivery, now: int, patience: Patience) -> tuple[Event, ...]:
    """The attempt has no outcome and never will; the next comes at once while the schedule has one."""
    sent = Sent(error="interrupted", detail="the sender ended before the outcome was known")
    events = outcome(delivery, sent, now, 0.5, patience)
    match events:
        case (DeliveryFailed() as failed,):
            return (msgspec.structs.replace(failed, next_at=now),)
        case _:
            return events


def _again(delivery: Delivery, sent: Sent, now: int, chance: float, patience: Patience) -> tuple[int, str]:
    """When to try again, or 0 and why not."""
    if sent.status == 410:
        return 0, "the receiver says that it is gone (410)"
    if delivery.tries >= len(patience.schedule_seconds):
        return 0, f"{delivery.tries} tries have failed"
    end = delivery.since + int(patience.budget_seconds * _SECOND)
    pause = patience.schedule_seconds[delivery.tries] * (1 + patience.jitter * (2 * chance - 1))
    asked = min(sent.retry_after_seconds or 0.0, _LONGEST_RETRY_AFTER_SECONDS)
    # The last try is at the very end of the time: however the jitter fell, an outage that is shorter than that loses nothing.
    next_at = max(min(now + int(pause * _SECOND), end), now + int(asked * _SECOND))
    if now >= end or next_at > end:
        return 0, f"the time for it, {patience.budget_seconds:.0f} s, is over after {delivery.tries} tries"
    return next_at, ""


def _too_late(delivery: Delivery, at: int, patience: Patience) -> bool:
    return at - delivery.since > patience.budget_seconds * _SECOND


def held_back(delivery: Delivery, now: int, patience: Patience) -> tuple[Event, ...]:
    """A breaker holds it back. It keeps its tries and waits, but no longer than its time."""
    if not _too_late(delivery, now, patience):
        return ()
    reason = f"the time for it, {patience.budget_seconds:.0f} s, is over and its host answers nobody"
    return (DeliveryDied(reason=reason),)


def no_endpoint(delivery: Delivery) -> tuple[Event, ...]:
    """Nobody wants it any more."""
    return (DeliveryDied(reason=f"the endpoint {delivery.created.endpoint} is switched off"),)


def resend(delivery: Delivery | None, plan: Plan | None, actor: Actor) -> tuple[Event, ...]:
    """Another try now, with a new budget; `()` when it is on its way anyway."""
    if delivery is None or (plan is None and delivery.created.plan):
        raise Refused("delivery_not_found", "There is no such delivery.")
    if plan is not None:
        demand_mover(plan, actor)
    elif not actor.administrator:
        raise Refused("forbidden", f"{actor.id} may not resend tests of endpoints; administrators may.")
    return () if delivery.state in {"pending", "sending"} else (DeliveryResent(),)
