"""The rules of drafting, given / when / then."""

from collections.abc import Callable
from typing import Any

import pytest

from contracts import plan_events as e
from contracts.commands import Actor, CancelPlan, CopyPlan, CreatePlan, EditPlan, ReopenPlan, SealPlan
from contracts.plan import Plan
from contracts.seal import seal_of
from contracts.values import Changes, Item, Schedule, TextSpec
from contracts.workflow import ScriptStep, Stage, WorkflowDefinition, WorkflowInput
from services.planner.decider import Command, Known, decide
from tests.support.builders import (
    ADA,
    MALLORY,
    NOON,
    OLIVIA,
    PLAN,
    approval,
    content,
    created,
    plan_after,
    text_item,
    utc,
    window,
    workflow_item,
)
from tests.support.spec import given

PEOPLE = frozenset({"user:olivia", "user:ana", "user:ben", "group:sre"})
MEMBERS = {"group:sre": frozenset({"user:ana", "user:ben"})}
ZONES = frozenset({"UTC", "Europe/Berlin"})
KNOWN = Known(index=7, people=PEOPLE, members=MEMBERS, zones=ZONES)
DRAFT = plan_after(created())
SEAL = seal_of(content(), {})


def doing(command: Command, actor: Actor = OLIVIA, known: Known = KNOWN) -> Callable[[Plan | None], Any]:
    return lambda plan: decide(plan, command, actor, NOON, known)


def sealing(known: Known = KNOWN, actor: Actor = OLIVIA) -> Callable[[Plan | None], Any]:
    return doing(SealPlan(plan=PLAN), actor, known)


def faults(plan: Plan, known: Known = KNOWN) -> dict[str, str]:
    refused = given(plan).when(sealing(known)).refused("not_sealable")
    return {fault.path: fault.code for fault in refused.faults}


def test_a_plan_is_created_with_the_next_index() -> None:
    given(None).when(doing(CreatePlan(plan=PLAN, project="web", content=content()))).then(
        e.PlanCreated(index=7, project="web", content=content())
    )


def test_a_plan_without_an_owner_is_its_creators() -> None:
    command = CreatePlan(plan=PLAN, project="web", content=content(owner=()))
    given(None).when(doing(command)).then(e.PlanCreated(index=7, project="web", content=content()))


def test_a_plan_is_not_created_twice() -> None:
    given(DRAFT).when(doing(CreatePlan(plan=PLAN, project="web", content=content()))).refused("plan_exists")


def test_a_draft_refuses_all_structural_faults_at_once() -> None:
    bad = content(name="  ", items=(text_item("a"), text_item("a")), window=window(utc(2026, 9, 2), utc(2026, 9, 1)))
    refused = given(None).when(doing(CreatePlan(plan=PLAN, project="web", content=bad))).refused("invalid_body")
    assert {fault.path for fault in refused.faults} == {"/name", "/window/end", "/items/1/id"}


def test_a_copy_leaves_window_and_schedule_behind() -> None:
    origin = plan_after(created(window=window(utc(2026, 9, 1), utc(2026, 9, 2)), schedule=Schedule(at=utc(2026, 9, 1))))
    known = Known(index=8, origin=origin)
    copy = content(name="Release 1.2 (copy)")
    given(None).when(doing(CopyPlan(plan="a" * 24, origin=PLAN), known=known)).then(
        e.PlanCreated(index=8, project="web", content=copy, source=e.Source(kind="copy", name=PLAN))
    )


def test_an_edit_records_only_the_sections_that_change() -> None:
    changes = Changes(name="Release 1.3", labels=())
    given(DRAFT).when(doing(EditPlan(plan=PLAN, changes=changes))).then(
        e.PlanEdited(changes=Changes(name="Release 1.3"))
    )


def test_an_edit_that_changes_nothing_makes_no_event() -> None:
    given(DRAFT).when(doing(EditPlan(plan=PLAN, changes=Changes(name="Release 1.2")))).then_nothing()


def test_a_stranger_edits_nothing_and_is_told_who_may() -> None:
    refused = given(DRAFT).when(doing(EditPlan(plan=PLAN, changes=Changes(name="x")), MALLORY)).refused("forbidden")
    assert "user:olivia" in refused.detail


def test_an_administrator_may_seal() -> None:
    given(DRAFT).when(sealing(actor=ADA)).then(SEAL)


def test_a_sealed_plan_is_not_edited() -> None:
    sealed = plan_after(created(), SEAL)
    given(sealed).when(doing(EditPlan(plan=PLAN, changes=Changes(name="x")))).refused("not_planning")


def test_a_plan_without_items_is_not_sealed() -> None:
    assert faults(plan_after(created(items=()))) == {"/items": "no_items"}


