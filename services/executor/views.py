"""What the executor folds for itself: a workflow with its revisions, and the sealed workflow as the log holds it today."""

from collections.abc import Iterable, Mapping

import msgspec

from contracts.envelope import Fact
from contracts.plan_events import ResolvedWorkflow
from contracts.registry import DECODERS
from contracts.workflow import WorkflowDefinition, WorkflowRevised, workflow_digest


class Workflow(msgspec.Struct, frozen=True):
    """A workflow at `version` of its stream, with all its revisions, the newest last."""

    created_by: str
    version: int
    revisions: tuple[WorkflowRevised, ...]

    @property
    def newest(self) -> WorkflowRevised:
        return self.revisions[-1]


class Found(msgspec.Struct, frozen=True):
    """What would really run: a revision as the log holds it, its digest computed from what it says."""

    resolved: ResolvedWorkflow
    definition: WorkflowDefinition


Workflows = Mapping[str, Found]
"""By item id; a revision that is gone is absent."""


def fold_workflow(facts: Iterable[Fact], workflow: Workflow | None = None) -> Workflow | None:
    """The workflow after these facts of its stream. Facts of an unknown type move only the version."""
    for fact in facts:
        event = DECODERS[fact.type](fact.payload) if fact.type in DECODERS else None
        revisions = workflow.revisions if workflow else ()
        if isinstance(event, WorkflowRevised):
            revisions = (*revisions, event)
        if revisions:
            workflow = Workflow(workflow.created_by if workflow else fact.actor, fact.version, revisions)
    return workflow


def found(workflow: Workflow | None, sealed: ResolvedWorkflow) -> Found | None:
    """What the log holds under the sealed revision's number. The recorded digest is not trusted; it is computed."""
    revisions = workflow.revisions if workflow else ()
    revised = next((one for one in revisions if one.revision == sealed.revision), None)
    if revised is None:
        return None
    definition = revised.definition
    resolved = ResolvedWorkflow(
        project=definition.project,
        workflow=definition.name,
        revision=revised.revision,
        digest=workflow_digest(definition),
    )
    return Found(resolved, definition)
