"""References between items are checked at sealing: every one that cannot hold is told, with its path."""

from collections.abc import Mapping

from contracts.values import Item
from contracts.workflow import ScriptStep, Stage, WorkflowDefinition, WorkflowInput
from services.planner.decider.referring import reference_faults
from tests.support.builders import created, plan_after, text_item, workflow_item
from tests.unit.planner.test_decider import PEOPLE, ZONES, Known, faults

STAGES = (Stage(name="all", steps=(ScriptStep(name="one", script="true"),)),)
BUILD = WorkflowDefinition(project="web", name="deploy", stages=STAGES, outputs=("image",))
DEPLOY = WorkflowDefinition(project="web", name="deploy", stages=STAGES, inputs=(WorkflowInput(name="image"),))


def codes(*items: Item, definitions: Mapping[str, WorkflowDefinition] = {}) -> dict[str, str]:
    return {fault.path: fault.code for fault in reference_faults(items, definitions)}


def using(value: str, *needs: str) -> Item:
    return workflow_item("deploy", needs=needs, inputs={"image": value})


def test_a_reference_to_what_is_waited_for_holds_also_through_others() -> None:
    build, middle = workflow_item("build"), text_item("middle", needs=("build",))
    assert codes(build, using("${items.build.outputs.image}", "build"), definitions={"build": BUILD}) == {}
    assert codes(build, middle, using("${items.build.outputs.image}", "middle")) == {}


def test_every_reference_that_cannot_hold_is_told_with_its_path() -> None:
    items = (
        workflow_item("build"),
        text_item("notes"),
        workflow_item(
            "deploy",
            needs=("notes",),
            inputs={
                "a": "${items.nothing.outputs.image}",
                "b": "${items.build.outputs.image}",
                "c": "${items.notes.outputs.image}",
                "d": "${items.build}",
                "e": "${items.deploy.outputs.image}",
            },
        ),
    )
    path = "/items/2/spec/inputs/"
    assert codes(*items) == {
        f"{path}a": "unknown_item",
        f"{path}b": "not_needed",
        f"{path}c": "no_outputs",
        f"{path}d": "bad_reference",
        f"{path}e": "not_needed",
    }


def test_an_output_is_checked_where_the_workflow_says_what_it_gives() -> None:
    items = (workflow_item("build"), using("${items.build.outputs.imgae}", "build"))
    assert codes(*items) == {}
    assert codes(*items, definitions={"build": BUILD}) == {"/items/1/spec/inputs/image": "unknown_output"}


def test_needs_that_form_a_circle_do_not_hang_the_check() -> None:
    one = workflow_item("one", needs=("two",))
    two = workflow_item("two", needs=("one",), inputs={"x": "${items.one.outputs.x}"})
    assert codes(one, two) == {}


def test_no_output_can_choose_a_credential() -> None:
    takes = WorkflowInput(name="token", credential=True)
    definition = WorkflowDefinition(project="web", name="deploy", stages=STAGES, inputs=(takes,))
    items = (
        workflow_item("build"),
        workflow_item("deploy", needs=("build",), inputs={"token": "secret:${items.build.outputs.image}"}),
    )
    known = Known(people=PEOPLE, zones=ZONES, definitions={"build": BUILD, "deploy": definition})
    assert faults(plan_after(created(items=items)), known) == {"/items/1/spec/inputs/token": "credential_in_clear"}


def test_a_plan_with_a_reference_that_cannot_hold_is_not_sealed() -> None:
    items = (workflow_item("build"), using("${items.build.outputs.image}"))
    known = Known(people=PEOPLE, zones=ZONES, definitions={"build": BUILD, "deploy": DEPLOY})
    assert faults(plan_after(created(items=items)), known) == {"/items/1/spec/inputs/image": "not_needed"}
