"""Plans that a freeze holds are remembered as long as it does, so that what is remembered has a bound."""

import pytest

from contracts.envelope import Fact
from contracts.registry import EVENTS
from services.executor.handlers.held import OVER, HeldPlans


def fact(type_: str, stream: str = "plan-a", position: int = 1) -> Fact:
    return Fact(position, stream, position, type_, 0, 0, "service:executor", "system", "k", 0, None, "", b"{}", b"")


@pytest.mark.parametrize("ended", sorted(OVER))
def test_a_plan_that_is_held_no_more_is_forgotten_and_the_others_are_not(ended: str) -> None:
    held = HeldPlans()
    held.observe([fact("plan.held.v1"), fact("plan.held.v1", "plan-b"), fact("plan.edited.v1"), fact(ended)])
    assert held.take() == {"plan-b"}
    assert len(held) == 0


def test_what_ends_a_hold_are_known_types() -> None:
    assert set(EVENTS) >= OVER


def test_one_that_is_held_again_is_remembered_again() -> None:
    held = HeldPlans()
    held.observe([fact("plan.held.v1"), fact("plan.reopened.v1"), fact("plan.held.v1")])
    held.observe([fact("item.completed.v1")])
    assert held.take() == {"plan-a"}
