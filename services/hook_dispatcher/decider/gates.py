"""The rules of gates: when one opens, which answer counts, what ends the waiting.

An answer is matched by plan, event and code, and where the round asks several systems by who gives it: all of them must
say success, and one failure ends the round. The same answer again changes nothing; another one for the same round, or one
for a round that is over, is refused with the reason. Every waiting has a deadline, and three ways out besides the
answer: recheck, override, reopen.
"""

from collections.abc import Mapping

from contracts.commands import Actor, AnswerGate, OverrideGate, RecheckGate
from contracts.gate_events import GateSystemAnswered
from contracts.plan import GateState, Plan
from contracts.plan_events import (
    Event,
    GateExpired,
    GateFailed,
    GateOpened,
    GateOverridden,
    GatePassed,
    GateProgressed,
)
from contracts.refusals import Fault, Refused
from contracts.rights import demand_mover
from contracts.values import GATES, GateName, GateRule

CALLBACK_REFUSALS = frozenset(
    {"gate_not_open", "instance_code_stale", "instance_code_unknown", "answer_contradicts", "system_not_asked"}
)
"""Refusals of a callback that are kept in the record."""

_SECOND = 1_000_000


def answer(
    plan: Plan | None, command: AnswerGate, at: int, earlier: Mapping[str, GateName], actor: Actor
) -> tuple[Event, ...]:
    """What a callback does. `earlier` has all codes ever given out for this plan, with their gates."""
    if plan is None:
        raise Refused("plan_not_found", f"There is no plan {command.plan}.")
    gate, state = command.gate, plan.gates[command.gate]
    if state.instance_code != command.instance_code or state.state == "due":
        raise _foreign_code(plan, command, earlier)
    system = _system(command, state, actor)
    match state.state:
        case "open" if at < state.deadline:
            return _one_answered(command, state, system) if system else _answered(command, state)
        case "passed" | "failed" if not system:
            return _answered_before(command, state, state.state)
        case "passed" | "failed" if (own := state.answer_of(system)) and own.result != "executing":
            return _answered_before(command, state, "passed" if own.result == "success" else own.result)
        case _:
            why = "its deadline has passed" if state.state == "open" else f"it is {state.state}"
            detail = f"The gate {gate} takes no answer any more: {why}."
            raise Refused("gate_not_open", detail, gate=gate, state=state.state, round=state.round)


def _answered(command: AnswerGate, state: GateState) -> tuple[Event, ...]:
    match command.result:
        case "success":
            return (GatePassed(gate=command.gate, round=state.round, text=command.text),)
        case "failed":
            reason = command.text or "no reason given"
            return (GateFailed(gate=command.gate, round=state.round, reason=reason),)
        case "executing":
            if command.text == state.text:
                return ()
            return (GateProgressed(gate=command.gate, round=state.round, text=command.text),)


def _system(command: AnswerGate, state: GateState, actor: Actor) -> str:
    """The system that the asker speaks for, where the round asks several; "" where it asks anybody. Raises Refused.

    Who belongs to several of them, by groups, speaks for the first that has not passed.
    """
    if not state.systems:
        return ""
    own = [system for system in state.systems if actor.among((system,))]
    if not own:
        detail = f"The gate {command.gate} asks {', '.join(state.systems)}; {actor.id} is none of them."
        raise Refused("system_not_asked", detail, gate=command.gate, systems=list(state.systems))
    return next((system for system in own if system in state.waiting_for), own[0])


def _one_answered(command: AnswerGate, state: GateState, system: str) -> tuple[Event, ...]:
    own = state.answer_of(system)
    if own is not None and own.result == "success":
        return _answered_before(command, state, "passed")
    if own is not None and own.result == command.result and own.text == command.text:
        return ()
    said = GateSystemAnswered(
        gate=command.gate, round=state.round, system=system, result=command.result, text=command.text
    )
    match command.result:
        case "success" if state.waiting_for == (system,):
            return (said, GatePassed(gate=command.gate, round=state.round, text=command.text))
        case "failed":
            reason = f"{system}: {command.text or 'no reason given'}"
            return (said, GateFailed(gate=command.gate, round=state.round, reason=reason))
        case _:
            return (said,)


