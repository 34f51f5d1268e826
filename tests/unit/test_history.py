"""When a database shows another log than the one that a process knows."""

import pytest

from infra.eventlog.history import Known, difference

LEAF, OTHER = b"l" * 32, b"o" * 32
KNOWN = Known("one", 1000, 990, LEAF)


def test_who_knows_nothing_yet_takes_any_log() -> None:
    assert difference(Known(), "two", 5, None) is None


@pytest.mark.parametrize("end", [1000, 1001, 5000])
def test_a_log_that_has_all_that_was_seen_is_the_same(end: int) -> None:
    assert difference(KNOWN, "one", end, LEAF) is None
    assert difference(Known("one"), "one", 0, None) is None


@pytest.mark.parametrize(
    ("epoch", "end", "leaf", "said"),
    [
        ("one", 999, LEAF, "ends at position 999, and 1000 was seen"),
        ("one", 900, None, "ends at position 900"),
        ("one", 1000, OTHER, "event 990 is not the one"),
        ("two", 1000, LEAF, "its epoch is two"),
    ],
)
def test_a_log_that_is_shorter_or_other_or_has_another_epoch_is_another(
    epoch: str, end: int, leaf: bytes | None, said: str
) -> None:
    assert said in str(difference(KNOWN, epoch, end, leaf))


def test_a_log_of_which_no_event_was_read_is_told_by_its_end_and_epoch() -> None:
    assert difference(Known("one", 7), "one", 7, None) is None
    assert difference(Known("one", 7), "one", 6, None) is not None
    assert difference(Known("one"), "two", 0, None) is not None
