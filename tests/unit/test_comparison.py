"""When the mirror is the log, and when it proves that the log was restored."""

import pytest

from infra.bus.mirror import MirrorState
from infra.eventlog import Head
from infra.relay.comparison import Proof, Verdict, compare

A, B, C, OTHER, NONE = b"a" * 32, b"b" * 32, b"c" * 32, b"o" * 32, b""


def mirror(last: int, epoch: str = "one", *, whole: bool = True) -> MirrorState:
    return MirrorState(epoch, last, whole)


def log(position: int) -> Head:
    return Head(position, "one", 0)


def test_a_mirror_with_the_same_last_events_is_the_log_however_far_the_log_went_on() -> None:
    assert compare(mirror(3), log(9), 1, [A, B, C], [A, B, C]) == Verdict(None)
    assert compare(mirror(0), log(9), 1, [], []) == Verdict(None)


@pytest.mark.parametrize(
    ("position", "ours", "theirs", "proof"),
    [
        (2, [A, B], [A, B, C], Proof(3, C)),
        (1, [], [B, C], Proof(3, C)),
        (9, [A, B, OTHER], [A, B, C], Proof(3, C)),
        (9, [A, OTHER, C], [A, B, C], Proof(2, B)),
    ],
)
def test_an_event_of_our_epoch_that_the_log_has_not_proves_that_it_was_restored(
    position: int, ours: list[bytes], theirs: list[bytes], proof: Proof
) -> None:
    found = compare(mirror(3), log(position), 4 - len(theirs), ours, theirs)
    assert found.reason is not None
    assert found.proof == proof


def test_a_cut_mirror_proves_it_as_well() -> None:
    assert compare(mirror(3, whole=False), log(2), 2, [B], [NONE, C]).proof == Proof(3, C)


def test_a_message_that_is_no_event_of_our_epoch_proves_nothing() -> None:
    assert compare(mirror(3), log(2), 1, [A, B], [A, B, NONE]) == Verdict("it is ahead of the log")
    found = compare(mirror(3), log(3), 1, [A, B, C], [A, B, NONE])
    assert found == Verdict("its last messages are not the log's events")
    assert compare(mirror(3, whole=False), log(9), 1, [A, B, C], [A, NONE, C]).proof is None


def test_a_mirror_of_another_epoch_proves_nothing_about_this_log() -> None:
    assert compare(mirror(3, "two"), log(2), 1, [], []) == Verdict("it is of another epoch")
