"""Starting an item: whose turn it is, who may run it, what it is given; and the items that the plan has started by itself.

Pure. Nothing starts that would run differently from what was approved. What the system starts, it starts in the name of
the person who sealed the plan, with that person's rights of this moment and no others. Where those do not suffice, or an
input cannot be had, the item is held and a person is asked, once.
"""

from collections.abc import Iterator

from contracts.commands import Actor
from contracts.executing_events import ItemHeld
from contracts.guidance import held_because, moves_of_failed, told
from contracts.plan import ItemState, Plan
from contracts.plan_events import Event, ItemStarted, PlanDrifted
from contracts.refusals import Refused
from contracts.run import run_id
from contracts.values import Item, WorkflowSpec
from services.executor.decider.inputs import complete_inputs
from services.executor.decider.rules import Statuses, drift_of, is_settled, seal_drift, statuses
from services.executor.views import Found, Workflows

_MOST_AT_ONCE = 50
"""Of one decision. The plan is looked at again until nothing is due."""


def start_item(
    plan: Plan, item: Item, actor: Actor, workflows: Workflows, *, retry_of: str = "", on_behalf_of: str = ""
) -> ItemStarted:
    """The intent, once it is sure that what runs is what was approved and that `actor` may run it. Raises Refused."""
    drifted = drift_of(plan, (item,), workflows)
    if drifted is not None:
        raise seal_drift(plan, *drifted)
    found = workflows[item.id]
    _demand_runner(found, actor)
    complete_inputs(plan, item, found.definition)
    attempt = next_attempt(plan.state_of(item.id))
    run = run_id(plan.id, item.id, attempt)
    return ItemStarted(item=item.id, attempt=attempt, run=run, retry_of=retry_of, on_behalf_of=on_behalf_of)


def next_attempt(state: ItemState) -> int:
    return max((attempt.number for attempt in state.attempts), default=0) + 1


def demand_turn(plan: Plan, item: Item) -> None:
    """Raises Refused(item_needs) unless what it needs is settled, and in an ordered plan everything that stands before it."""
    now = statuses(plan)
    needs = frozenset(item.needs)
    waits = [one.id for one in plan.content.items if one.id in needs and not is_settled(one, now[one.id])]
    if waits:
        detail = f"Item {item.id} needs {', '.join(waits)} first."
        raise Refused("item_needs", detail, needs=waits, next=_moves(plan, waits))
    if plan.content.rules.run == "in_order":
        earlier = plan.content.items[: plan.content.items.index(item)]
        waits = [one.id for one in earlier if not is_settled(one, now[one.id])]
        if waits:
            detail = f"The items of this plan run in order: {waits[0]} comes before {item.id}."
            raise Refused("item_needs", detail, needs=waits, next=_moves(plan, waits))


def _moves(plan: Plan, waits: list[str]) -> list[dict[str, object]]:
    """What may be done about those of these items that have failed."""
    those = frozenset(waits)
    failed = [item for item in plan.content.items if item.id in those and plan.state_of(item.id).status == "failed"]
    return [move for item in failed for move in told(moves_of_failed(plan, item))]


def _demand_runner(found: Found, actor: Actor) -> None:
    runners = found.definition.runners
    if runners and not actor.administrator and not actor.among(runners):
        which = f"{found.definition.project}/{found.definition.name}"
        detail = f"{actor.id} may not run {which}; {', '.join(runners)} and administrators may."
        raise Refused("runner_not_allowed", detail, runners=list(runners))


def waiting_for_system(plan: Plan) -> tuple[Item, ...]:
    """The items that the plan has the system start now, as far as the plan itself can tell."""
    if plan.status != "executing" or plan.drift is not None or plan.content.rules.run == "by_hand":
        return ()
    return tuple(_in_turn(plan, statuses(plan)))


def _in_turn(plan: Plan, now: Statuses) -> Iterator[Item]:
    settled = {item.id for item in plan.content.items if is_settled(item, now[item.id])}
    for item in plan.content.items:
        if item.id in settled:
            continue
        state = plan.state_of(item.id)
        ours = isinstance(item.spec, WorkflowSpec) and state.status == "todo" and state.running is None
        if ours and not held_because(plan, state) and settled.issuperset(item.needs):
            yield item
        if plan.content.rules.run == "in_order":
            return


def starts(plan: Plan, workflows: Workflows, runner: Actor | None) -> tuple[Event, ...]:
    """What the system starts now in the name of `runner`, the person who sealed (`None`: no longer let in)."""
    events: list[Event] = []
    for item in waiting_for_system(plan)[:_MOST_AT_ONCE]:
        try:
            if runner is None:
                who = plan.seal.by if plan.seal is not None else "whoever sealed"
                raise Refused("runner_not_allowed", f"{who}, who sealed the plan, is not let in any more.")
            events.append(start_item(plan, item, runner, workflows, on_behalf_of=runner.id))
        except Refused as refused:
            if refused.code == "seal_drift":
                drifted = drift_of(plan, (item,), workflows)
                assert drifted is not None
                return (PlanDrifted(item=drifted[0], fields=drifted[1]),)
            faults = (f"{fault.path} {fault.detail}" for fault in refused.faults)
            detail = "; ".join((refused.detail, *faults))[:1_000]
            events.append(ItemHeld(item=item.id, code=refused.code, detail=detail))
    return tuple(events)
