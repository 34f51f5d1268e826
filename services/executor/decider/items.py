"""The rules of acting on an item: complete, tick, execute, cancel, skip, retry, waive.

Pure. Every refusal names the rule and the facts. A failed item is not done: it blocks the plan's success until it is
retried with success, or skipped or waived with a reason by someone who may.
"""

from typing import assert_never

import msgspec

from contracts.commands import (
    Actor,
    CancelItem,
    CompleteItem,
    ExecuteItem,
    RetryItem,
    SkipItem,
    TickSubStep,
    WaiveItem,
)
from contracts.executing_events import ItemCancelRequested
from contracts.guidance import moves_of_failed, told
from contracts.plan import ItemState, Plan
from contracts.plan_events import Event, Frozen, ItemCompleted, ItemSkipped, ItemWaived, SubStepTicked
from contracts.refusals import Fault, Refused
from contracts.rights import demand_item_actor
from contracts.values import Item, TextSpec, WorkflowSpec
from services.executor.decider.freezes import demand_no_freeze
from services.executor.decider.rules import demand_window, seal_drift, settling, statuses
from services.executor.decider.starting import demand_turn, next_attempt, start_item
from services.executor.views import Workflows

ItemCommand = CompleteItem | TickSubStep | ExecuteItem | SkipItem | CancelItem | RetryItem | WaiveItem


class Context(msgspec.Struct, frozen=True):
    """Who asks, when (Unix µs), what the log holds today for the item's workflow, what freeze holds the plan now."""

    actor: Actor
    at: int
    workflows: Workflows = {}
    frozen: Frozen | None = None


def decide(plan: Plan | None, command: ItemCommand, context: Context) -> tuple[Event, ...]:
    """The events that this command makes of this plan; `()` when it is already so. Raises Refused."""
    if plan is None:
        raise Refused("plan_not_found", f"There is no plan {command.plan}.")
    item = plan.item(command.item)
    if item is None:
        raise Refused("item_not_found", f"The plan has no item {command.item}.", item=command.item)
    demand_item_actor(plan, item, context.actor)
    if _already_so(plan.state_of(item.id), command, context.actor):
        return ()
    if isinstance(command, CancelItem):  # at any time: it starts nothing
        return _cancel(plan, item, command)
    _demand_executing(plan)
    demand_window(plan, context.at)
    if not isinstance(command, SkipItem | WaiveItem):  # these settle an item without doing anything
        demand_no_freeze(context.frozen)
    match command:
        case CompleteItem():
            return _complete(plan, item, command)
        case TickSubStep():
            return _tick(plan, item, command)
        case ExecuteItem():
            return _execute(plan, item, context)
        case SkipItem():
            return _skip(plan, item, command)
        case RetryItem():
            return _retry(plan, item, context)
        case WaiveItem():
            return _waive(plan, item, command)
    assert_never(command)


def _already_so(state: ItemState, command: ItemCommand, actor: Actor) -> bool:
    """The same person asked for the very same before (with another key). Somebody else is told that they came second."""
    match command:
        case CompleteItem():
            return state.status == "done" and state.by == actor.id and state.remark == command.remark
        case SkipItem():
            return state.status == "skipped" and state.by == actor.id and state.reason == command.reason
        case WaiveItem():
            return state.status == "waived" and state.by == actor.id and state.reason == command.reason
        case _:
            return False


def _demand_executing(plan: Plan) -> None:
    if plan.status != "executing":
        detail = f"The plan is in {plan.status}; items are worked on while it is executing."
        raise Refused("not_executing", detail, status=plan.status)
    if plan.drift is not None:
        raise seal_drift(plan, plan.drift.item, plan.drift.fields)


def _complete(plan: Plan, item: Item, command: CompleteItem) -> tuple[Event, ...]:
    spec = item.spec
    if not isinstance(spec, TextSpec):
        raise Refused("wrong_item_type", f"Item {item.id} runs a workflow; execute it.", type="workflow")
    state = _demand_todo(plan, item)
    demand_turn(plan, item)
    left = [step.id for step in spec.sub_steps if step.id not in state.ticked]
    if left:
        raise Refused("sub_steps_open", f"{len(left)} sub-steps of {item.id} are not ticked yet.", sub_steps=left)
    completed = ItemCompleted(item=item.id, attempt=next_attempt(state), remark=command.remark)
    return (completed, *settling(plan, statuses(plan, {item.id: "done"})))


