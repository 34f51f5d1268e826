"""Sealing asks whether the approvers can approve: each person once, over all levels, as votes are counted later."""

from typing import Any

import pytest
from msgspec.structs import replace

from contracts.commands import SealPlan
from contracts.values import Approval, ApprovalLevel, ApprovalRule
from services.planner.decider import Known, decide
from tests.support.builders import NOON, OLIVIA, PLAN, approval, created, plan_after
from tests.support.spec import given

PEOPLE = frozenset({"user:olivia", "user:ana", "user:ben", "user:cat", "group:sre"})
KNOWN = Known(people=PEOPLE, members={"group:sre": frozenset({"user:ana", "user:ben"})})


def rule(*approvers: str, needed: int = 1, **more: Any) -> ApprovalRule:
    return ApprovalRule(approvers=approvers, needed=needed, **more)


def levels(*rules: tuple[ApprovalRule, ...]) -> Approval:
    return Approval(levels=tuple(ApprovalLevel(rules=one) for one in rules))


def faults(asked: Approval, known: Known = KNOWN) -> dict[str, str]:
    plan = plan_after(created(approval=asked))
    outcome = given(plan).when(lambda p: decide(p, SealPlan(plan=PLAN), OLIVIA, NOON, known))
    return {one.path: one.code for one in outcome.refusal.faults} if outcome.refusal else {}


def test_a_rule_that_can_be_met_is_sealed() -> None:
    assert faults(levels((rule("group:sre", needed=2),), (rule("user:cat"),))) == {}


def test_rules_of_a_level_that_need_the_same_person_are_told_although_there_are_enough_people() -> None:
    asked = levels((rule("user:ana"), rule("user:ana"), rule("user:ben", "user:cat")))
    assert faults(asked) == {"/approval/levels/0": "approvers_too_few"}


def test_levels_that_need_the_same_person_are_told_before_anybody_waits_for_ever() -> None:
    assert faults(levels((rule("user:ana"),), (rule("user:ana"),))) == {"/approval/levels": "approvers_too_few"}


def test_two_identities_of_one_person_are_one_approver() -> None:
    linked = replace(KNOWN, persons={"user:ben": "user:ana"})
    assert faults(approval("group:sre", needed=2), linked) == {"/approval/levels/0/rules/0/needed": "approvers_too_few"}


def test_the_owner_under_another_name_is_no_approver() -> None:
    linked = replace(KNOWN, persons={"user:ana": "user:olivia"})
    assert faults(approval("user:ana"), linked) == {"/approval/levels/0/rules/0/needed": "approvers_too_few"}


@pytest.mark.parametrize(
    ("asked", "path", "code"),
    [
        (
            approval("user:ana", remind_before_seconds=60),
            "/approval/remind_before_seconds",
            "reminder_without_deadline",
        ),
        (
            approval("user:ana", remind_before_seconds=60, deadline_seconds=60),
            "/approval/remind_before_seconds",
            "reminder_too_early",
        ),
        (levels((rule("user:ana", signs=("items",)),)), "/approval/levels/0/rules/0/signs", "signs_without_keeping"),
    ],
)
def test_rules_that_would_not_mean_what_they_say_are_told(asked: Approval, path: str, code: str) -> None:
    assert faults(asked) == {path: code}


def test_everything_that_is_wrong_with_the_approvers_is_told_at_once() -> None:
    asked = replace(
        levels((rule("user:nobody"), rule("group:sre", needed=9)), (rule("user:olivia"),)), remind_before_seconds=1
    )
    assert faults(asked) == {
        "/approval/levels/0/rules/0/approvers/0": "unknown_person",
        "/approval/levels/0/rules/0/needed": "approvers_too_few",
        "/approval/levels/0/rules/1/needed": "approvers_too_few",
        "/approval/levels/1/rules/0/needed": "approvers_too_few",
        "/approval/remind_before_seconds": "reminder_without_deadline",
    }
