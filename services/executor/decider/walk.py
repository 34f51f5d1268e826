"""How a plan starts, goes on and ends: the start command, and what is due by itself.

Pure. `due` looks at a plan at a moment and says the events that follow now, `()` when it has to wait: for a person, an
answer, or a timer. Nothing here depends on what woke the executor, so it may be asked as often as one likes.
"""

import msgspec

from contracts.commands import Actor, OverrideStart
from contracts.executing_events import StartOverridden, TimeRule
from contracts.moments import micros, rfc3339
from contracts.plan import Plan, StartOverride, Status
from contracts.plan_events import (
    Event,
    ExecutionStarted,
    Frozen,
    PlanDrifted,
    PlanTimedOut,
    ScheduleMissed,
    StartRequested,
)
from contracts.refusals import Fault, Refused
from contracts.rights import demand_mover, forbidden
from contracts.timing import PUNCTUAL_SECONDS, schedule_lapses
from services.executor.decider.freezes import demand_no_freeze, held
from services.executor.decider.rules import (
    MOST_NAMED,
    after_window,
    before_window,
    demand_window,
    drift_of,
    is_settled,
    not_named,
    seal_drift,
    settling,
    statuses,
    success,
)
from services.executor.decider.starting import starts, waiting_for_system
from services.executor.views import Workflows

BEFORE_START: frozenset[Status] = frozenset(
    {
        "wait_for_finish_planning_external_check",
        "wait_for_finish_planning_external_check_failed",
        "finish_planning",
        "wait_for_approval",
    }
)
ACTIVE: frozenset[Status] = BEFORE_START | {
    "wait_for_execute_external_check",
    "wait_for_execute_external_check_failed",
    "executing",
    "wait_for_all_done_external_check",
    "wait_for_all_done_external_check_failed",
}
"""The statuses that a window's end turns into `timeout`. A draft and a denied plan wait for their people, not for time."""


def start(
    plan: Plan | None, plan_id: str, actor: Actor, at: int, workflows: Workflows, frozen: Frozen | None = None
) -> tuple[Event, ...]:
    """The start command. `()` when the start was asked for already. Raises Refused."""
    if plan is None:
        raise Refused("plan_not_found", f"There is no plan {plan_id}.")
    demand_mover(plan, actor)
    if plan.status == "executing" or (plan.start_requested and plan.status in ACTIVE and not plan.settled):
        return ()
    _demand_startable(plan)
    demand_window(plan, at)
    demand_no_freeze(frozen)
    schedule = plan.content.schedule
    if schedule is not None and _before_schedule(plan, at):
        when = rfc3339(micros(schedule.at))
        raise Refused("before_schedule", f"The plan is scheduled for {when} and starts then.", at=when)
    drifted = drift_of(plan, plan.content.items, workflows)
    if drifted is not None:
        raise seal_drift(plan, *drifted)
    return _started(plan, StartRequested(by="owner"))


def _before_schedule(plan: Plan, at: int) -> bool:
    schedule = plan.content.schedule
    return schedule is not None and at < micros(schedule.at) and not plan.schedule_missed


def override_start(
    plan: Plan | None,
    command: OverrideStart,
    actor: Actor,
    at: int,
    workflows: Workflows,
    frozen: Frozen | None = None,
) -> tuple[Event, ...]:
    """A start before its time, with a reason. `()` when the plan has been asked to start already. Raises Refused."""
    if plan is None:
        raise Refused("plan_not_found", f"There is no plan {command.plan}.")
    if not actor.administrator:
        raise forbidden(actor, (), "start a plan before its time")
    if not command.reason.strip():
        raise Refused("reason_required", "Say why it starts now.", [Fault("/reason", "is missing or empty")])
    early: list[TimeRule] = ["window"] if before_window(plan, at) else []
    early += ["schedule"] if _before_schedule(plan, at) else []
    override = StartOverride(tuple(early), command.reason, actor.id, at)
    relaxed = msgspec.structs.replace(plan, start_override=override, schedule_missed=True)
    started = start(relaxed, command.plan, actor, at, workflows, frozen)
    return (StartOverridden(rules=tuple(early), reason=command.reason), *started) if started else ()


def _demand_startable(plan: Plan) -> None:
    status = plan.status
    match status:
        case "planning":
            raise Refused("not_sealed", "The plan is still being planned; seal it first.", status=status)
        case "success" | "cancel":
            raise Refused("final", f"The plan has ended with {status}; copy it to release again.", status=status)
        case "timeout":
            raise Refused("final", "The plan has timed out; reopen it first.", status=status)
        case "wait_for_approval" | "denied":
            raise Refused("not_approved", f"The plan is in {status}; it starts once it is approved.", status=status)
        case "finish_planning":
            if not plan.approved:
                raise Refused("not_approved", "The plan asks for approval; submit it first.", status=status)
            if plan.drift is not None:
                raise seal_drift(plan, plan.drift.item, plan.drift.fields)
        case "wait_for_finish_planning_external_check" | "wait_for_finish_planning_external_check_failed":
            detail = "The check after planning has not passed yet."
            raise Refused("gate_not_passed", detail, status=status, gate="finish_planning")
        case _:
            raise Refused("already_started", f"The plan has started; it is in {status}.", status=status)


