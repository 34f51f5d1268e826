"""The fold of a plan: `evolve(plan, fact)` gives the plan after one more fact, `fold(facts)` after many.

Trusts the log and doubts nothing: what may happen is the deciders' business. Facts of a type that this release does not
know change nothing but the version. `evolve` never touches its argument; `fold` copies once and then works in place,
which is why a plan of ten thousand events is rebuilt in about the time that it takes to decode them.
"""

from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from contracts import plan_events as e
from contracts.envelope import Fact, stream_id
from contracts.plan import (
    GATE_FAILED_STATUS,
    GATE_STATUS,
    TODO,
    ApprovalRound,
    Attempt,
    Drift,
    GateState,
    ItemState,
    Plan,
    Seal,
    Times,
    Vote,
)
from contracts.registry import DECODERS
from contracts.values import GateName

Apply = Callable[[Plan, Any, Fact], None]


def evolve(plan: Plan | None, fact: Fact) -> Plan | None:
    """The plan after this fact. `None` stands for "not created yet", before and after a foreign first fact."""
    return fold((fact,), plan)


def fold(facts: Iterable[Fact], plan: Plan | None = None) -> Plan | None:
    """The plan after these facts of its stream, in order. `plan`, where given, is the state before them, and is kept."""
    rest, fact = iter(facts), None
    if plan is not None:
        plan = _copy(plan)
    else:
        for fact in rest:
            if (plan := _create(fact)) is not None:
                break
    if plan is None:
        return None
    steps = STEPS
    for fact in rest:
        if (step := steps.get(fact.type)) is not None:
            decode, apply = step
            apply(plan, decode(fact.payload), fact)
    if fact is not None:
        plan.version, plan.position = fact.version, fact.position
    return plan


def _copy(plan: Plan) -> Plan:
    return replace(plan, items=dict(plan.items), gates=dict(plan.gates))


def _create(fact: Fact) -> Plan | None:
    event = DECODERS[fact.type](fact.payload) if fact.type in DECODERS else None
    if not isinstance(event, e.PlanCreated):
        return None
    return Plan(
        id=stream_id(fact.stream),
        index=event.index,
        project=event.project,
        content=event.content,
        created_by=fact.actor,
        created_at=fact.at,
        source=event.source,
        updated_by=fact.actor,
        updated_at=fact.at,
        editors=frozenset({fact.actor}),
        times=Times(planning=fact.at),
    )


def _touch(plan: Plan, fact: Fact) -> None:
    plan.updated_by, plan.updated_at = fact.actor, fact.at


# Planning


def _edited(plan: Plan, event: e.PlanEdited, fact: Fact) -> None:
    plan.content = replace(plan.content, **event.changes.named())
    plan.editors = plan.editors | {fact.actor}
    _touch(plan, fact)


def _sealed(plan: Plan, event: e.PlanSealed, fact: Fact) -> None:
    plan.seal = Seal(event.seal, event.sections, event.items, event.workflows, fact.actor, fact.at)
    plan.items = {item.id: _kept(plan.items.get(item.id, TODO), event.items[item.id]) for item in plan.content.items}
    plan.times = replace(plan.times, finish_planning=fact.at)
    plan.settled, plan.drift, plan.start_requested, plan.schedule_missed = False, None, "", False
    plan.status = "finish_planning"
    _gate_due(plan, "finish_planning")
    _touch(plan, fact)


def _kept(state: ItemState, digest: str) -> ItemState:
    """A done item whose digest did not change stays done; all else is asked for again, its attempts kept."""
    if state.status == "done" and state.digest == digest:
        return state
    return replace(TODO, attempts=state.attempts, digest=digest)


def _reopened(plan: Plan, event: e.PlanReopened, fact: Fact) -> None:
    plan.status, plan.seal, plan.drift = "planning", None, None
    plan.settled, plan.start_requested, plan.schedule_missed, plan.reason = False, "", False, event.reason
    if plan.approval.state != "none":  # the votes stay: a submission of the same seal counts them again
        plan.approval = replace(plan.approval, state="closed")
    plan.gates = {gate: _closed(state) for gate, state in plan.gates.items()}
    plan.times = Times(planning=fact.at)
    _touch(plan, fact)


def _cancelled(plan: Plan, event: e.PlanCancelled, fact: Fact) -> None:
    plan.status, plan.reason = "cancel", event.reason
    _end(plan, fact)


def _end(plan: Plan, fact: Fact) -> None:
    if plan.approval.state == "open":
        plan.approval = replace(plan.approval, state="closed")
    plan.gates = {gate: _closed(state) for gate, state in plan.gates.items()}
    plan.times = replace(plan.times, ended=fact.at)
    _touch(plan, fact)


