"""Which facts raise a hook, and for which endpoints. Pure.

A hook is due when its gate opens, and at the event itself where nobody waits for an answer. What raises it is looked up
in the plan's gates as they were at that fact, which only two types of event can change.
"""

import msgspec

from contracts.envelope import Fact
from contracts.plan_events import GateOpened, PlanCreated, PlanEdited
from contracts.registry import DECODERS
from contracts.values import GateName, Gates

UNGATED: dict[str, GateName] = {
    "plan.sealed.v1": "finish_planning",
    "plan.execution_started.v1": "start_execute",
    "plan.succeeded.v1": "all_job_done",
}
"""What raises which hook where the plan does not wait at that gate."""

RAISING = frozenset({*UNGATED, "gate.opened.v1"})
SETTING = frozenset({"plan.created.v1", "plan.edited.v1"})


class Raised(msgspec.Struct, frozen=True):
    """A hook that became due. `round` is the gate's, 0 where nobody waits."""

    event: GateName
    round: int


def gates_set(fact: Fact) -> Gates | None:
    """The gates that this fact gives a plan; None when it leaves them alone."""
    if fact.type not in SETTING:
        return None
    match DECODERS[fact.type](fact.payload):
        case PlanCreated(content=content):
            return content.gates
        case PlanEdited(changes=changes) if changes.gates is not msgspec.UNSET:
            return changes.gates
        case _:
            return None


def raised_by(fact: Fact, gates: Gates) -> Raised | None:
    """The hook that this fact of a plan raises, if any."""
    if fact.type == "gate.opened.v1":
        opened = DECODERS[fact.type](fact.payload)
        assert isinstance(opened, GateOpened)
        return Raised(opened.gate, opened.round)
    event = UNGATED.get(fact.type)
    if event is None or gates.rule(event) is not None:
        return None
    return Raised(event, 0)
