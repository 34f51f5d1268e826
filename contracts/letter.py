"""Letters about an approval round: the events of a `letter-<id>` stream, one stream for each round of a plan.

A letter is one (plan, round, person, kind): it is written once, and its Message-ID follows from these four, so that a
repetition after a crash is known as one. Written is the intent, attempted says who is at it, sent or failed is the
outcome. An address never stands here: it is looked up when the letter goes out, and can be forgotten.
"""

import hashlib
from typing import Literal

from contracts.plan_events import Event

LetterKind = Literal["asked", "delegated", "reminder", "approved", "denied", "expired", "review_owed"]
"""Please vote; please vote in the place of who delegated it; please vote, the deadline is near; how it ended (for the
owners); an emergency approval owes a review."""

LetterError = Literal["connection", "timeout", "tls", "login", "sender", "recipient", "refused", "interrupted", "other"]
"""Nobody answered; not in time; no trusted connection; our login, our sender, the recipient's address or the letter was
refused; the process ended before the outcome was known; anything else."""


class LetterWritten(Event, frozen=True, gc=False):
    """Intent: this letter is due. What it says follows from the plan's facts up to `plan_version`."""

    plan: str
    round: int
    person: str
    kind: LetterKind
    plan_version: int


class LetterAttempted(Event, frozen=True, gc=False):
    """Somebody is at it. Without an outcome by `until` (Unix microseconds) they are gone, and it is tried again."""

    person: str
    kind: LetterKind
    attempt: int
    until: int


class LetterSent(Event, frozen=True, gc=False):
    """The mail server has taken it."""

    person: str
    kind: LetterKind
    attempt: int


class LetterFailed(Event, frozen=True, gc=False):
    """`next_at` (Unix microseconds) is when it is tried again; 0: it is not, and `letter.given_up.v1` follows."""

    person: str
    kind: LetterKind
    attempt: int
    error: LetterError
    detail: str = ""
    next_at: int = 0


class LetterGivenUp(Event, frozen=True, gc=False):
    """It will not be sent: why."""

    person: str
    kind: LetterKind
    reason: str


class LetterResent(Event, frozen=True, gc=False):
    """Somebody asks for a letter that was given up: it is tried again, with a new budget."""

    person: str
    kind: LetterKind


EVENTS: dict[str, type[Event]] = {
    "letter.written.v1": LetterWritten,
    "letter.attempted.v1": LetterAttempted,
    "letter.sent.v1": LetterSent,
    "letter.failed.v1": LetterFailed,
    "letter.given_up.v1": LetterGivenUp,
    "letter.resent.v1": LetterResent,
}
OWNERS: dict[str, tuple[str, ...]] = {"approval": tuple(EVENTS)}


def letter_stream(plan: str, number: int) -> str:
    """The stream of the letters about this round."""
    return f"letter-{_digest('letters', plan, str(number))}"


def message_id(plan: str, number: int, person: str, kind: LetterKind, domain: str) -> str:
    """The Message-ID (RFC 5322) of a letter: the same at every attempt."""
    return f"<{_digest('letter', plan, str(number), person, kind)}@{domain}>"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:24]
