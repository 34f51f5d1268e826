"""What the folds of all subjects share. Each changes the plan that it is given: `contracts.evolve` made it a copy."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from contracts.envelope import Fact
from contracts.plan import GATE_STATUS, GateState, Plan
from contracts.values import GateName

Apply = Callable[[Plan, Any, Fact], None]


def touch(plan: Plan, fact: Fact) -> None:
    plan.updated_by, plan.updated_at = fact.actor, fact.at


def end(plan: Plan, fact: Fact) -> None:
    if plan.approval.state == "open":
        plan.approval = replace(plan.approval, state="closed")
    plan.gates = {gate: closed(state) for gate, state in plan.gates.items()}
    plan.times, plan.held = replace(plan.times, ended=fact.at), None
    touch(plan, fact)


def closed(state: GateState) -> GateState:
    """No round of this gate waits any longer. The round number stays, so that the next code is a fresh one."""
    return replace(state, state="closed") if state.state in {"due", "open", "failed", "expired"} else state


def gate_due(plan: Plan, gate: GateName) -> None:
    if plan.content.gates.rule(gate) is not None:
        plan.gates[gate] = replace(plan.gates[gate], state="due")
        plan.status = GATE_STATUS[gate]
