"""What others see of a plan at a glance: its row in the list, and the timers that it waits for. Pure."""

import msgspec

from contracts.calendar import span_of, touch_key
from contracts.moments import micros
from contracts.plan import ENDED, Plan
from contracts.slots import standing
from contracts.timing import schedule_lapses
from contracts.waiting import asked_of

NEVER = 2**63 - 1
"""Stands in a column of times for "without end", so that such rows come last."""


class PlanRow(msgspec.Struct, frozen=True):
    """One row of `view.plan`; the fields are its columns, in order. Times in Unix microseconds."""

    id: str
    idx: int
    project: str
    name: str
    status: str
    owners: list[str]
    labels: list[str]
    window_start: int | None
    window_end: int | None
    item_owners: list[str]
    waiting_for: list[str]
    created_at: int
    updated_at: int
    updated_by: str
    version: int
    position: int
    search: str
    review_owed: bool
    starts: int | None
    ends: int | None
    zone: str
    touches: list[str]
    asked: list[str]
    asked_until: int


class TimerRow(msgspec.Struct, frozen=True):
    """One row of `view.timer`: `service` is to be woken for `stream` at `due_at` (Unix µs)."""

    stream: str
    kind: str
    due_at: int
    service: str


def plan_row(plan: Plan) -> PlanRow:
    """The row of a plan."""
    content, window = plan.content, plan.content.window
    starts, ends = span_of(content) or (None, None)
    asked, until = asked_of(plan)
    return PlanRow(
        id=plan.id,
        idx=plan.index,
        project=plan.project,
        name=content.name,
        status=plan.status,
        owners=list(content.owner or (plan.created_by,)),
        labels=list(content.labels),
        window_start=micros(window.start) if window else None,
        window_end=micros(window.end) if window else None,
        item_owners=sorted({ref for item in content.items for ref in item.owner}),
        waiting_for=_waiting_for(plan),
        created_at=plan.created_at,
        updated_at=plan.updated_at,
        updated_by=plan.updated_by,
        version=plan.version,
        position=plan.position,
        search=f"{content.name}\n{content.description}".lower(),
        review_owed=plan.review_owed,
        starts=starts,
        ends=ends,
        zone=window.zone if window else "",
        touches=sorted({touch_key(touch) for touch in content.touches}),
        asked=list(asked),
        asked_until=until or NEVER,
    )


def _waiting_for(plan: Plan) -> list[str]:
    """The approvers who are asked now and have not voted. A group stands for its members."""
    return sorted(standing(plan).asked) if plan.status == "wait_for_approval" else []


def timer_rows(plan: Plan) -> list[TimerRow]:
    """The timers of a plan in this state; none once it has ended, but for the running items of a timed-out one."""
    stream = f"plan-{plan.id}"
    rows: list[TimerRow] = []
    if plan.status in ENDED or plan.seal is None:
        return rows
    if plan.approval.state == "open" and plan.approval.deadline:
        rows.append(TimerRow(stream, "approval_deadline", plan.approval.deadline, "approval"))
    if plan.remind_at:
        rows.append(TimerRow(stream, "approval_reminder", plan.remind_at, "approval"))
    open_gates = [gate for gate in plan.gates.values() if gate.state == "open"]
    if open_gates:
        rows.append(TimerRow(stream, "gate_deadline", min(gate.deadline for gate in open_gates), "hook_dispatcher"))
    if plan.held is not None:
        rows.append(TimerRow(stream, "freeze_end", plan.held.until, "executor"))
    window, schedule = plan.content.window, plan.content.schedule
    if (
        window is not None and plan.status != "denied"
    ):  # that waits for its people; nothing would ever take the timer away
        rows.append(TimerRow(stream, "window_end", micros(window.end), "executor"))
        if plan.approved and not plan.times.executing:
            rows.append(TimerRow(stream, "window_start", micros(window.start), "executor"))
    if schedule is not None and not plan.start_requested and not plan.schedule_missed:
        rows.append(TimerRow(stream, "schedule", micros(schedule.at), "executor"))
        lapses = schedule_lapses(plan.content)
        if lapses is not None:  # the moment after the last one
            rows.append(TimerRow(stream, "schedule_lapse", lapses + 1, "executor"))
    return rows