def _tick(plan: Plan, item: Item, command: TickSubStep) -> tuple[Event, ...]:
    steps = item.spec.sub_steps if isinstance(item.spec, TextSpec) else ()
    if command.step not in {step.id for step in steps}:
        raise Refused("sub_step_not_found", f"Item {item.id} has no sub-step {command.step}.", step=command.step)
    state = _demand_todo(plan, item)
    if (command.step in state.ticked) == command.ticked:
        return ()
    demand_turn(plan, item)
    return (SubStepTicked(item=item.id, step=command.step, ticked=command.ticked),)


def _execute(plan: Plan, item: Item, context: Context) -> tuple[Event, ...]:
    _demand_workflow(item, "complete it")
    _demand_todo(plan, item)
    demand_turn(plan, item)
    return (start_item(plan, item, context.actor, context.workflows),)


def _retry(plan: Plan, item: Item, context: Context) -> tuple[Event, ...]:
    _demand_workflow(item, "only workflow items fail and are retried")
    state = plan.state_of(item.id)
    _demand_not_running(item, state)
    if state.status != "failed":
        raise Refused(
            "item_not_failed", f"Item {item.id} is {state.status}; only a failed item is retried.", status=state.status
        )
    demand_turn(plan, item)
    return (start_item(plan, item, context.actor, context.workflows, retry_of=state.attempts[-1].run),)


def _skip(plan: Plan, item: Item, command: SkipItem) -> tuple[Event, ...]:
    state = plan.state_of(item.id)
    _demand_not_running(item, state)
    if state.status not in {"todo", "failed"}:
        raise _settled(item, state)
    _demand_reason(command.reason, "skipped")
    skipped = ItemSkipped(item=item.id, reason=command.reason)
    return (skipped, *settling(plan, statuses(plan, {item.id: "skipped"})))


def _waive(plan: Plan, item: Item, command: WaiveItem) -> tuple[Event, ...]:
    state = plan.state_of(item.id)
    _demand_not_running(item, state)
    if state.status != "failed":
        raise Refused(
            "item_not_failed", f"Item {item.id} is {state.status}; only a failed item is waived.", status=state.status
        )
    _demand_reason(command.reason, "waived")
    waived = ItemWaived(item=item.id, reason=command.reason)
    return (waived, *settling(plan, statuses(plan, {item.id: "waived"})))


def _cancel(plan: Plan, item: Item, command: CancelItem) -> tuple[Event, ...]:
    state = plan.state_of(item.id)
    running = state.running
    if running is None:
        detail = f"No attempt of item {item.id} runs; it is {state.status}."
        raise Refused("item_not_running", detail, status=state.status)
    _demand_reason(command.reason, "cancelled")
    if state.stopping or plan.status not in {"executing", "timeout"}:
        return ()  # what a reopened or cancelled plan has running is stopped already
    return (ItemCancelRequested(item=item.id, attempt=running.number, reason=command.reason),)


def _demand_todo(plan: Plan, item: Item) -> ItemState:
    state = plan.state_of(item.id)
    _demand_not_running(item, state)
    if state.status == "failed":
        detail = f"Item {item.id} has failed; retry it, or skip or waive it with a reason."
        raise Refused("item_not_todo", detail, status=state.status, next=told(moves_of_failed(plan, item)))
    if state.status != "todo":
        raise _settled(item, state)
    return state


def _demand_not_running(item: Item, state: ItemState) -> None:
    running = state.running
    if running is not None:
        detail = f"Attempt {running.number} of item {item.id}, started by {running.by}, still runs."
        raise Refused("item_running", detail, attempt=running.number, run=running.run, by=running.by)


def _settled(item: Item, state: ItemState) -> Refused:
    detail = f"Item {item.id} is {state.status} already, by {state.by}."
    return Refused("item_settled", detail, status=state.status, by=state.by)


def _demand_workflow(item: Item, instead: str) -> None:
    if not isinstance(item.spec, WorkflowSpec):
        raise Refused("wrong_item_type", f"Item {item.id} is a text; {instead}.", type="text")


def _demand_reason(reason: str, done: str) -> None:
    if not reason.strip():
        raise Refused("reason_required", f"Say why the item is {done}.", [Fault("/reason", "is missing or empty")])
