"""Starting, items, the end."""

from msgspec.structs import replace

from contracts import plan_events as e
from contracts.envelope import Fact
from contracts.folding.ground import Apply, end, gate_due
from contracts.plan import Attempt, Drift, ItemStatus, Plan


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
    item, plan.held = plan.work[event.item], None
    item.attempts.append(Attempt(event.attempt, fact.actor, fact.at, event.run, retry_of=event.retry_of))
    item.status, item.by, item.at = "running", fact.actor, fact.at
    item.held = ""


def _item_finished(plan: Plan, event: e.ItemFinished, fact: Fact) -> None:
    item = plan.work[event.item]
    attempts = item.attempts
    if attempts and attempts[-1].number == event.attempt:
        attempts[-1] = _ended(attempts[-1], event, fact)
        if item.status == "running":
            item.status = "todo" if event.outcome == "cancelled" else event.outcome
    else:
        item.attempts = [_ended(one, event, fact) if one.number == event.attempt else one for one in attempts]
    item.at, item.stopping = fact.at, ""


def _ended(attempt: Attempt, event: e.ItemFinished, fact: Fact) -> Attempt:
    return replace(
        attempt, ended_at=fact.at, outcome=event.outcome, error=event.error, log=event.log, outputs=event.outputs
    )


def _item_completed(plan: Plan, event: e.ItemCompleted, fact: Fact) -> None:
    item = plan.work[event.item]
    item.attempts.append(Attempt(event.attempt, fact.actor, fact.at, "", fact.at, "done"))
    item.status, item.remark, item.by, item.at = "done", event.remark, fact.actor, fact.at


def _ticked(plan: Plan, event: e.SubStepTicked, fact: Fact) -> None:
    item = plan.work[event.item]
    others = tuple(step for step in item.ticked if step != event.step)
    item.ticked = (*others, event.step) if event.ticked else others


def _skipped(plan: Plan, event: e.ItemSkipped, fact: Fact) -> None:
    _settle_item(plan, event.item, "skipped", event.reason, fact)


def _waived(plan: Plan, event: e.ItemWaived, fact: Fact) -> None:
    _settle_item(plan, event.item, "waived", event.reason, fact)


def _settle_item(plan: Plan, item: str, status: ItemStatus, reason: str, fact: Fact) -> None:
    work = plan.work[item]
    work.status, work.reason, work.by, work.at = status, reason, fact.actor, fact.at


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
