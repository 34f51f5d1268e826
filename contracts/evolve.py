"""The fold of a plan: `evolve(plan, fact)` gives the plan after one more fact, `fold(facts)` after many.

Trusts the log and doubts nothing: what may happen is the deciders' business. Facts of a type that this release does not
know change nothing but the version. `evolve` never touches its argument; `fold` copies once and then works in place,
which is why rebuilding a plan of ten thousand events costs little more than fetching and decoding them (`just bench`).
"""

from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from contracts import plan_events as e
from contracts.envelope import Fact, stream_id
from contracts.folding import approving, editing, execution, freezing, gates, holding, planning, voting
from contracts.folding.ground import Apply
from contracts.plan import Plan, Times
from contracts.registry import DECODERS


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
    plan.places = None
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


APPLY: dict[str, Apply] = {
    **execution.APPLY,
    **planning.APPLY,
    **editing.APPLY,
    **voting.APPLY,
    **approving.APPLY,
    **gates.APPLY,
    **freezing.APPLY,
    **holding.APPLY,
}
"""By stored type name, hot ones first. A test demands one for every plan event but `plan.created.v1`."""

STEPS: dict[str, tuple[Callable[[bytes], Any], Apply]] = {
    name: (DECODERS[name], apply) for name, apply in APPLY.items()
}
"""One look-up per fact."""
