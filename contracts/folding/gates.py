"""The three gates."""

from typing import Any

from msgspec.structs import replace

from contracts import plan_events as e
from contracts.envelope import Fact
from contracts.folding.ground import Apply
from contracts.gate_events import GateSystemAnswered
from contracts.plan import (
    GATE_FAILED_STATUS,
    GATE_STATUS,
    GateState,
    Plan,
    SystemAnswer,
)
from contracts.values import GateName


def _gate_opened(plan: Plan, event: e.GateOpened, fact: Fact) -> None:
    plan.gates[event.gate] = GateState(
        event.round, "open", event.instance_code, event.deadline, fact.at, systems=event.systems
    )
    plan.status = GATE_STATUS[event.gate]


def _system_answered(plan: Plan, event: GateSystemAnswered, fact: Fact) -> None:
    state = plan.gates[event.gate]
    answer = SystemAnswer(event.system, event.result, event.text, fact.at)
    others = tuple(one for one in state.answers if one.system != event.system)
    text = f"{event.system}: {event.text}" if event.text else state.text
    plan.gates[event.gate] = replace(state, answers=(*others, answer), text=text)


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
    "gate.opened.v1": _gate_opened,
    "gate.progressed.v1": _gate_progressed,
    "gate.passed.v1": _gate_passed,
    "gate.failed.v1": _gate_failed,
    "gate.system_answered.v1": _system_answered,
    "gate.expired.v1": _gate_expired,
    "gate.overridden.v1": _gate_overridden,
}
