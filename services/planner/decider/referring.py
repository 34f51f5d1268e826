"""What is wrong with references to the outputs of other items, found at sealing: all of it, each with its path.

Pure, part of the planner's decider. An item may only use what it waits for, itself or through others: anything else might
not have run. What a workflow gives is only checked where it says what it gives.
"""

from collections.abc import Iterator, Mapping

from contracts.references import Reference, references
from contracts.refusals import Fault
from contracts.values import Item, WorkflowSpec
from contracts.workflow import WorkflowDefinition


def reference_faults(items: tuple[Item, ...], definitions: Mapping[str, WorkflowDefinition]) -> Iterator[Fault]:
    """Each reference that cannot hold. `definitions` by item id, absent where there is no such workflow."""
    by_id = {item.id: item for item in items}
    for i, item in enumerate(items):
        if not isinstance(item.spec, WorkflowSpec):
            continue
        used = [(name, one) for name, value in item.spec.inputs.items() for one in references(value)]
        waited = _waited_for(item, by_id) if used else frozenset()
        for name, one in used:
            fault = _fault(item, one, by_id, waited, definitions)
            if fault is not None:
                yield Fault(f"/items/{i}/spec/inputs/{name}", *fault)


def _fault(
    item: Item,
    one: Reference,
    by_id: Mapping[str, Item],
    waited: frozenset[str],
    definitions: Mapping[str, WorkflowDefinition],
) -> tuple[str, str] | None:
    """What is wrong with it, and the code of that."""
    if not one.item:
        return f"{one.text} is not written as ${{items.ITEM.outputs.NAME}}; for a plain ${{ write $${{", "bad_reference"
    source = by_id.get(one.item)
    if source is None:
        return f"{one.text}: there is no item {one.item}", "unknown_item"
    if not isinstance(source.spec, WorkflowSpec):
        return f"{one.text}: item {one.item} is a text and gives no outputs", "no_outputs"
    if one.item not in waited:
        return f"{one.text}: {item.id} does not wait for {one.item}; name it among the needs", "not_needed"
    definition = definitions.get(one.item)
    if definition is not None and definition.outputs and one.output not in definition.outputs:
        said = ", ".join(definition.outputs)
        return f"{one.text}: its workflow gives no {one.output}; it gives {said}", "unknown_output"
    return None


def _waited_for(item: Item, by_id: Mapping[str, Item]) -> frozenset[str]:
    """What is settled before this item starts: its needs, and what they need."""
    found: set[str] = set()
    left = list(item.needs)
    while left:
        one = left.pop()
        if one not in found and one in by_id:
            found.add(one)
            left.extend(by_id[one].needs)
    return frozenset(found)
