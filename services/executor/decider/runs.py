"""The next move of a workflow run, and whether its plan still wants it. Pure.

A step whose intent is recorded and whose outcome is not is performed again by its adapter, which knows how to find out
what became of it. What cannot be found out is decided by the step's effect class alone: what may be repeated is, a few
times and visibly; everything else stays unknown, and a person is asked.
"""

import msgspec

from contracts.guidance import moves_of_failed
from contracts.plan import Plan
from contracts.plan_events import Event, ItemFinished
from contracts.run import RunCancelRequested, RunFinished
from contracts.run_state import Run, StepState
from contracts.workflow import HttpStep, ScriptStep, steps_of
from services.executor.decider.rules import settling, statuses

UNKNOWN_EFFECT = "lease_lost_unknown_effect"
STOPPED = "executor_stopped"
LOST = "process_lost"
MOST_ATTEMPTS = 5
"""Of one step within one run, so that a step that kills its executor each time does not do so for ever."""


class Rest(msgspec.Struct, frozen=True):
    """Nothing is left to do."""


class Wait(msgspec.Struct, frozen=True):
    """Somebody else works on it until then (Unix µs), unless they claim it again."""

    until: int


class Claim(msgspec.Struct, frozen=True):
    """It is free: take the lease first."""


class Perform(msgspec.Struct, frozen=True):
    """This attempt of this step is to be done. `resumed`: its intent is recorded already."""

    index: int
    attempt: int
    resumed: bool


class Finish(msgspec.Struct, frozen=True):
    """The run ends so."""

    event: RunFinished


Move = Rest | Wait | Claim | Perform | Finish


def next_move(run: Run, owner: str, at: int, *, owner_gone: bool = False) -> Move:
    """What this owner does next. `owner_gone`: it is known that the present owner can never act again."""
    if run.outcome is not None:
        return Rest()
    if run.owner != owner:
        return Wait(run.until) if run.until > at and not owner_gone else Claim()
    index = run.next_step
    if index is None:
        return Finish(RunFinished(outcome="passed", outputs=run.outputs))
    state = run.steps[index]
    if state.state == "running":
        return Perform(index, state.attempt, resumed=True)
    if state.state == "todo" or _again(run, index, state):
        if run.cancel_reason is not None:
            return Finish(_cancelled(run))
        return Perform(index, state.attempt + 1, resumed=False)
    return Finish(_ended(run, index, state))


def _again(run: Run, index: int, state: StepState) -> bool:
    """An attempt that ended for no reason of its own, of a step that may be repeated."""
    ours = (state.state == "cancelled" and state.error == STOPPED) or (state.state == "unknown" and state.error == LOST)
    return ours and state.attempt < MOST_ATTEMPTS and repeatable(step_of(run, index))


def _ended(run: Run, index: int, state: StepState) -> RunFinished:
    name = step_of(run, index).name
    match state.state:
        case "cancelled":
            return _cancelled(run)
        case "unknown":
            why = UNKNOWN_EFFECT if state.error in {UNKNOWN_EFFECT, LOST} else f"{UNKNOWN_EFFECT}: {state.error}"
            return RunFinished(outcome="unknown", error=f"step {name}: {why}", outputs=run.outputs)
        case "timeout":
            return RunFinished(outcome="failed", error=f"step {name}: timeout: {state.error}", outputs=run.outputs)
        case _:
            return RunFinished(outcome="failed", error=f"step {name}: {state.error}", outputs=run.outputs)


def _cancelled(run: Run) -> RunFinished:
    return RunFinished(outcome="cancelled", error=run.cancel_reason or "cancelled", outputs=run.outputs)


def step_of(run: Run, index: int) -> ScriptStep | HttpStep:
    return steps_of(run.created.definition)[index][1]


def repeatable(step: ScriptStep | HttpStep) -> bool:
    """Doing it once more than known does no harm: it says so, or only asks."""
    return step.effect in {"pure", "idempotent"} or (isinstance(step, HttpStep) and step.method in {"GET", "HEAD"})


def unwanted(plan: Plan | None, item: str, attempt: int) -> str | None:
    """Why the plan no longer wants this attempt to run, `None` where it does."""
    state = plan.items.get(item) if plan is not None else None
    running = state.running if state is not None else None
    if plan is None or state is None or running is None or running.number != attempt:
        return "the plan has moved on"
    if plan.status == "timeout":
        return None if plan.content.rules.on_window_end == "finish_running" else "the window has ended"
    if plan.status == "cancel":
        return "the plan was cancelled"
    if plan.status != "executing" or state.status != "running":
        return "the plan was reopened"
    return state.stopping or None


def cancel(run: Run, reason: str | None) -> tuple[Event, ...]:
    """The request to cancel, once."""
    if reason is None or run.outcome is not None or run.cancel_reason is not None:
        return ()
    return (RunCancelRequested(reason=reason),)


def item_finished(plan: Plan | None, run: Run) -> tuple[Event, ...]:
    """What the end of a run means to its plan; `()` when it is known already. A lost outcome is a failure that asks."""
    state = plan.items.get(run.created.item) if plan is not None else None
    attempts = state.attempts if state is not None else ()
    attempt = next((one for one in attempts if one.number == run.created.attempt), None)
    if plan is None or state is None or attempt is None or attempt.outcome or run.outcome is None:
        return ()
    match run.outcome:
        case "passed":
            outcome = "done"
        case "cancelled":
            outcome = "cancelled"
        case _:
            outcome = "failed"
    finished = ItemFinished(
        item=run.created.item,
        attempt=attempt.number,
        outcome=outcome,  # type: ignore[arg-type]  # one of the three above
        error=run.error,
        log=run.log,
        outputs=run.outputs if outcome == "done" else {},
    )
    current = state.status == "running" and state.attempts[-1].number == attempt.number
    if plan.status != "executing" or not current or outcome == "cancelled":
        return (finished,)
    follows = settling(plan, statuses(plan, {run.created.item: outcome}))  # type: ignore[dict-item]  # as above
    item = plan.item(run.created.item)
    if outcome == "failed" and not follows and item is not None:
        finished = msgspec.structs.replace(finished, next=moves_of_failed(plan, item))
    return (finished, *follows)
