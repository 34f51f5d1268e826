"""Patterns over event types, and which texts are none."""

import pytest

from contracts.hook_patterns import asks_for, is_pattern, matches


@pytest.mark.parametrize(
    ("pattern", "type_name", "wanted"),
    [
        ("plan.*", "plan.sealed.v1", True),
        ("plan.*", "plan.vote_cast.v12", True),
        ("plan.*", "item.finished.v1", False),
        ("item.finished", "item.finished.v2", True),
        ("item.finished.v1", "item.finished.v1", True),
        ("item.finished.v1", "item.finished.v2", False),
        ("gate.>", "gate.opened.v1", True),
        ("gate.>", "gate", False),
        (">", "run.finished.v1", True),
        ("*", "plan.sealed.v1", False),
        ("*.*", "plan.sealed.v1", True),
        ("*.*.v1", "plan.sealed.v1", True),
        ("*.*.v2", "plan.sealed.v1", False),
        ("plan", "plan.sealed.v1", False),
        ("finish_planning", "finish_planning", False),
    ],
)
def test_a_pattern_asks_for_an_event_or_not(pattern: str, type_name: str, wanted: bool) -> None:
    assert matches(pattern, type_name) is wanted
    assert asks_for(["nothing.here", pattern], type_name) is wanted


@pytest.mark.parametrize("text", ["plan.*", ">", "*", "gate.>", "item.sub_step_ticked.v1", "*.*.v1"])
def test_these_are_patterns(text: str) -> None:
    assert is_pattern(text)


@pytest.mark.parametrize(
    "text", ["", ".", "plan.", ".plan", "plan..x", "gate.>.x", "pl*", "Plan.x", "a b", "plan.\n", "x" * 101]
)
def test_these_are_none(text: str) -> None:
    assert not is_pattern(text)


def test_a_hook_of_the_reference_is_asked_for_by_its_name_alone() -> None:
    assert not is_pattern("start_execute")
