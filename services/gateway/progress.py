"""How far a plan is and when it may end, from the plan and from how long its workflows usually take. Pure.

The end is the longest way through what items need of each other (and, in an ordered plan, through their order), each
started as soon as it may. It is a statement about the plan, not a promise about the people in it.
"""

from collections.abc import Iterator, Mapping, Set
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

import msgspec

from contracts.moments import micros, moment
from contracts.plan import ENDED, Plan
from contracts.progress import ItemProgress, ProgressView
from contracts.values import Item, WorkflowSpec
from contracts.waiting import settled

Workflow = tuple[str, str]
"""Project and name."""


class Usual(msgspec.Struct, frozen=True):
    """How long a workflow usually takes, in microseconds: the median of `runs` runs."""

    median: int
    runs: int


class _End(msgspec.Struct, frozen=True):
    """When an item ends at the earliest (Unix µs), whether that is all there is to say, and what it waited for last."""

    at: int
    known: bool
    after: str = ""


def workflows_of(plan: Plan) -> tuple[Workflow, ...]:
    """The workflows whose usual length is asked for."""
    specs = (item.spec for item in plan.content.items)
    return tuple(sorted({(one.project, one.workflow) for one in specs if isinstance(one, WorkflowSpec)}))


def progress_view(plan: Plan, usual: Mapping[Workflow, Usual], at: int) -> ProgressView:
    """The progress of the plan at this moment (Unix µs)."""
    items = plan.content.items
    ends = _ends(plan, usual, at)
    left = [item for item in items if not settled(plan, item)]
    open_ = {item.id for item in left}
    last = max(left, key=lambda item: ends[item.id].at, default=None)
    over, start = plan.status in ENDED, _start(plan, at)
    known = start is not None and all(ends[item.id].known for item in left)
    end = plan.times.ended if over else ends[last.id].at if last else at
    statuses = [plan.state_of(item.id).status for item in items]
    return ProgressView(
        id=plan.id,
        version=plan.version,
        position=plan.position,
        at=moment(at),
        status=plan.status,
        total=len(items),
        settled=len(items) - len(left),
        running=statuses.count("running"),
        failed=sum(plan.state_of(item.id).status == "failed" for item in left),
        expected_end=moment(end) if over or known else None,
        earliest_end=moment(end),
        unknown=() if over else tuple(item.id for item in left if _length(plan, item, usual) is None),
        critical_path=() if over or last is None else _path(ends, last.id, open_),
        items=tuple(
            _item(plan, item, usual, ends[item.id], known=item.id in open_ and start is not None and not over)
            for item in items
        ),
    )


def _start(plan: Plan, at: int) -> int | None:
    """When what is left may begin; `None` where nobody can say, since people or outside systems come first."""
    schedule = plan.content.schedule
    if plan.status == "executing":
        return at
    if schedule is not None and plan.approved and plan.status == "finish_planning" and not plan.schedule_missed:
        return max(at, micros(schedule.at))
    return None


def _ends(plan: Plan, usual: Mapping[Workflow, Usual], at: int) -> dict[str, _End]:
    """By item id. Items whose needs form a circle, as only a draft's can, end nobody knows when."""
    window = plan.content.window
    begin = max(_start(plan, at) or at, micros(window.start) if window else at)
    needs = _waits(plan)
    items = {item.id: item for item in plan.content.items}
    ends: dict[str, _End] = {}
    for one in _in_turn(needs):
        before = max((need for need in needs[one] if need in ends), key=lambda need: ends[need].at, default="")
        known = all(need in ends and ends[need].known for need in needs[one])
        ends[one] = _end(plan, items[one], usual, at, max(begin, ends[before].at if before else 0), before, known)
    return ends


def _in_turn(waits: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Each item behind all that it waits for, in one walk; what stands in a circle or behind one comes last."""
    left = dict.fromkeys(waits)
    sorter = TopologicalSorter(waits)
    with suppress(CycleError):  # what does not hang on the circle is given all the same
        sorter.prepare()
    while ready := sorter.get_ready():
        for one in ready:
            del left[one]
            yield one
        sorter.done(*ready)
    yield from left


def _waits(plan: Plan) -> dict[str, tuple[str, ...]]:
    """What each item waits for: what it needs, and in an ordered plan the item before it."""
    items = plan.content.items
    ids = {item.id for item in items}
    waits = {item.id: tuple(need for need in item.needs if need in ids) for item in items}
    if plan.content.rules.run == "in_order":
        for before, item in pairwise(items):
            waits[item.id] = (*waits[item.id], before.id)
    return waits


def _end(
    plan: Plan, item: Item, usual: Mapping[Workflow, Usual], at: int, begin: int, before: str, known: bool
) -> _End:
    if settled(plan, item):
        return _End(at, True)
    length = _length(plan, item, usual)
    running = plan.state_of(item.id).running
    if running is not None:
        return _End(max(running.started_at + (length or 0), at), length is not None)
    return _End(begin + (length or 0), known and length is not None, before)


def _length(plan: Plan, item: Item, usual: Mapping[Workflow, Usual]) -> int | None:
    """How long it takes, in microseconds; `None` for what people do, for a failed item, and for a first time."""
    if not isinstance(item.spec, WorkflowSpec) or plan.state_of(item.id).status == "failed":
        return None
    found = usual.get((item.spec.project, item.spec.workflow))
    return found.median if found else None


def _path(ends: Mapping[str, _End], last: str, open_: Set[str]) -> tuple[str, ...]:
    path: dict[str, None] = {}
    while last in open_ and last not in path:
        path[last] = None
        last = ends[last].after
    return tuple(reversed(path))


def _item(plan: Plan, item: Item, usual: Mapping[Workflow, Usual], end: _End, *, known: bool) -> ItemProgress:
    state = plan.state_of(item.id)
    attempt = state.attempts[-1] if state.attempts else None
    found = usual.get((item.spec.project, item.spec.workflow)) if isinstance(item.spec, WorkflowSpec) else None
    return ItemProgress(
        item=item.id,
        name=item.name,
        status=state.status,
        started_at=moment(attempt.started_at) if attempt else None,
        ended_at=moment(attempt.ended_at) if attempt and attempt.ended_at else None,
        usual_seconds=found.median / 1_000_000 if found else None,
        from_runs=found.runs if found else 0,
        expected_end=moment(end.at) if known and end.known else None,
    )
