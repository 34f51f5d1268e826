"""What a workflow run is given: the item's inputs with the outputs they refer to and the workflow's defaults, checked once more.

Sealing checked them against the same revision; this keeps a run from starting with less than it needs whatever happened.
The outputs of other items are put in here, when the item starts: what was sealed is the expression.
"""

import msgspec

from contracts.plan import Plan
from contracts.references import Reference, references, with_outputs
from contracts.refusals import Fault, Refused
from contracts.values import Item, WorkflowSpec
from contracts.workflow import WorkflowDefinition

RUN_BYTES = 40 * 1024
"""How large a definition and its inputs may be together: a run's first event carries both,
and the outputs that a retry keeps (16 kB); an event holds 64 kB."""


def complete_inputs(plan: Plan, item: Item, definition: WorkflowDefinition) -> dict[str, str]:
    """The item's inputs with outputs and defaults put in. Raises Refused: `output_missing`, or `invalid_workflow`."""
    given = _resolved(plan, item)
    declared = {one.name: one for one in definition.inputs}
    faults = [Fault(f"/inputs/{name}", "is no input of the workflow") for name in given if name not in declared]
    inputs: dict[str, str] = {}
    for name, one in declared.items():
        value = given.get(name, one.default)
        if value is None:
            faults.append(Fault(f"/inputs/{name}", "has no default and must be given"))
        elif one.credential and not value.startswith("secret:"):
            faults.append(Fault(f"/inputs/{name}", "is a credential: give it as secret:NAME"))
        else:
            inputs[name] = value
    size = len(msgspec.json.encode(definition)) + len(msgspec.json.encode(inputs))
    if size > RUN_BYTES:
        faults.append(Fault("/inputs", f"together with the workflow they have {size} bytes, more than {RUN_BYTES}"))
    if faults:
        raise Refused("invalid_workflow", f"Item {item.id} cannot run with these inputs.", faults, item=item.id)
    return inputs


def _resolved(plan: Plan, item: Item) -> dict[str, str]:
    """The inputs as written, with what other items gave in the place of each reference to it."""
    given = item.spec.inputs if isinstance(item.spec, WorkflowSpec) else {}
    outputs: dict[tuple[str, str], str] = {}
    faults: list[Fault] = []
    for name, value in given.items():
        for one in references(value):
            found = _output(plan, one)
            if isinstance(found, Missing):
                faults.append(Fault(f"/inputs/{name}", f"{one.text}: {found.why}", "output_missing"))
            else:
                outputs[one.item, one.output] = found
    if faults:
        detail = f"Item {item.id} needs what other items have not given."
        raise Refused("output_missing", detail, faults, item=item.id)
    return {name: with_outputs(value, outputs) for name, value in given.items()}


class Missing(msgspec.Struct, frozen=True):
    """Why an output is not there."""

    why: str


def _output(plan: Plan, one: Reference) -> str | Missing:
    state = plan.items.get(one.item)
    if state is None:
        return Missing("there is no such item")
    if state.status != "done":
        return Missing(f"item {one.item} is {state.status}, so it has no outputs")
    outputs = next((attempt.outputs for attempt in reversed(state.attempts) if attempt.outcome == "done"), {})
    if one.output not in outputs:
        gave = ", ".join(sorted(outputs)) or "nothing"
        return Missing(f"item {one.item} gave no {one.output}; it gave {gave}")
    return outputs[one.output]
