"""What sealing would say is what sealing says."""

import pytest

from contracts.commands import SealPlan
from contracts.plan_events import PlanSealed
from contracts.refusals import Refused
from contracts.seal import seal_of
from contracts.values import Item
from services.planner.decider import Known, decide
from services.planner.decider.foreseeing import check_seal
from tests.support.builders import MALLORY, NOON, OLIVIA, PLAN, approval, content, created, plan_after, text_item

KNOWN = Known(people=frozenset({"user:olivia", "user:ana"}))


def test_the_seal_that_is_foreseen_is_the_one_that_is_made() -> None:
    plan = plan_after(created())
    check = check_seal(plan, PLAN, OLIVIA, NOON, KNOWN)
    [sealed] = decide(plan, SealPlan(plan=PLAN), OLIVIA, NOON, KNOWN)
    assert isinstance(sealed, PlanSealed)
    assert check.sealable
    assert (check.seal, check.sections, check.items) == (sealed.seal, sealed.sections, sealed.items)


@pytest.mark.parametrize(
    "items", [(), (text_item("a", needs=("b", "c")), text_item("b", needs=("a",), owner=("user:nobody",)))]
)
def test_the_faults_that_are_foreseen_are_those_of_the_refusal(items: tuple[Item, ...]) -> None:
    plan = plan_after(created(items=items, approval=approval("user:ana", "group:none", needed=3)))
    with pytest.raises(Refused) as refused:
        decide(plan, SealPlan(plan=PLAN), OLIVIA, NOON, KNOWN)
    check = check_seal(plan, PLAN, OLIVIA, NOON, KNOWN)
    assert (check.sealable, check.code, check.seal) == (False, "not_sealable", "")
    assert check.faults == refused.value.faults


def test_who_may_not_seal_is_told_so_and_sees_the_faults_all_the_same() -> None:
    check = check_seal(plan_after(created(items=())), PLAN, MALLORY, NOON, KNOWN)
    assert (check.sealable, check.code) == (False, "forbidden")
    assert [fault.path for fault in check.faults] == ["/items"]


def test_a_plan_that_is_sealed_says_that_it_is_not_being_planned() -> None:
    check = check_seal(plan_after(created(), seal_of(content(), {})), PLAN, OLIVIA, NOON, KNOWN)
    assert (check.sealable, check.code) == (False, "not_planning")


def test_there_is_no_answer_about_a_plan_that_is_not_there() -> None:
    with pytest.raises(Refused, match="plan_not_found"):
        check_seal(None, PLAN, OLIVIA, NOON, KNOWN)