def _closed(state: GateState) -> GateState:
    """No round of this gate waits any longer. The round number stays, so that the next code is a fresh one."""
    return replace(state, state="closed") if state.state in {"due", "open", "failed", "expired"} else state


# Approval


def _submitted(plan: Plan, event: e.PlanSubmitted, fact: Fact) -> None:
    votes = tuple(vote for vote in plan.approval.votes if vote.seal == event.seal and vote.vote == "approve")
    plan.approval = ApprovalRound(
        round=event.round,
        state="open",
        seal=event.seal,
        votes=votes,
        submitted_at=fact.at,
        submitted_by=fact.actor,
        deadline=event.deadline or 0,
    )
    plan.status = "wait_for_approval"
    _touch(plan, fact)


def _voted(plan: Plan, event: e.VoteCast, fact: Fact) -> None:
    vote = Vote(fact.actor, event.vote, event.seal, fact.at, fact.channel, event.groups, event.comment)
    others = tuple(v for v in plan.approval.votes if v.by != fact.actor)
    plan.approval = replace(plan.approval, votes=(*others, vote))


def _withdrawn(plan: Plan, event: e.VoteWithdrawn, fact: Fact) -> None:
    plan.approval = replace(plan.approval, votes=tuple(v for v in plan.approval.votes if v.by != fact.actor))


def _approved(plan: Plan, event: e.PlanApproved, fact: Fact) -> None:
    plan.approval = replace(plan.approval, state="passed", decided_at=fact.at)
    plan.times = replace(plan.times, approval=fact.at)
    plan.status = "finish_planning"


def _denied(plan: Plan, event: e.PlanDenied, fact: Fact) -> None:
    plan.approval = replace(plan.approval, state="denied", decided_at=fact.at, reason=event.reason)
    plan.times = replace(plan.times, approval=fact.at)
    plan.status = "denied"


def _approval_expired(plan: Plan, event: e.ApprovalExpired, fact: Fact) -> None:
    plan.approval = replace(plan.approval, state="expired", decided_at=fact.at)
    plan.status, plan.reason = "timeout", "approval_deadline"
    _end(plan, fact)


# Execution


def _start_requested(plan: Plan, event: e.StartRequested, fact: Fact) -> None:
    plan.start_requested = event.by
    _gate_due(plan, "start_execute")


def _gate_due(plan: Plan, gate: GateName) -> None:
    if plan.content.gates.rule(gate) is not None:
        plan.gates[gate] = replace(plan.gates[gate], state="due")
        plan.status = GATE_STATUS[gate]


def _execution_started(plan: Plan, event: e.ExecutionStarted, fact: Fact) -> None:
    plan.status = "executing"
    plan.times = replace(plan.times, executing=fact.at)


def _schedule_missed(plan: Plan, event: e.ScheduleMissed, fact: Fact) -> None:
    plan.schedule_missed, plan.reason = True, event.reason


def _drifted(plan: Plan, event: e.PlanDrifted, fact: Fact) -> None:
    plan.drift = Drift(event.item, event.fields, fact.at)


def _item_started(plan: Plan, event: e.ItemStarted, fact: Fact) -> None:
    state = plan.items.get(event.item, TODO)
    attempt = Attempt(event.attempt, fact.actor, fact.at, event.run, retry_of=event.retry_of)
    attempts = state.attempts + (attempt,)  # noqa: RUF005 - copied in one go; a plan is folded more often than written
    plan.items[event.item] = replace(state, status="running", attempts=attempts, by=fact.actor, at=fact.at)


def _item_finished(plan: Plan, event: e.ItemFinished, fact: Fact) -> None:
    state = plan.items.get(event.item, TODO)
    attempts, status = state.attempts, state.status
    if attempts and attempts[-1].number == event.attempt:
        attempts = attempts[:-1] + (_ended(attempts[-1], event, fact),)  # noqa: RUF005 - as above
        if status == "running":
            status = "todo" if event.outcome == "cancelled" else event.outcome
    else:
        attempts = tuple(_ended(one, event, fact) if one.number == event.attempt else one for one in attempts)
    plan.items[event.item] = replace(state, status=status, attempts=attempts, at=fact.at)


def _ended(attempt: Attempt, event: e.ItemFinished, fact: Fact) -> Attempt:
    return replace(
        attempt, ended_at=fact.at, outcome=event.outcome, error=event.error, log=event.log, outputs=event.outputs
    )


def _item_completed(plan: Plan, event: e.ItemCompleted, fact: Fact) -> None:
    state = plan.items.get(event.item, TODO)
    attempt = Attempt(event.attempt, fact.actor, fact.at, "", fact.at, "done")
    plan.items[event.item] = replace(
        state, status="done", attempts=(*state.attempts, attempt), remark=event.remark, by=fact.actor, at=fact.at
    )


