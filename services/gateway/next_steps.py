"""What may be done now with a plan, and by whom. Pure, and only advice: the deciders alone say yes or no.

It names people by the references that the plan names them by. Where the system itself or an outside answer comes next,
nobody is named.
"""

from collections.abc import Iterator

from contracts.guidance import ADMINISTRATORS, held_because, item_actors, movers, moves_of_failed
from contracts.http import NextStep
from contracts.moments import moment
from contracts.plan import FINAL, GATE_FAILED_STATUS, GATE_STATUS, Drift, Hold, Plan
from contracts.slots import counted, standing
from contracts.values import GateName, Item, TextSpec
from contracts.waiting import settled_items

_OF_FAILED = {
    "retry": "Run it again, from the step that failed.",
    "waive": "Accept it as it is, with a reason.",
    "skip": "Leave it out, with a reason.",
}


def next_steps(plan: Plan) -> tuple[NextStep, ...]:
    """All that may come next, the most likely first."""
    return (*_forward(plan), *_way_out(plan))


def _forward(plan: Plan) -> Iterator[NextStep]:
    by = movers(plan)
    gate = next((name for name in GATE_STATUS if plan.status in {GATE_STATUS[name], GATE_FAILED_STATUS[name]}), None)
    if gate is not None:
        yield from _at_gate(plan, gate, by)
    elif plan.status == "planning":
        if plan.content.items:
            yield NextStep(verb="seal", by=by, detail="Finish planning: check everything and bind what will run.")
        else:
            yield NextStep(verb="edit", by=by, detail="Add at least one item.")
    elif plan.status == "finish_planning":
        yield from _planned(plan, by)
    elif plan.status == "wait_for_approval":
        yield from _votes(plan)
    elif plan.status == "executing":
        yield from _items(plan, by)


def _at_gate(plan: Plan, gate: GateName, by: tuple[str, ...]) -> Iterator[NextStep]:
    state = plan.gates[gate]
    if plan.status == GATE_STATUS[gate]:
        if state.passable and plan.held is not None:
            yield from _held(plan.held, "The gate is passed; the system starts it")
            return
        if state.passable:
            yield NextStep(verb="continue", by=(), detail="The gate is passed; the system goes on.", gate=gate)
            return
        until = moment(state.deadline) if state.deadline else None
        awaited = ", ".join(state.waiting_for)
        detail = f"The answer of {awaited} is awaited." if awaited else "An outside answer is awaited."
        yield NextStep(verb="callback", by=(), detail=detail, gate=gate, until=until)
    else:
        yield NextStep(verb="recheck", by=by, detail="Ask again, in a new round.", gate=gate)
    yield NextStep(verb="override", by=by, detail="Go on without the answer, with a reason.", gate=gate)


def _planned(plan: Plan, by: tuple[str, ...]) -> Iterator[NextStep]:
    if plan.drift is not None:
        yield _drifted(plan.drift, by)
    elif plan.held is not None:
        yield from _held(plan.held, "The system starts it")
    elif not plan.approved:
        yield NextStep(verb="submit", by=by, detail="Ask the approvers.")
        asked = standing(plan).asked
        yield NextStep(verb="vote", by=asked, detail="Vote ahead of time: it counts when the plan is submitted.")
    elif plan.start_requested or (plan.content.rules.start == "on_approval" and plan.content.approval.levels):
        yield NextStep(verb="start", by=(), detail="The system starts the plan as soon as it may.")
        yield from _before_time(plan)
    else:
        schedule = plan.content.schedule
        yield NextStep(verb="start", by=by, detail="Start the plan.")
        if schedule is not None and not plan.schedule_missed:
            detail = "The system starts the plan at its time."
            yield NextStep(verb="start", by=(), detail=detail, until=schedule.at)
        yield from _before_time(plan)


