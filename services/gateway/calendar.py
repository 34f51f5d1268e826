"""The calendar: plans by the time that they take, occurrences of freezes, conflicts. Read from the list of plans and the log.

Answers are bounded: of a time in which more takes place than fits, what starts first is shown, and it says so.
"""

from collections.abc import Sequence
from itertools import islice

from contracts import http as h
from contracts import http_calendar as hc
from contracts.calendar import Busy, Conflict, conflicts, span_of, touch_key
from contracts.freeze import FreezeState
from contracts.moments import micros, moment
from contracts.plan import Plan
from contracts.refusals import Fault, Refused
from infra.clock import Clock
from infra.freezes import Freezes, frozen_within
from infra.postgres import Pool, Row, load_sql
from infra.recurrence import occurrences
from services.gateway.listing import PLANS, Listing

MOST = 5_000
"""The most plans, occurrences and conflicts in one answer."""

_PACKAGE = "services.gateway"
_DAY = 86_400 * 1_000_000
_BEFORE, _AFTER = 90 * _DAY, 365 * _DAY
_LONGEST = 50 * 366 * _DAY
_FAR = 3 * 366 * _DAY
_FEW = 200
_TOLD = 19
"""As many warnings as a person may read."""


class Calendar:
    """Reads the calendar. Raises Refused for a time that is none, Unavailable when the list is too far behind."""

    def __init__(self, pool: Pool, listing: Listing, freezes: Freezes, clock: Clock) -> None:
        self._pool = pool
        self._listing = listing
        self._freezes = freezes
        self._clock = clock
        self._sql = {name: load_sql(_PACKAGE, name) for name in ("calendar", "busy", "conflicts")}

    async def between(self, query: hc.CalendarQuery) -> hc.CalendarView:
        """Everything that touches a time."""
        start, end = self._asked(query)
        position = await self._listing.reached(PLANS, query.min_position)
        filters = [list(one) or None for one in (query.status, query.owner, query.label, query.project, query.touches)]
        rows = await self._pool.fetch(self._sql["calendar"], start, end, *filters, MOST + 1)
        plans = tuple(_plan(row) for row in rows[:MOST])
        busy = await self._pool.fetch(self._sql["busy"], start, end, MOST + 1)
        clashes = _conflicts(busy[:MOST])
        frozen = _frozen(list((await self._freezes.read()).values()), query.project, start, end)
        more = any(len(found) > MOST for found in (rows, busy, clashes, frozen))
        shown = {plan.id for plan in plans}
        return hc.CalendarView(
            start=moment(start),
            end=moment(end),
            plans=plans,
            freezes=frozen[:MOST],
            conflicts=tuple(_clash(one) for one in clashes[:MOST] if shown.intersection(one.plans)),
            more=more,
            position=position,
        )

    def _asked(self, query: hc.CalendarQuery) -> tuple[int, int]:
        now = self._clock.now()
        start = micros(query.from_) if query.from_ else (micros(query.to) if query.to else now) - _BEFORE
        end = micros(query.to) if query.to else (micros(query.from_) if query.from_ else now) + _AFTER
        fault = None
        if end <= start:
            fault = Fault("to", "is not after from", "window_order")
        elif end - start > _LONGEST:
            fault = Fault("to", f"is more than {_LONGEST // _DAY} days after from", "too_long")
        if fault is not None:
            raise Refused("invalid_parameter", f"The time is wrong: {fault.path} {fault.detail}.", [fault])
        return start, end

    async def around(self, plan: Plan, min_position: int = 0) -> hc.PlanConflicts:
        """What a plan should be planned around: other plans, and freezes."""
        position = await self._listing.reached(PLANS, min_position)
        span = span_of(plan.content)
        rows: Sequence[Row] = ()
        freezes: tuple[hc.PlanFreeze, ...] = ()
        touches = {touch_key(touch) for touch in plan.content.touches}
        if span is not None:
            rows = await self._pool.fetch(self._sql["conflicts"], plan.id, sorted(touches), *span, _FEW + 1)
            end = min(span[1], span[0] + _FAR)
            frozen = frozen_within(await self._freezes.read(), plan.project, plan.content, span[0], end)
            freezes = tuple(
                hc.PlanFreeze(
                    freeze=one.freeze,
                    name=one.name,
                    start=moment(one.start),
                    end=moment(one.end),
                    overridden=plan.overrides_freeze(one),
                )
                for one in frozen[: _FEW + 1]
            )
        return hc.PlanConflicts(
            plan=plan.id,
            version=plan.version,
            conflicts=tuple(_conflict(row, touches) for row in rows[:_FEW]),
            freezes=freezes[:_FEW],
            more=len(rows) > _FEW or len(freezes) > _FEW,
            position=position,
        )


def warnings(found: hc.PlanConflicts) -> tuple[str, ...]:
    """The same as sentences."""
    others = (
        f"Plan {one.index} ({one.name}, {one.status}) touches {', '.join(one.touches)} as well, "
        f"from {_text(one.start)} to {_text(one.end)}."
        for one in found.conflicts
    )
    held = (
        f"The freeze {one.name} holds the plan from {_text(one.start)} to {_text(one.end)}."
        for one in found.freezes
        if not one.overridden
    )
    told = [*others, *held]
    left = len(told) - _TOLD
    return tuple(told) if left <= 0 else (*told[:_TOLD], f"{left} more are among the plan's conflicts.")


def _text(at: object) -> str:
    return str(at).replace("+00:00", "Z").replace(" ", "T")


def _frozen(states: Sequence[FreezeState], projects: Sequence[str], start: int, end: int) -> tuple[h.FrozenView, ...]:
    found: list[h.FrozenView] = []
    for state in states:
        freeze = state.freeze
        if freeze is None or (projects and freeze.scope.projects and not set(projects) & set(freeze.scope.projects)):
            continue
        found += (
            h.FrozenView(freeze=state.id, name=freeze.name, start=moment(one.start), end=moment(one.end))
            for one in islice(occurrences(freeze, start, end), MOST + 1 - len(found))
        )
    return tuple(sorted(found, key=lambda one: (one.start, one.end, one.name)))


def _conflicts(rows: Sequence[Row]) -> tuple[Conflict, ...]:
    return conflicts([Busy(row["id"], row["starts"], row["ends"], tuple(row["touches"])) for row in rows], MOST + 1)


def _clash(one: Conflict) -> hc.ConflictView:
    return hc.ConflictView(plans=one.plans, touches=one.touches, start=moment(one.start), end=moment(one.end))


def _plan(row: Row) -> hc.CalendarPlan:
    return hc.CalendarPlan(
        id=row["id"],
        index=row["idx"],
        project=row["project"],
        name=row["name"],
        status=row["status"],
        owners=tuple(row["owners"]),
        labels=tuple(row["labels"]),
        touches=tuple(row["touches"]),
        start=moment(row["starts"]),
        end=moment(row["ends"]),
        zone=row["zone"],
        updated_at=moment(row["updated_at"]),
        version=row["version"],
    )


def _conflict(row: Row, touches: set[str]) -> hc.PlanConflict:
    return hc.PlanConflict(
        plan=row["id"],
        index=row["idx"],
        project=row["project"],
        name=row["name"],
        status=row["status"],
        owners=tuple(row["owners"]),
        touches=tuple(sorted(touches.intersection(row["touches"]))),
        start=moment(row["starts"]),
        end=moment(row["ends"]),
    )