def _answered_before(command: AnswerGate, state: GateState, before: str) -> tuple[Event, ...]:
    """Progress that comes late is no contradiction; the other verdict is."""
    if command.result == "executing" or (command.result == "success") == (before == "passed"):
        return ()
    detail = f"Round {state.round} of the gate {command.gate} was answered before: {before}. The first answer holds."
    raise Refused("answer_contradicts", detail, gate=command.gate, state=before, round=state.round)


def _foreign_code(plan: Plan, command: AnswerGate, earlier: Mapping[str, GateName]) -> Refused:
    gate = command.gate
    if earlier.get(command.instance_code) == gate:
        detail = (
            f"This instance code belongs to an earlier round of the gate {gate}. Wait for the hook with the new code."
        )
        return Refused("instance_code_stale", detail, gate=gate, round=plan.gates[gate].round)
    if command.instance_code not in earlier and plan.gates[gate].state in {"none", "due"}:
        return Refused("gate_not_open", f"The gate {gate} has not asked for an answer.", gate=gate)
    other = earlier.get(command.instance_code)
    detail = (
        f"This instance code is of the gate {other}."
        if other
        else f"The gate {gate} never gave out this instance code."
    )
    return Refused("instance_code_unknown", detail, gate=gate)


def recheck(plan: Plan | None, command: RecheckGate, actor: Actor, at: int, code: str) -> tuple[Event, ...]:
    """A new round after a failed or expired one. `code` is a fresh instance code."""
    state = _moved_gate(plan, command, actor)
    assert plan is not None
    if state.state in {"open", "due"}:
        return ()
    rule = plan.content.gates.rule(command.gate)
    if state.state not in {"failed", "expired"} or rule is None:
        detail = f"The gate {command.gate} is {state.state}; only a failed or expired one is asked again."
        raise Refused("gate_not_failed", detail, gate=command.gate, state=state.state)
    return (_opened(command.gate, state, rule, at, code),)


def override(plan: Plan | None, command: OverrideGate, actor: Actor) -> tuple[Event, ...]:
    """The plan goes on without the answer, because somebody who may says so, with a reason."""
    state = _moved_gate(plan, command, actor)
    if state.state in {"passed", "overridden"}:
        return ()
    if state.state not in {"due", "open", "failed", "expired"}:
        detail = f"The plan does not wait at the gate {command.gate}: it is {state.state}."
        raise Refused("gate_not_open", detail, gate=command.gate, state=state.state)
    reason = command.reason.strip()
    if not reason:
        fault = Fault("/reason", "say why the plan goes on without the answer", "reason_required")
        raise Refused("reason_required", "A gate is overridden with a reason only.", [fault])
    return (GateOverridden(gate=command.gate, round=state.round, reason=reason),)


def _moved_gate(plan: Plan | None, command: RecheckGate | OverrideGate, actor: Actor) -> GateState:
    if plan is None:
        raise Refused("plan_not_found", f"There is no plan {command.plan}.")
    demand_mover(plan, actor)
    return plan.gates[command.gate]


def due_gate(plan: Plan) -> GateName | None:
    """The gate that waits to be opened. There is one at most: they come one after the other."""
    return next((gate for gate in GATES if plan.gates[gate].state == "due"), None)


def open_due(plan: Plan | None, at: int, code: str) -> tuple[Event, ...]:
    """Opens the gate that is due: a new round with this code."""
    gate = due_gate(plan) if plan is not None else None
    if plan is None or gate is None:
        return ()
    rule = plan.content.gates.rule(gate) or GateRule()
    return (_opened(gate, plan.gates[gate], rule, at, code),)


def expired_gate(plan: Plan, at: int) -> GateName | None:
    """The gate whose deadline has passed without an answer."""
    states = plan.gates
    return next((gate for gate in GATES if states[gate].state == "open" and states[gate].deadline <= at), None)


def expire(plan: Plan | None, at: int) -> tuple[Event, ...]:
    """Ends the waiting of a gate at its deadline."""
    gate = expired_gate(plan, at) if plan is not None else None
    if plan is None or gate is None:
        return ()
    return (GateExpired(gate=gate, round=plan.gates[gate].round),)


def _opened(gate: GateName, state: GateState, rule: GateRule, at: int, code: str) -> GateOpened:
    deadline = at + rule.deadline_seconds * _SECOND
    return GateOpened(gate=gate, round=state.round + 1, instance_code=code, deadline=deadline, systems=rule.systems)
