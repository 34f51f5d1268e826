"""The faults of planning that the reference system is known for, one by one, as things that ours does not do.

The numbers are those of the list of its shortcomings; what others of its parts do wrong is tested with those parts.
"""

from typing import Any, get_args

import msgspec
import pytest

from contracts import plan_events as e
from contracts.commands import Actor, CancelPlan, CopyPlan, EditPlan, SealPlan
from contracts.edit_commands import PutItem, RemoveItem, ReorderItems, RestorePlan
from contracts.http import NewPlan
from contracts.merging import merged
from contracts.plan import FINAL, Plan, Status
from contracts.seal import seal_of
from contracts.values import Changes, Content, Schedule
from services.planner.decider import Command, Known, decide
from tests.support.builders import (
    ADA,
    ANA,
    MALLORY,
    NOON,
    OLIVIA,
    PLAN,
    approval,
    content,
    created,
    plan_after,
    text_item,
    then,
    utc,
    window,
)
from tests.support.spec import given

KNOWN = Known(people=frozenset({"user:olivia", "user:ana"}), zones=frozenset({"UTC"}))
DRAFT = plan_after(created(items=(text_item("a"), text_item("b"))))


def doing(command: Command, actor: Actor = OLIVIA, known: Known = KNOWN) -> Any:
    return lambda plan: decide(plan, command, actor, NOON, known)


def with_status(status: Status) -> Plan:
    return msgspec.structs.replace(DRAFT, status=status)


def test_1_an_approval_does_not_survive_an_edit() -> None:
    asked = approval("user:ana")
    seal = seal_of(content(approval=asked), {})
    plan = plan_after(
        created(approval=asked),
        seal,
        e.PlanSubmitted(round=1, seal=seal.seal),
        (e.VoteCast(round=1, seal=seal.seal, vote="approve"), ANA),
        e.PlanApproved(round=1, seal=seal.seal),
    )
    assert plan.approved
    edited = content(approval=asked, items=(text_item("other"),))
    plan = then(plan, [e.PlanReopened(), e.PlanEdited(changes=Changes(items=edited.items)), seal_of(edited, {})])
    assert not plan.approved


@pytest.mark.parametrize(
    "field", ["status", "seal", "times", "version", "created_by", "votes", "instance_code", "approval_status"]
)
def test_2_what_the_system_decides_cannot_be_sent_along(field: str) -> None:
    for kind in (NewPlan, Changes, Content):
        body = {"project": "web", "name": "x", field: "passed"} if kind is NewPlan else {"name": "x", field: "passed"}
        with pytest.raises(msgspec.ValidationError, match="unknown field"):
            msgspec.convert(body, kind)


def test_2_an_approval_s_result_cannot_be_sent_along() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({"approval": {"levels": [], "status": "passed"}}, Changes)


@pytest.mark.parametrize("status", [status for status in get_args(Status) if status != "planning"])
@pytest.mark.parametrize(
    "command",
    [
        EditPlan(plan=PLAN, changes=Changes(name="x")),
        PutItem(plan=PLAN, item=text_item("c")),
        RemoveItem(plan=PLAN, item="a"),
        ReorderItems(plan=PLAN, items=("b", "a")),
        RestorePlan(plan=PLAN, version=1),
        SealPlan(plan=PLAN),
    ],
    ids=lambda command: type(command).__name__,
)
def test_6_no_edit_brings_a_plan_back_to_planning_or_touches_it_elsewhere(command: Command, status: Status) -> None:
    refused = given(with_status(status)).when(doing(command, ADA)).refused("not_planning")
    assert refused.facts["status"] == status


def test_10_an_order_that_leaves_an_item_out_is_refused_and_one_that_doubles_it_as_well() -> None:
    for items in (("a",), ("a", "a"), ("a", "b", "b"), ()):
        given(DRAFT).when(doing(ReorderItems(plan=PLAN, items=items))).refused("order_incomplete")


def test_11_a_schedule_outside_a_window_that_was_changed_later_is_found() -> None:
    plan = plan_after(
        created(window=window(utc(2027, 1, 1), utc(2027, 1, 3)), schedule=Schedule(at=utc(2027, 1, 2))),
        e.PlanEdited(changes=Changes(window=window(utc(2027, 2, 1), utc(2027, 2, 3)))),
    )
    refused = given(plan).when(doing(SealPlan(plan=PLAN))).refused("not_sealable")
    assert [fault.code for fault in refused.faults] == ["schedule_outside_window"]


def test_11_a_schedule_or_window_in_the_past_is_found_before_anything_is_approved() -> None:
    plan = plan_after(created(window=window(utc(2020, 1, 1), utc(2020, 1, 3)), schedule=Schedule(at=utc(2020, 1, 2))))
    refused = given(plan).when(doing(SealPlan(plan=PLAN))).refused("not_sealable")
    assert {fault.code for fault in refused.faults} == {"window_past", "schedule_past"}


def test_13_of_two_people_who_save_the_same_nobody_overwrites_without_a_word() -> None:
    theirs = content(description="theirs")
    for sent in (Changes(description="yours"), Changes(description="yours", name="x")):
        assert merged(content(), theirs, sent.named())[1]


def test_20_who_wrote_what_is_kept_by_id_and_not_by_a_name_that_changes() -> None:
    plan = then(DRAFT, [e.PlanEdited(changes=Changes(name="x"))], ANA)
    assert (plan.created_by, plan.updated_by) == ("user:olivia", "user:ana")
    assert plan.editors == {"user:olivia", "user:ana"}


def test_a_draft_can_be_cancelled_and_so_can_a_plan_that_was_sealed() -> None:
    for status in get_args(Status):
        if status not in FINAL:
            outcome = given(with_status(status)).when(doing(CancelPlan(plan=PLAN, reason="no")))
            outcome.then(e.PlanCancelled(reason="no"))


def test_a_copy_takes_no_times_no_approval_and_no_progress_along() -> None:
    seal = seal_of(content(), {})
    origin = plan_after(created(window=window(utc(2020, 1, 1), utc(2020, 1, 3))), seal, e.PlanSucceeded())
    events = given(None).when(doing(CopyPlan(plan="a" * 24, origin=PLAN), known=Known(origin=origin))).events
    copy = plan_after(*(events or ()))
    assert (copy.status, copy.seal, copy.content.window, copy.items) == ("planning", None, None, {})


def test_an_owner_who_does_not_exist_is_found_also_on_items() -> None:
    plan = plan_after(created(owner=("user:olivia", "group:gone"), items=(text_item("a", owner=("user:gone",)),)))
    refused = given(plan).when(doing(SealPlan(plan=PLAN))).refused("not_sealable")
    assert [(fault.path, fault.code) for fault in refused.faults] == [
        ("/owner/1", "unknown_person"),
        ("/items/0/owner/0", "unknown_person"),
    ]


def test_nobody_but_owners_of_plan_and_items_and_administrators_edits() -> None:
    plan = plan_after(created(items=(text_item("a", owner=("group:sre",)),)))
    edit = EditPlan(plan=PLAN, changes=Changes(name="x"))
    given(plan).when(doing(edit, MALLORY)).refused("forbidden")
    for actor in (OLIVIA, ANA, ADA):
        given(plan).when(doing(edit, actor)).then(e.PlanEdited(changes=Changes(name="x")))
