"""When a plan takes place, what it touches, and which plans are in each other's way. Pure.

Two plans conflict when they touch the same service in the same environment at overlapping times. A conflict is told, never
refused: people may know better, and a plan that has ended is in nobody's way.
"""

from collections.abc import Sequence

import msgspec

from contracts.moments import micros
from contracts.values import Content, Touch


def span_of(content: Content) -> tuple[int, int] | None:
    """The time that the plan takes, from the first until before the second, Unix microseconds: its window, else its moment.

    Never empty, whatever an event says: the list of plans could not keep such a time, and would stand still.
    """
    if content.window is not None:
        start = micros(content.window.start)
        return start, max(micros(content.window.end), start + 1)
    if content.schedule is not None:
        return micros(content.schedule.at), micros(content.schedule.at) + 1
    return None


def touch_key(touch: Touch) -> str:
    """`api/production`: how lists and calendars write a service in an environment. Neither name has a slash."""
    return f"{touch.service}/{touch.environment}"


class Busy(msgspec.Struct, frozen=True):
    """A plan that has not ended: its time, from `start` until before `end` (Unix µs), and what it touches then."""

    plan: str
    start: int
    end: int
    touches: tuple[str, ...]


class Conflict(msgspec.Struct, frozen=True):
    """Two plans touch the same between `start` and before `end` (Unix µs)."""

    plans: tuple[str, str]
    touches: tuple[str, ...]
    start: int
    end: int


def conflicts(busy: Sequence[Busy], most: int) -> tuple[Conflict, ...]:
    """Every pair in each other's way, by start. At most about so many: with more, the later ones are left out."""
    found: dict[tuple[str, str], list[str]] = {}
    by_touch: dict[str, list[Busy]] = {}
    spans = {one.plan: one for one in busy}
    for one in sorted(busy, key=lambda one: (one.start, one.plan)):
        if len(found) >= most:
            break
        for touch in one.touches:
            still = [other for other in by_touch.get(touch, ()) if other.end > one.start]
            for other in still:
                found.setdefault((other.plan, one.plan), []).append(touch)
            by_touch[touch] = [*still, one]
    return tuple(
        sorted(
            (
                Conflict(pair, tuple(sorted(touches)), spans[pair[1]].start, min(spans[one].end for one in pair))
                for pair, touches in found.items()
            ),
            key=lambda one: (one.start, one.plans),
        )
    )
