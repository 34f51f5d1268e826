"""Reading a workflow's stream: which definition is revision n, and what to seal for it."""

from collections.abc import Iterable

from contracts.envelope import Fact
from contracts.plan_events import ResolvedWorkflow
from contracts.registry import DECODERS
from contracts.workflow import WorkflowRevised


def revision_of(facts: Iterable[Fact], revision: int | None = None) -> WorkflowRevised | None:
    """The revision asked for, or the newest; `None` when the workflow does not have it."""
    found: WorkflowRevised | None = None
    for fact in facts:
        event = DECODERS[fact.type](fact.payload) if fact.type in DECODERS else None
        if isinstance(event, WorkflowRevised) and revision in {None, event.revision}:
            found = event
    return found


def resolved(revised: WorkflowRevised) -> ResolvedWorkflow:
    """What a seal keeps of a revision."""
    definition = revised.definition
    return ResolvedWorkflow(
        project=definition.project, workflow=definition.name, revision=revised.revision, digest=revised.digest
    )