def _ticked(plan: Plan, event: e.SubStepTicked, fact: Fact) -> None:
    state = plan.items.get(event.item, TODO)
    others = tuple(step for step in state.ticked if step != event.step)
    plan.items[event.item] = replace(state, ticked=(*others, event.step) if event.ticked else others)


def _skipped(plan: Plan, event: e.ItemSkipped, fact: Fact) -> None:
    _settle_item(plan, event.item, "skipped", event.reason, fact)


def _waived(plan: Plan, event: e.ItemWaived, fact: Fact) -> None:
    _settle_item(plan, event.item, "waived", event.reason, fact)


def _settle_item(plan: Plan, item: str, status: Any, reason: str, fact: Fact) -> None:
    state = plan.items.get(item, TODO)
    plan.items[item] = replace(state, status=status, reason=reason, by=fact.actor, at=fact.at)


def _items_settled(plan: Plan, event: e.ItemsSettled, fact: Fact) -> None:
    plan.settled = True
    _gate_due(plan, "all_job_done")


def _succeeded(plan: Plan, event: e.PlanSucceeded, fact: Fact) -> None:
    plan.status = "success"
    plan.times = replace(plan.times, success=fact.at)
    _end(plan, fact)


def _timed_out(plan: Plan, event: e.PlanTimedOut, fact: Fact) -> None:
    plan.status, plan.reason = "timeout", event.reason
    _end(plan, fact)


# Gates


def _gate_opened(plan: Plan, event: e.GateOpened, fact: Fact) -> None:
    plan.gates[event.gate] = GateState(event.round, "open", event.instance_code, event.deadline, fact.at)
    plan.status = GATE_STATUS[event.gate]


def _gate_progressed(plan: Plan, event: e.GateProgressed, fact: Fact) -> None:
    plan.gates[event.gate] = replace(plan.gates[event.gate], text=event.text)


def _gate_passed(plan: Plan, event: e.GatePassed, fact: Fact) -> None:
    _gate_goes_on(plan, event.gate, "passed", event.text, fact)


def _gate_overridden(plan: Plan, event: e.GateOverridden, fact: Fact) -> None:
    _gate_goes_on(plan, event.gate, "overridden", event.reason, fact)


def _gate_goes_on(plan: Plan, gate: GateName, state: Any, text: str, fact: Fact) -> None:
    plan.gates[gate] = replace(plan.gates[gate], state=state, text=text, answered_at=fact.at)
    plan.status = "finish_planning" if gate == "finish_planning" else GATE_STATUS[gate]


def _gate_failed(plan: Plan, event: e.GateFailed, fact: Fact) -> None:
    _gate_stops(plan, event.gate, "failed", event.reason, fact)


def _gate_expired(plan: Plan, event: e.GateExpired, fact: Fact) -> None:
    _gate_stops(plan, event.gate, "expired", "no answer before the deadline", fact)


def _gate_stops(plan: Plan, gate: GateName, state: Any, text: str, fact: Fact) -> None:
    plan.gates[gate] = replace(plan.gates[gate], state=state, text=text, answered_at=fact.at)
    plan.status = GATE_FAILED_STATUS[gate]


APPLY: dict[str, Apply] = {
    "item.completed.v1": _item_completed,
    "item.started.v1": _item_started,
    "item.finished.v1": _item_finished,
    "item.skipped.v1": _skipped,
    "item.waived.v1": _waived,
    "item.sub_step_ticked.v1": _ticked,
    "plan.edited.v1": _edited,
    "plan.sealed.v1": _sealed,
    "plan.reopened.v1": _reopened,
    "plan.cancelled.v1": _cancelled,
    "plan.submitted.v1": _submitted,
    "plan.vote_cast.v1": _voted,
    "plan.vote_withdrawn.v1": _withdrawn,
    "plan.approved.v1": _approved,
    "plan.denied.v1": _denied,
    "plan.approval_expired.v1": _approval_expired,
    "plan.start_requested.v1": _start_requested,
    "plan.execution_started.v1": _execution_started,
    "plan.schedule_missed.v1": _schedule_missed,
    "plan.drifted.v1": _drifted,
    "plan.items_settled.v1": _items_settled,
    "plan.succeeded.v1": _succeeded,
    "plan.timed_out.v1": _timed_out,
    "gate.opened.v1": _gate_opened,
    "gate.progressed.v1": _gate_progressed,
    "gate.passed.v1": _gate_passed,
    "gate.failed.v1": _gate_failed,
    "gate.expired.v1": _gate_expired,
    "gate.overridden.v1": _gate_overridden,
}
"""By stored type name, hot ones first. A test demands one for every plan event but `plan.created.v1`."""

STEPS: dict[str, tuple[Callable[[bytes], Any], Apply]] = {
    name: (DECODERS[name], apply) for name, apply in APPLY.items()
}
"""One look-up per fact."""
