"""The bodies of the calendar over HTTP: what takes place when, and what is in each other's way."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from contracts.http import Answered, Done, FrozenView, Read
from contracts.plan import Status
from contracts.saved_list import TouchKey
from contracts.values import Moment, Ref, Slug


class CalendarQuery(Read, frozen=True, kw_only=True, rename={"from_": "from"}):
    """What touches the time from `from` until before `to`. Without them: the last 90 days and the coming 365.

    The other parameters filter plans as in the list of plans; freezes are shown that concern one of the projects, if any.
    """

    from_: Moment | None = None
    to: Moment | None = None
    status: Annotated[tuple[Status, ...], Meta(max_length=20)] = ()
    owner: Annotated[tuple[Ref, ...], Meta(max_length=20)] = ()
    label: Annotated[tuple[Slug, ...], Meta(max_length=20)] = ()
    project: Annotated[tuple[Slug, ...], Meta(max_length=20)] = ()
    touches: Annotated[tuple[TouchKey, ...], Meta(max_length=20)] = ()
    min_position: Annotated[int, Meta(ge=0)] = 0


class CalendarPlan(Answered, frozen=True, kw_only=True):
    """A plan with a window, or with a schedule alone (`end` is then its moment). `zone` is the window's, "" without one."""

    id: str
    index: int
    project: str
    name: str
    status: Status
    owners: tuple[str, ...]
    labels: tuple[str, ...]
    touches: tuple[str, ...]
    start: datetime
    end: datetime
    zone: str
    updated_at: datetime
    version: int


class ConflictView(Answered, frozen=True, kw_only=True):
    """Two plans that have not ended touch the same (`service/environment`) between `start` and before `end`."""

    plans: tuple[str, str]
    touches: tuple[str, ...]
    start: datetime
    end: datetime


class CalendarView(Answered, frozen=True, kw_only=True):
    """`more`: not everything is in it; ask for a shorter time. The list of plans contains the log up to `position`."""

    start: datetime
    end: datetime
    plans: tuple[CalendarPlan, ...]
    freezes: tuple[FrozenView, ...]
    conflicts: tuple[ConflictView, ...]
    more: bool
    position: int


class PlanConflict(Answered, frozen=True, kw_only=True):
    """Another plan that has not ended and touches the same at the same time."""

    plan: str
    index: int
    project: str
    name: str
    status: Status
    owners: tuple[str, ...]
    touches: tuple[str, ...]
    start: datetime
    end: datetime


class PlanFreeze(FrozenView, frozen=True, kw_only=True):
    """An occurrence of a freeze that concerns the plan in its time. `overridden`: it does not hold the plan."""

    overridden: bool


class PlanConflicts(Answered, frozen=True, kw_only=True):
    """What a plan should be planned around, as it is at `version`. `more`: only the earliest are in it.

    The list of plans contains the log up to `position`.
    """

    plan: str
    version: int
    conflicts: tuple[PlanConflict, ...]
    freezes: tuple[PlanFreeze, ...]
    more: bool
    position: int


class Sealed(Done, frozen=True, kw_only=True):
    """The plan is sealed. `warnings` are sentences about conflicts and freezes in its time; none of them refuses it."""

    warnings: tuple[str, ...]
