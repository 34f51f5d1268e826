"""Whether the system may run the items of a plan by itself: it does so in the name of whoever seals, with their rights.

Pure, part of the planner's decider. Asked again, with the rights of that moment, before each start.
"""

from collections.abc import Iterator, Mapping

from contracts.commands import Actor
from contracts.refusals import Fault
from contracts.values import Content
from contracts.workflow import WorkflowDefinition


def runner_faults(content: Content, definitions: Mapping[str, WorkflowDefinition], actor: Actor) -> Iterator[Fault]:
    """Each item that the system would start and that the person who seals may not run."""
    if content.rules.run == "by_hand" or actor.administrator:
        return
    for i, item in enumerate(content.items):
        definition = definitions.get(item.id)
        if definition is not None and definition.runners and not actor.among(definition.runners):
            who = ", ".join(definition.runners)
            detail = f"the system would run it in your name, and only {who} and administrators may"
            yield Fault(f"/items/{i}/spec/workflow", detail, "runner_not_allowed")
