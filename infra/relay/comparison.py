"""Is the mirror the log? And where it is not: does it prove that the log was restored from a backup?

A proof is an event that stands in the mirror under the log's own epoch, with its leaf hash, and is not in the log. That can
only be a log that lost it, because a relay publishes nothing but what it has read in the log, after the commit:

* A mirror of another installation has another epoch: epochs are random, and no two databases make the same one. A copy of a
  database has the same epoch until it differs, and then it is another history and a new epoch is right for it.
* What others put into the stream has no id made of this epoch and this position, so it proves nothing.
* A log that only seems short (an old snapshot, a replica that is behind) is no restored one. The mirror is asked before the
  log, so a reader of the primary cannot be behind it; and the proof is looked at once more in the database, where it writes.
"""

from collections.abc import Sequence
from itertools import zip_longest
from typing import NamedTuple

from contracts.envelope import Position
from infra.bus.mirror import MirrorState
from infra.eventlog import Head


class Proof(NamedTuple):
    """An event that was published under the log's epoch and that the log does not have."""

    position: Position
    leaf: bytes


class Verdict(NamedTuple):
    """Why the mirror is not the log, `None` where it is; and what proves that the log was restored, if anything does."""

    reason: str | None
    proof: Proof | None = None


def compare(state: MirrorState, head: Head, first: Position, ours: Sequence[bytes], theirs: Sequence[bytes]) -> Verdict:
    """`ours` and `theirs` are the leaf hashes from position `first` on, as far as the log has any and up to `state.last`.

    Where the mirror has no event of this epoch, its leaf hash is empty.
    """
    if state.epoch != head.epoch:
        return Verdict("it is of another epoch")
    proof = None
    for position, (our, their) in enumerate(zip_longest(ours, theirs, fillvalue=b""), first):
        if their and their != our:
            proof = Proof(position, their)
    if not state.whole:
        return Verdict("messages are missing from it", proof)
    if state.last > head.position:
        return Verdict("it is ahead of the log", proof)
    if list(ours) != list(theirs):
        return Verdict("its last messages are not the log's events", proof)
    return Verdict(None)