def _before_time(plan: Plan) -> Iterator[NextStep]:
    """Until its window has opened and its scheduled time has come, the start can be overridden."""
    window, schedule = plan.content.window, plan.content.schedule
    times = [window.start] if window is not None else []
    times += [schedule.at] if schedule is not None and not plan.schedule_missed else []
    if times and plan.start_override is None:
        detail = "Start before its time, with a reason."
        yield NextStep(verb="start/override", by=(ADMINISTRATORS,), detail=detail, until=max(times))


def _held(held: Hold, what: str) -> Iterator[NextStep]:
    until = moment(held.until)
    yield NextStep(verb="start", by=(), detail=f"{what} when the freeze {held.name} ends.", until=until)
    yield NextStep(verb="freezes/override", by=(ADMINISTRATORS,), detail="Do not wait for it, with a reason.")


def _votes(plan: Plan) -> Iterator[NextStep]:
    round_ = plan.approval
    votes = counted(plan)
    asked = standing(plan, votes).asked
    until = moment(round_.deadline) if round_.deadline else None
    yield NextStep(verb="vote", by=asked, detail="Approve or reject what was sealed.", until=until)
    if round_.votes:
        by = tuple(vote.by for vote in votes)
        yield NextStep(verb="withdraw", by=by, detail="Take a vote back.", until=until)


def _drifted(drift: Drift, by: tuple[str, ...]) -> NextStep:
    what = f"Item {drift.item}" if drift.item else "The plan"
    detail = f"{what} is not what was approved; it differs in {', '.join(drift.fields)}."
    return NextStep(verb="reopen", by=by, detail=detail, item=drift.item)


def _items(plan: Plan, by: tuple[str, ...]) -> Iterator[NextStep]:
    if plan.drift is not None:
        yield _drifted(plan.drift, by)
        return
    if plan.held is not None:
        yield from _held(plan.held, "The system goes on")
    done = settled_items(plan)
    for item in plan.content.items:
        yield from _item(plan, item, item_actors(plan, item), ready=done.issuperset(item.needs))


def _item(plan: Plan, item: Item, by: tuple[str, ...], *, ready: bool) -> Iterator[NextStep]:
    status = plan.state_of(item.id).status
    if status == "failed" and not plan.settled:
        for move in moves_of_failed(plan, item):
            yield NextStep(verb=move.verb, by=move.by, detail=_OF_FAILED[move.verb], item=item.id)
    elif status == "todo" and ready:
        if isinstance(item.spec, TextSpec):
            yield NextStep(verb="complete", by=by, detail="Do it, then confirm.", item=item.id)
        elif plan.content.rules.run != "by_hand" and (held := held_because(plan, plan.state_of(item.id))):
            yield NextStep(verb="execute", by=by, detail=f"The system does not run it: {held}", item=item.id)
        elif plan.content.rules.run != "by_hand":
            yield NextStep(verb="execute", by=(), detail="The system runs it in its turn.", item=item.id)
        else:
            yield NextStep(verb="execute", by=by, detail="Run it.", item=item.id)
        yield NextStep(verb="skip", by=by, detail="Leave it out, with a reason.", item=item.id)
    elif status == "running":
        stopping = plan.state_of(item.id).stopping
        detail = f"It is being cancelled: {stopping}" if stopping else "It is running."
        yield NextStep(verb="wait", by=(), detail=detail, item=item.id)
        if not stopping:
            yield NextStep(verb="cancel", by=by, detail="Stop it, with a reason.", item=item.id)


def _way_out(plan: Plan) -> Iterator[NextStep]:
    by = movers(plan)
    if plan.review_owed:
        named = (ref for level in plan.content.approval.levels for rule in level.rules for ref in rule.approvers)
        reviewers = (*dict.fromkeys(named), ADMINISTRATORS)
        yield NextStep(verb="emergency-review", by=reviewers, detail="An emergency approval owes a second look.")
    if plan.status in FINAL:
        yield NextStep(verb="copy", by=(), detail="It is over. Anybody may copy it into a new plan.")
        return
    if plan.status != "planning" and plan.drift is None:
        yield NextStep(verb="reopen", by=by, detail="Go back to planning.")
    yield NextStep(verb="cancel", by=by, detail="End it without success, with a reason.")
