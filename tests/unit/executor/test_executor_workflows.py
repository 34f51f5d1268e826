"""What a workflow's definition must be, and who may change it."""

import time
from typing import Any

import pytest
from msgspec.structs import replace

from contracts.commands import Actor, PutWorkflow
from contracts.plan_events import Event, ResolvedWorkflow
from contracts.refusals import Refused
from contracts.workflow import (
    HttpStep,
    ScriptStep,
    Stage,
    WorkflowDefinition,
    WorkflowInput,
    WorkflowRevised,
    workflow_digest,
)
from services.executor.decider.workflows import put
from services.executor.views import Workflow, found
from tests.unit.executor.given import ADMIN, DEPLOY, EVE, IVAN, OLIVIA


def asked(definition: WorkflowDefinition, workflow: Workflow | None = None, actor: Actor = OLIVIA) -> tuple[Event, ...]:
    return put(workflow, PutWorkflow(definition=definition), actor)


def stored(definition: WorkflowDefinition = DEPLOY) -> Workflow:
    return Workflow("user:olivia", 1, (WorkflowRevised(revision=1, definition=definition, digest="trusted by nobody"),))


def faults(*steps: Any, **fields: Any) -> dict[str, str]:
    stages = (Stage(name="all", steps=steps or DEPLOY.stages[0].steps),)
    with pytest.raises(Refused) as caught:
        asked(replace(DEPLOY, **{"stages": stages, **fields}))
    assert caught.value.code == "invalid_workflow"
    return {fault.path: fault.code for fault in caught.value.faults}


def test_anybody_creates_revision_one_with_its_digest() -> None:
    assert asked(DEPLOY, actor=EVE) == (WorkflowRevised(revision=1, definition=DEPLOY, digest=workflow_digest(DEPLOY)),)


def test_the_same_definition_again_changes_nothing() -> None:
    assert asked(DEPLOY, stored()) == ()


def test_a_changed_definition_is_the_next_revision() -> None:
    (revised,) = asked(replace(DEPLOY, description="new"), stored())
    assert isinstance(revised, WorkflowRevised)
    assert revised.revision == 2


def test_only_creator_runners_and_administrators_change_it() -> None:
    changed, guarded = replace(DEPLOY, description="new"), stored(replace(DEPLOY, runners=("user:ivan",)))
    for actor in (OLIVIA, IVAN, ADMIN):
        assert asked(changed, guarded, actor)
    with pytest.raises(Refused) as caught:
        asked(changed, guarded, EVE)
    assert caught.value.facts["allowed"] == ["user:olivia", "user:ivan"]


def test_step_stage_and_input_names_are_unique() -> None:
    one = ScriptStep(name="one", script="true")
    assert faults(one, one) == {"/steps": "duplicate"}
    stage = DEPLOY.stages[0]
    assert "/stages" in faults(stages=(stage, replace(stage, steps=(one,))))
    assert faults(inputs=(WorkflowInput(name="a"), WorkflowInput(name="A"))) == {"/inputs": "duplicate"}


def test_references_name_inputs_that_exist() -> None:
    step = HttpStep(
        name="call",
        url="http://x.test/{{inputs.version}}/{{ inputs.nope }}",
        headers={"X-Token": "{{inputs.token}}", "X-Bad": "{{outputs.version}}"},
        body="{{inputs.gone}}",
    )
    assert set(faults(step)) == {"/stages/0/steps/0/url", "/stages/0/steps/0/headers/X-Bad", "/stages/0/steps/0/body"}


def test_a_reference_that_is_never_closed_is_looked_for_once() -> None:
    begun = time.process_time()
    body = "{{" + " " * 18_000 + "{{ nobody }}"
    step = HttpStep(name="one", url="http://x.test", method="POST", body=body)
    assert faults(step) == {"/stages/0/steps/0/body": "unknown_input"}
    assert time.process_time() - begun < 30, "it is a matter of a moment, not of the cube of the length"


def test_effect_classes_are_ones_that_the_step_can_keep() -> None:
    assert faults(ScriptStep(name="one", script="true", effect="detectable")) == {
        "/stages/0/steps/0/effect": "effect_class"
    }
    assert faults(HttpStep(name="one", url="http://x.test", method="POST", effect="pure")) == {
        "/stages/0/steps/0/effect": "effect_class"
    }


def test_the_names_of_ours_are_reserved_in_the_environment() -> None:
    assert faults(ScriptStep(name="one", script="true", env={"INPUT_X": "1"})) == {
        "/stages/0/steps/0/env/INPUT_X": "reserved"
    }


def test_a_credential_has_no_default_in_clear() -> None:
    assert faults(inputs=(WorkflowInput(name="token", credential=True, default="hunter2"), *DEPLOY.inputs[:1])) == {
        "/inputs/0/default": "credential_in_clear"
    }


@pytest.mark.parametrize("before", ["ci:hunter2@", "hunter2@", ":hunter2@", "{{inputs.version}}:hunter2@", "a@b:c@"])
def test_an_address_tells_no_password(before: str) -> None:
    step = HttpStep(name="call", url=f"https://{before}ci.example.com/go?mail=a@b")
    assert faults(step) == {"/stages/0/steps/0/url": "credential_in_clear"}


@pytest.mark.parametrize("before", ["", "ci:{{inputs.token}}@", "{{inputs.token}}@"])
def test_an_address_may_take_its_password_from_an_input(before: str) -> None:
    step = HttpStep(name="call", url=f"https://{before}ci.example.com/go?mail=a@b", body="a:b@c")
    assert len(asked(replace(DEPLOY, stages=(Stage(name="all", steps=(step,)),)))) == 1


def test_a_definition_too_large_for_its_event_is_refused() -> None:
    steps = tuple(ScriptStep(name=f"s{n}", script="x" * 19_000) for n in range(2))
    assert faults(*steps) == {"": "too_large"}


def test_what_would_run_is_digested_anew_and_a_missing_revision_is_none() -> None:
    sealed = found(stored(), replace(_resolved(), revision=1))
    assert sealed is not None
    assert sealed.resolved.digest == workflow_digest(DEPLOY)
    assert found(stored(), replace(_resolved(), revision=7)) is None
    assert found(None, _resolved()) is None


def _resolved() -> ResolvedWorkflow:
    return ResolvedWorkflow(project="shop", workflow="deploy", revision=1, digest="")