def test_sealing_tells_every_problem_at_once() -> None:
    items = (
        text_item("a", needs=("b",), owner=("user:nobody",)),
        text_item("b", needs=("a", "zzz")),
        workflow_item("c", workflow="missing"),
    )
    plan = plan_after(
        created(
            items=items,
            approval=approval("user:ghost", needed=2),
            window=window(utc(2020, 1, 1), utc(2020, 1, 2), "Mars/Olympus"),
            schedule=Schedule(at=utc(2021, 1, 1)),
        )
    )
    found = faults(plan)
    assert (
        found.items()
        >= {
            "/items/0/owner/0": "unknown_person",
            "/items/0/needs": "needs_circle",
            "/items/1/needs/1": "unknown_item",
            "/items/2/spec/workflow": "workflow_not_found",
            "/approval/levels/0/rules/0/approvers/0": "unknown_person",
            "/approval/levels/0/rules/0/needed": "approvers_too_few",
            "/window/end": "window_past",
            "/window/zone": "unknown_zone",
            "/schedule/at": "schedule_outside_window",
        }.items()
    )


def test_anywhere_on_earth_is_a_zone() -> None:
    plan = plan_after(created(window=window(utc(2027, 1, 1), utc(2027, 1, 2), "Anywhere on Earth")))
    assert len(given(plan).when(sealing()).events or ()) == 1


def test_an_approver_who_wrote_the_plan_does_not_count() -> None:
    plan = plan_after(created(approval=approval("user:olivia", "user:ana", needed=2)))
    assert faults(plan) == {"/approval/levels/0/rules/0/needed": "approvers_too_few"}


def test_a_group_counts_its_members() -> None:
    plan = plan_after(created(approval=approval("group:sre", needed=2)))
    assert len(given(plan).when(sealing()).events or ()) == 1
    assert faults(plan_after(created(approval=approval("group:sre", needed=3)))) == {
        "/approval/levels/0/rules/0/needed": "approvers_too_few"
    }


DEFINITION = WorkflowDefinition(
    project="web",
    name="deploy",
    inputs=(WorkflowInput(name="version"), WorkflowInput(name="key", credential=True)),
    stages=(Stage(name="s", steps=(ScriptStep(name="t", script="true"),)),),
)
RESOLVED = e.ResolvedWorkflow(project="web", workflow="deploy", revision=2, digest="ab" * 32)


def with_workflow(**inputs: str) -> tuple[Plan, Known]:
    plan = plan_after(created(items=(workflow_item(inputs=inputs),)))
    known = Known(people=PEOPLE, zones=ZONES, workflows={"deploy": RESOLVED}, definitions={"deploy": DEFINITION})
    return plan, known


def test_the_seal_takes_the_workflow_revision_that_will_run() -> None:
    plan, known = with_workflow(version="1", key="secret:deploy-key")
    events = given(plan).when(sealing(known)).events
    assert events is not None
    assert isinstance(events[0], e.PlanSealed)
    assert events[0].workflows == {"deploy": RESOLVED}


def test_inputs_are_checked_against_the_workflow() -> None:
    assert faults(*with_workflow(verison="1", key="hunter2")) == {
        "/items/0/spec/inputs/verison": "unknown_input",
        "/items/0/spec/inputs/key": "credential_in_clear",
        "/items/0/spec/inputs/version": "input_missing",
    }


def test_reopening_a_draft_is_already_so() -> None:
    given(DRAFT).when(doing(ReopenPlan(plan=PLAN))).then_nothing()


def test_a_plan_that_ended_with_success_is_final() -> None:
    ended = plan_after(created(), SEAL, e.PlanSucceeded())
    given(ended).when(doing(ReopenPlan(plan=PLAN))).refused("final")
    given(ended).when(doing(CancelPlan(plan=PLAN, reason="no"))).refused("final")


def test_a_draft_can_be_cancelled_and_needs_a_reason() -> None:
    given(DRAFT).when(doing(CancelPlan(plan=PLAN, reason=" "))).refused("reason_required")
    given(DRAFT).when(doing(CancelPlan(plan=PLAN, reason="no"))).then(e.PlanCancelled(reason="no"))


def test_cancelling_again_is_already_so() -> None:
    cancelled = plan_after(created(), e.PlanCancelled(reason="no"))
    given(cancelled).when(doing(CancelPlan(plan=PLAN, reason="still no"))).then_nothing()


@pytest.mark.parametrize("command", [EditPlan(plan=PLAN, changes=Changes()), SealPlan(plan=PLAN)])
def test_a_plan_that_does_not_exist_is_not_found(command: Command) -> None:
    given(None).when(doing(command)).refused("plan_not_found")


def test_ten_thousand_items_in_a_chain_are_checked() -> None:
    items = tuple(Item(id=f"i{i}", name="x", spec=TextSpec(), needs=(f"i{i - 1}",) if i else ()) for i in range(10_000))
    plan = plan_after(created(items=items))
    assert isinstance((given(plan).when(sealing()).events or ())[-1], e.PlanSealed)
