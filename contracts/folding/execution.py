"""Starting, items, the end."""

from typing import Any

from msgspec.structs import replace

from contracts import plan_events as e
from contracts.envelope import Fact
from contracts.folding.ground import Apply, end, gate_due
from contracts.plan import (
    NOT_BEGUN,
    Attempt,
    Drift,
    Plan,
)

_NO_OUTPUTS: dict[str, str] = {}
"""One for all attempts that have given nothing yet: nobody writes it."""


def _start_requested(plan: Plan, event: e.StartRequested, fact: Fact) -> None:
    plan.start_requested, plan.held = event.by, None
    gate_due(plan, "start_execute")


def _execution_started(plan: Plan, event: e.ExecutionStarted, fact: Fact) -> None:
    plan.status, plan.held = "executing", None
    plan.times = replace(plan.times, executing=fact.at)


def _schedule_missed(plan: Plan, event: e.ScheduleMissed, fact: Fact) -> None:
    plan.schedule_missed, plan.reason, plan.held = True, event.reason, None


def _drifted(plan: Plan, event: e.PlanDrifted, fact: Fact) -> None:
    plan.drift = Drift(event.item, event.fields, fact.at)


def _item_started(plan: Plan, event: e.ItemStarted, fact: Fact) -> None:
    state, plan.held = plan.items.get(event.item, NOT_BEGUN), None
    attempt = Attempt(event.attempt, fact.actor, fact.at, event.run, 0, "", "", "", _NO_OUTPUTS, event.retry_of)
    attempts = state.attempts + (attempt,)  # noqa: RUF005 - copied in one go; a plan is folded more often than written
    plan.items[event.item] = replace(state, status="running", attempts=attempts, by=fact.actor, at=fact.at, held="")


def _item_finished(plan: Plan, event: e.ItemFinished, fact: Fact) -> None:
    state = plan.items.get(event.item, NOT_BEGUN)
    attempts, status = state.attempts, state.status
    if attempts and attempts[-1].number == event.attempt:
        attempts = attempts[:-1] + (_ended(attempts[-1], event, fact),)  # noqa: RUF005 - as above
        if status == "running":
            status = "todo" if event.outcome == "cancelled" else event.outcome
    else:
        attempts = tuple(_ended(one, event, fact) if one.number == event.attempt else one for one in attempts)
    plan.items[event.item] = replace(state, status=status, attempts=attempts, at=fact.at, stopping="")


def _ended(attempt: Attempt, event: e.ItemFinished, fact: Fact) -> Attempt:
    return replace(
        attempt, ended_at=fact.at, outcome=event.outcome, error=event.error, log=event.log, outputs=event.outputs
    )


def _item_completed(plan: Plan, event: e.ItemCompleted, fact: Fact) -> None:
    state = plan.items.get(event.item, NOT_BEGUN)
    attempt = Attempt(event.attempt, fact.actor, fact.at, "", fact.at, "done")
    plan.items[event.item] = replace(
        state, status="done", attempts=(*state.attempts, attempt), remark=event.remark, by=fact.actor, at=fact.at
    )


def _ticked(plan: Plan, event: e.SubStepTicked, fact: Fact) -> None:
    state = plan.items.get(event.item, NOT_BEGUN)
    others = tuple(step for step in state.ticked if step != event.step)
    plan.items[event.item] = replace(state, ticked=(*others, event.step) if event.ticked else others)


def _skipped(plan: Plan, event: e.ItemSkipped, fact: Fact) -> None:
    _settle_item(plan, event.item, "skipped", event.reason, fact)


def _waived(plan: Plan, event: e.ItemWaived, fact: Fact) -> None:
    _settle_item(plan, event.item, "waived", event.reason, fact)


def _settle_item(plan: Plan, item: str, status: Any, reason: str, fact: Fact) -> None:
    state = plan.items.get(item, NOT_BEGUN)
    plan.items[item] = replace(state, status=status, reason=reason, by=fact.actor, at=fact.at)


def _items_settled(plan: Plan, event: e.ItemsSettled, fact: Fact) -> None:
    plan.settled = True
    gate_due(plan, "all_job_done")


def _succeeded(plan: Plan, event: e.PlanSucceeded, fact: Fact) -> None:
    plan.status = "success"
    plan.times = replace(plan.times, success=fact.at)
    end(plan, fact)


def _timed_out(plan: Plan, event: e.PlanTimedOut, fact: Fact) -> None:
    plan.status, plan.reason = "timeout", event.reason
    end(plan, fact)


APPLY: dict[str, Apply] = {
    "item.completed.v1": _item_completed,
    "item.started.v1": _item_started,
    "item.finished.v1": _item_finished,
    "item.skipped.v1": _skipped,
    "item.waived.v1": _waived,
    "item.sub_step_ticked.v1": _ticked,
    "plan.start_requested.v1": _start_requested,
    "plan.execution_started.v1": _execution_started,
    "plan.schedule_missed.v1": _schedule_missed,
    "plan.drifted.v1": _drifted,
    "plan.items_settled.v1": _items_settled,
    "plan.succeeded.v1": _succeeded,
    "plan.timed_out.v1": _timed_out,
}
