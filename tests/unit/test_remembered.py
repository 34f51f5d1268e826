"""What is remembered of many streams, and what makes room."""

import pytest

from infra import remembered
from infra.remembered import Remembered


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MOST_ITEMS", 10)


def kept(states: Remembered[str]) -> str:
    return "".join(one for one in "abcdef" if states.get(one) is not None)


def test_of_too_many_those_stay_that_were_kept_last() -> None:
    states = Remembered[str](3)
    for one in "abcad":
        states.keep(one, one)
    assert kept(states) == "acd"


def test_heavy_states_leave_room_for_fewer() -> None:
    states = Remembered[str](100, len)
    for one in "abc":
        states.keep(one, "xxxx")
    assert kept(states) == "bc"
    states.keep("b", "x")
    states.keep("d", "xxxxx")
    assert kept(states) == "bcd"


def test_one_that_is_too_heavy_by_itself_stays_alone() -> None:
    states = Remembered[str](100, len)
    for one, state in (("a", "x"), ("b", "x" * 50), ("c", "x")):
        states.keep(one, state)
    assert kept(states) == "c"
    states.keep("b", "x" * 50)
    assert kept(states) == "b"


def test_what_is_forgotten_weighs_nothing_and_may_be_forgotten_again() -> None:
    states = Remembered[str](100, len)
    states.keep("a", "x" * 8)
    states.forget("a")
    states.forget("a")
    states.keep("b", "x" * 5)
    states.keep("c", "x" * 5)
    assert kept(states) == "bc"
