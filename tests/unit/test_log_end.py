"""Where the end of a log is sound enough to go on."""

import msgspec

from contracts.envelope import Fact, leaf_hash
from infra.eventlog import Head
from infra.eventlog.restored import faults_at_end


def fact(position: int) -> Fact:
    made = Fact(position, "plan-0a", position, "plan.created.v1", 1, 7, "a", "c", "k", 0, None, "", b"{}", b"")
    return msgspec.structs.replace(made, leaf=leaf_hash(made))


def head(position: int, recorded_at: int = 7) -> Head:
    return Head(position, "one", recorded_at)


def test_a_whole_end_and_an_empty_log_are_sound() -> None:
    assert faults_at_end(head(3), [fact(2), fact(3)], []) == []
    assert faults_at_end(head(0, 0), [], []) == []


def test_each_fault_at_the_end_is_named() -> None:
    assert "event 4 is beyond the head" in faults_at_end(head(3), [fact(3)], [fact(4)])[0]
    assert "missing before position 3" in faults_at_end(head(3), [fact(2)], [])[0]
    assert "missing before position 3" in faults_at_end(head(3), [fact(1), fact(3)], [])[0]
    assert "missing before position 3" in faults_at_end(head(3), [], [])[0]
    assert "time" in faults_at_end(head(3, 8), [fact(3)], [])[0]
    wrong = msgspec.structs.replace(fact(3), leaf=b"x" * 32)
    assert "leaf hash of event 3" in faults_at_end(head(3), [fact(2), wrong], [])[0]
