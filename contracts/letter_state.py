"""How the letters about a round stand: the fold of their stream. Times are Unix microseconds, 0 for "not yet"."""

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec
from msgspec.structs import replace

from contracts import letter as e
from contracts.envelope import Fact
from contracts.plan_events import Event
from contracts.registry import DECODERS

LetterState = Literal["written", "sending", "retrying", "sent", "given_up"]


class Letter(msgspec.Struct, frozen=True):
    """One letter. `tries` counts the attempts since it was written or asked for again.

    `next_at` is when there may be something to do: the next try, or the end of an attempt's time.
    """

    person: str
    kind: e.LetterKind
    plan_version: int
    written_at: int
    state: LetterState = "written"
    attempts: int = 0
    tries: int = 0
    next_at: int = 0
    error: str = ""
    ended_at: int = 0

    @property
    def key(self) -> tuple[str, e.LetterKind]:
        return self.person, self.kind

    @property
    def ended(self) -> bool:
        return self.state in {"sent", "given_up"}


class Letters(msgspec.Struct, frozen=True):
    """All letters about one round of a plan."""

    plan: str
    round: int
    version: int = 0
    letters: Mapping[tuple[str, e.LetterKind], Letter] = {}


def fold_letters(facts: Iterable[Fact], letters: Letters | None = None) -> Letters | None:
    """The letters after these facts of their stream."""
    for fact in facts:
        event = DECODERS[fact.type](fact.payload) if fact.type in DECODERS else None
        if letters is None:
            if not isinstance(event, e.LetterWritten):
                continue
            letters = Letters(event.plan, event.round)
        changed = _after(letters, event, fact)
        kept = letters.letters if changed is None else {**letters.letters, changed.key: changed}
        letters = replace(letters, letters=kept, version=fact.version)
    return letters


def _after(letters: Letters, event: Event | None, fact: Fact) -> Letter | None:
    if isinstance(event, e.LetterWritten):
        return Letter(event.person, event.kind, event.plan_version, fact.at)
    if not isinstance(event, e.LetterAttempted | e.LetterSent | e.LetterFailed | e.LetterGivenUp | e.LetterResent):
        return None
    letter = letters.letters.get((event.person, event.kind))
    if letter is None:
        return None
    match event:
        case e.LetterAttempted():
            return replace(letter, state="sending", attempts=event.attempt, tries=letter.tries + 1, next_at=event.until)
        case e.LetterSent():
            return replace(letter, state="sent", next_at=0, error="", ended_at=fact.at)
        case e.LetterFailed():
            error = f"{event.error}: {event.detail}" if event.detail else event.error
            return replace(letter, state="retrying", next_at=event.next_at, error=error)
        case e.LetterResent():
            return replace(letter, state="written", tries=0, next_at=0, error="", ended_at=0)
        case e.LetterGivenUp():
            return replace(letter, state="given_up", next_at=0, error=event.reason, ended_at=fact.at)
