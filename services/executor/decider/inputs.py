"""What a workflow run is given: the item's inputs with the workflow's defaults, checked once more before anything starts.

Sealing checked them against the same revision; this keeps a run from starting with less than it needs whatever happened.
"""

import msgspec

from contracts.refusals import Fault, Refused
from contracts.values import Item, WorkflowSpec
from contracts.workflow import WorkflowDefinition

RUN_BYTES = 40 * 1024
"""How large a definition and its inputs may be together: a run's first event carries both,
and the outputs that a retry keeps (16 kB); an event holds 64 kB."""


def complete_inputs(item: Item, definition: WorkflowDefinition) -> dict[str, str]:
    """The item's inputs with the workflow's defaults. Raises Refused(invalid_workflow) with every fault."""
    given = item.spec.inputs if isinstance(item.spec, WorkflowSpec) else {}
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
