"""Which deliveries a fact raises at an endpoint. Pure.

The three hooks of the reference are due when their gate opens, and at the event itself where nobody waits for an answer.
That is looked up in the plan's gates as they were at that fact, which only two types of event can change. Every other
event of a plan or a run is a delivery of its own where the endpoint's patterns ask for it, in the standard format only,
and so is the death of a delivery, but for one that only told of another's death.
A test and a challenge go to their own endpoint, whatever it asks for.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

from contracts.endpoint_state import Endpoint
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
OWN = frozenset({"endpoint.tested.v1", "endpoint.challenged.v1"})
"""Events of an endpoint that are delivered to it."""


DIED = "delivery.died.v1"


class Raised(msgspec.Struct, frozen=True):
    """A delivery that became due. `round` is the gate's, 0 where nobody waits."""

    event: str
    round: int
    format: Literal["zadig", "standard"] = "zadig"


class Subject(msgspec.Struct, frozen=True):
    """The plan that a fact concerns: its id, its project, and its gates as they were then."""

    plan: str
    project: str
    gates: Gates


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
    """The hook of the reference that this fact of a plan raises, if any."""
    if fact.type == "gate.opened.v1":
        opened = DECODERS[fact.type](fact.payload)
        assert isinstance(opened, GateOpened)
        return Raised(opened.gate, opened.round)
    event = UNGATED.get(fact.type)
    if event is None or gates.rule(event) is not None:
        return None
    return Raised(event, 0)


def may_want(endpoint: Endpoint, fact: Fact) -> bool:
    """Whether a look at the fact's plan is worth it: nothing that this endpoint gets can be left out by a no."""
    hooks = fact.type in RAISING and any(event in endpoint.events for event in HOOKS)
    return endpoint.active and (hooks or endpoint.wants_event(fact.type))


def deliveries_of(endpoint: Endpoint, fact: Fact, subject: Subject) -> Iterator[Raised]:
    """What goes to this endpoint because of this fact."""
    if not endpoint.active or not endpoint.covers(subject.plan, subject.project):
        return
    hook = raised_by(fact, subject.gates) if fact.type in RAISING else None
    if hook is not None and hook.event in endpoint.events:
        if endpoint.format != "standard":
            yield hook
        if endpoint.format != "zadig":
            yield msgspec.structs.replace(hook, format="standard")
    if endpoint.wants_event(fact.type):
        round_ = hook.round if hook is not None and fact.type == "gate.opened.v1" else 0
        yield Raised(fact.type, round_, "standard")


def own_delivery(endpoint: Endpoint, fact: Fact) -> Raised | None:
    """A test or a challenge of this endpoint. A test has the form that the endpoint's hooks have."""
    if fact.type not in OWN:
        return None
    as_hook = endpoint.format == "zadig" and fact.type == "endpoint.tested.v1"
    return Raised(fact.type, 0, "zadig" if as_hook else "standard")


HOOKS = tuple(UNGATED.values())