def _started(plan: Plan, requested: StartRequested) -> tuple[Event, ...]:
    """The request alone where a gate comes first, else the start itself with it."""
    if plan.content.gates.start_execute is not None:
        return (requested,)
    return (requested, *_executing(plan))


def _executing(plan: Plan) -> tuple[Event, ...]:
    """The start. Items that were kept done may leave nothing to do, so this may be the end as well."""
    assert plan.seal is not None
    return (ExecutionStarted(seal=plan.seal.value), *settling(plan, statuses(plan)))


def due(
    plan: Plan, at: int, workflows: Workflows, frozen: Frozen | None = None, runner: Actor | None = None
) -> tuple[Event, ...]:
    """What follows by itself from the plan as it stands at this moment (Unix µs), where `frozen` holds it, if any.

    `runner`: the person who sealed the plan, as the directory has them now; where they are let in no more, `None`.
    """
    if plan.status == "denied":  # it waits for its people, and its schedule does not wait for them
        return (ScheduleMissed(reason="denied"),) if _lapsed(plan, at) else ()
    if plan.status not in ACTIVE:
        return ()
    if _may_succeed(plan):
        return (success(plan, statuses(plan)),)
    if after_window(plan, at):
        return (_timed_out(plan),)
    if plan.status in BEFORE_START:
        return _due_before_start(plan, at, workflows, frozen)
    if plan.status == "wait_for_execute_external_check" and plan.gates["start_execute"].passable:
        return _due_after_gate(plan, at, workflows, frozen)
    if plan.status == "executing":
        return settling(plan, statuses(plan)) or _due_executing(plan, workflows, frozen, runner)
    return ()


def _due_executing(plan: Plan, workflows: Workflows, frozen: Frozen | None, runner: Actor | None) -> tuple[Event, ...]:
    if frozen is not None:
        return held(plan, frozen, PUNCTUAL_SECONDS) if waiting_for_system(plan) else ()
    return starts(plan, workflows, runner)


def needs_workflows(plan: Plan, at: int) -> bool:
    """Whether `due` may start the plan or an item now and so must know what would run. Spares reading workflows for nothing."""
    if before_window(plan, at) or plan.drift is not None:
        return False
    if plan.status == "executing":
        return bool(waiting_for_system(plan))
    return plan.status == "finish_planning" or plan.status == "wait_for_execute_external_check"


def _may_succeed(plan: Plan) -> bool:
    """The last gate let it pass, and did so in time: our own lateness must not turn a success into a timeout."""
    gate, window = plan.gates["all_job_done"], plan.content.window
    if plan.status != "wait_for_all_done_external_check" or not (plan.settled and gate.passable):
        return False
    return window is None or gate.answered_at < micros(window.end)


def _timed_out(plan: Plan) -> PlanTimedOut:
    states = [(item, plan.state_of(item.id)) for item in plan.content.items]
    running = tuple(item.id for item, state in states if state.running is not None)
    left = tuple(item.id for item, state in states if state.running is None and not is_settled(item, state.status))
    more = not_named(left, running)
    return PlanTimedOut(reason="window_end", open=left[:MOST_NAMED], running=running[:MOST_NAMED], more=more)


def _due_before_start(plan: Plan, at: int, workflows: Workflows, frozen: Frozen | None) -> tuple[Event, ...]:
    schedule = plan.content.schedule
    if schedule is not None and not plan.schedule_missed:
        if at < micros(schedule.at):
            return ()
        if _lapsed(plan, at):
            return (ScheduleMissed(reason=_why_missed(plan)),)
    if plan.status != "finish_planning" or not plan.approved or plan.drift is not None or before_window(plan, at):
        return ()
    if schedule is not None and not plan.schedule_missed:
        return _start_unless_drifted(plan, StartRequested(by="schedule"), workflows, frozen)
    if schedule is None and plan.content.rules.start == "on_approval" and plan.content.approval.levels:
        return _start_unless_drifted(plan, StartRequested(by="approval"), workflows, frozen)
    return ()  # by its owner


def _lapsed(plan: Plan, at: int) -> bool:
    lapses = schedule_lapses(plan.content)
    return lapses is not None and at > lapses and not plan.schedule_missed and not plan.start_requested


def _why_missed(plan: Plan) -> str:
    if plan.status == "finish_planning" and plan.approved:
        return "seal_drift" if plan.drift is not None else "down"
    return "not_approved" if plan.status in {"finish_planning", "wait_for_approval"} else plan.status


def _start_unless_drifted(
    plan: Plan, requested: StartRequested, workflows: Workflows, frozen: Frozen | None
) -> tuple[Event, ...]:
    if frozen is not None:
        return held(plan, frozen, PUNCTUAL_SECONDS)
    drifted = drift_of(plan, plan.content.items, workflows)
    if drifted is not None:
        return (PlanDrifted(item=drifted[0], fields=drifted[1]),)
    return _started(plan, requested)


def _due_after_gate(plan: Plan, at: int, workflows: Workflows, frozen: Frozen | None) -> tuple[Event, ...]:
    """The gate let it pass: look once more whether it is still the approved plan, and the time for it."""
    if not plan.approved or plan.drift is not None or before_window(plan, at):
        return ()
    if frozen is not None:
        return held(plan, frozen, PUNCTUAL_SECONDS)
    drifted = drift_of(plan, plan.content.items, workflows)
    if drifted is not None:
        return (PlanDrifted(item=drifted[0], fields=drifted[1]),)
    return _executing(plan)
