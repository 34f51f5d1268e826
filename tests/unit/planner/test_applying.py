"""The rule of applying a plan file, given / when / then."""

from typing import Any

import pytest

from contracts import plan_events as e
from contracts.commands import Actor, ApplyPlan
from contracts.plan import Plan
from contracts.plan_events import Source
from contracts.plan_file import plan_of_key
from contracts.seal import seal_of
from contracts.values import Changes
from services.planner.decider import Known
from services.planner.decider.applying import apply
from tests.support.builders import MALLORY, NOON, OLIVIA, PLAN, content, created, plan_after, text_item
from tests.support.spec import given

FILE = Source(kind="file", name="release-1.2")


def applying(actor: Actor = OLIVIA, **fields: Any) -> Any:
    more = {name: fields.pop(name) for name in ("base", "source", "project") if name in fields}
    command = ApplyPlan(**{"plan": PLAN, "project": "web", "content": content(**fields), "source": FILE, **more})
    return lambda plan: apply(plan, command, actor, NOON, Known(index=52))


def test_a_file_whose_plan_is_not_there_creates_it_and_says_so() -> None:
    expected = e.PlanCreated(index=52, project="web", content=content(), source=FILE)
    given(None).when(applying()).then(expected)


def test_a_file_that_names_a_plan_by_id_creates_none() -> None:
    given(None).when(applying(source=None)).refused("plan_not_found")


def test_only_the_sections_that_differ_are_changed() -> None:
    expected = e.PlanEdited(changes=Changes(labels=("hot",)))
    given(plan_after(created())).when(applying(labels=("hot",))).then(expected)


def test_a_section_that_the_file_does_not_have_is_emptied() -> None:
    plan = plan_after(created(labels=("hot",), description="About it."))
    given(plan).when(applying()).then(e.PlanEdited(changes=Changes(labels=(), description="")))


def test_a_file_without_owner_leaves_the_owner_as_it_is() -> None:
    given(plan_after(created())).when(applying(owner=())).then_nothing()


SEALED = seal_of(content(), {})


@pytest.mark.parametrize("plan", [plan_after(created()), plan_after(created(), SEALED)])
def test_the_same_again_changes_nothing_in_any_status_and_from_any_version(plan: Plan) -> None:
    given(plan).when(applying(base=7)).then_nothing()


def test_a_sealed_plan_is_not_changed() -> None:
    given(plan_after(created(), SEALED)).when(applying(labels=("hot",))).refused("not_planning")


def test_a_changed_file_of_a_plan_that_is_over_is_told_to_take_a_new_key() -> None:
    over = plan_after(created(), e.PlanCancelled(reason="no"))
    given(over).when(applying()).then_nothing()
    assert "new key" in given(over).when(applying(labels=("hot",))).refused("final").detail


def test_a_file_made_from_an_older_version_overwrites_nothing() -> None:
    plan = plan_after(created(), e.PlanEdited(changes=Changes(description="Newer.")))
    refused = given(plan).when(applying(base=1, labels=("hot",))).refused("version_conflict")
    assert refused.facts["current_version"] == 2


def test_who_may_not_edit_may_not_apply() -> None:
    given(plan_after(created())).when(applying(MALLORY, labels=("hot",))).refused("forbidden")


def test_a_plan_does_not_move_to_another_project() -> None:
    refused = given(plan_after(created())).when(applying(project="app")).refused("invalid_body")
    assert [fault.path for fault in refused.faults] == ["/project"]


def test_a_file_that_is_no_plan_is_refused_with_every_fault() -> None:
    refused = given(None).when(applying(items=(text_item("a"), text_item("a")), name=" ")).refused("invalid_body")
    assert [fault.path for fault in refused.faults] == ["/name", "/items/1/id"]


def test_the_same_key_in_two_projects_is_two_plans() -> None:
    assert plan_of_key("web", "one") != plan_of_key("app", "one")
    assert plan_of_key("web", "one") == plan_of_key("web", "one")
