"""Freezes: times in which nothing starts. What one says, which plans it concerns, the events of a `freeze-<id>` stream.

A freeze is written in wall-clock time of its zone, once or repeated by a rule of RFC 5545; `infra.recurrence` turns it
into instants. It concerns all plans, or those of its scope. It refuses nothing itself: the deciders of planner and
executor do, with the occurrences that they are given.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Annotated, cast

import msgspec
from msgspec import Meta

from contracts.envelope import Fact, stream_id
from contracts.plan_events import Event
from contracts.values import Content, ShortText, Slug, Value

WallTime = Annotated[datetime, Meta(tz=False, description="Wall-clock time without offset: 2026-12-20T18:00:00")]
"""What a clock on the wall of the freeze's zone shows."""


class FrozenTouch(Value, frozen=True):
    """A service in an environment; one that is left out stands for any."""

    service: Slug | None = None
    environment: Slug | None = None


class Scope(Value, frozen=True):
    """Whom a freeze concerns. What is given must all fit (project and touch and label); of each, one of several does.

    Nothing given: every plan.
    """

    projects: Annotated[tuple[Slug, ...], Meta(max_length=100)] = ()
    touches: Annotated[tuple[FrozenTouch, ...], Meta(max_length=200)] = ()
    labels: Annotated[tuple[Slug, ...], Meta(max_length=50)] = ()

    def concerns(self, project: str, content: Content) -> bool:
        """Whether a plan of this project with this content is in the scope."""
        if self.projects and project not in self.projects:
            return False
        if self.labels and not set(self.labels) & set(content.labels):
            return False
        return not self.touches or any(
            frozen.service in {None, touch.service} and frozen.environment in {None, touch.environment}
            for frozen in self.touches
            for touch in content.touches
        )


class Freeze(Value, frozen=True):
    """From `start` until before `end`, wall-clock times of `zone` (an IANA name or `Anywhere on Earth`).

    `rrule`: the RRULE of RFC 5545 3.3.10 by which it repeats, without its name; daily at most, and every occurrence lasts
    as long on the wall clock as the first. `exdates`: starts of occurrences that do not take place.
    """

    name: Slug
    start: WallTime
    end: WallTime
    zone: Annotated[str, Meta(max_length=64)] = "UTC"
    rrule: Annotated[str, Meta(max_length=500)] = ""
    exdates: Annotated[tuple[WallTime, ...], Meta(max_length=500)] = ()
    reason: ShortText = ""
    scope: Scope = Scope()


class FreezePut(Event, frozen=True, gc=False):
    """A freeze, new or changed, whole."""

    freeze: Freeze


class FreezeDeleted(Event, frozen=True, gc=False):
    """The freeze holds nothing up any more."""

    reason: str = ""


EVENTS: dict[str, type[Event]] = {"freeze.put.v1": FreezePut, "freeze.deleted.v1": FreezeDeleted}
OWNERS: dict[str, tuple[str, ...]] = {"planner": tuple(EVENTS)}
_DECODE: Mapping[str, Callable[[bytes], Event]] = {
    name: cast(Callable[[bytes], Event], msgspec.json.Decoder(kind).decode) for name, kind in EVENTS.items()
}


class FreezeState(msgspec.Struct, frozen=True):
    """A freeze at `version` of its stream; `freeze` is `None` once it is deleted."""

    id: str
    freeze: Freeze | None
    put_by: str
    put_at: int
    version: int


def fold_freeze(facts: Iterable[Fact], state: FreezeState | None = None) -> FreezeState | None:
    """The freeze after these facts of its stream."""
    for fact in facts:
        event = _DECODE[fact.type](fact.payload) if fact.type in _DECODE else None
        freeze = state.freeze if state is not None else None
        match event:
            case FreezePut():
                freeze = event.freeze
            case FreezeDeleted():
                freeze = None
        state = FreezeState(stream_id(fact.stream), freeze, fact.actor, fact.at, fact.version)
    return state
