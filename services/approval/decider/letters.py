"""Which letters are due about a round, which is tried next, and what comes of an attempt.

Pure. A letter is due once per person and kind. One that nobody needs any more (the round is over, the person has voted)
is given up, visibly, instead of sent.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from contracts.commands import Actor
from contracts.letter import (
    LetterAttempted,
    LetterError,
    LetterFailed,
    LetterGivenUp,
    LetterKind,
    LetterResent,
    LetterSent,
    LetterWritten,
)
from contracts.letter_state import Letter, Letters
from contracts.plan import Plan
from contracts.plan_events import Event
from contracts.rights import demand_mover, owners
from contracts.slots import counted, standing
from services.approval.decider.known import Known, separated_by

_SECOND = 1_000_000
TOO_LATE_SECONDS = 86_400
"""Nobody is told of a decision that is older: when letters are switched on, the past stays quiet."""

_DECIDED: Mapping[str, LetterKind] = {"passed": "approved", "denied": "denied", "expired": "expired"}

Due = tuple[str, LetterKind]


class Patience(msgspec.Struct, frozen=True):
    """Pauses between the tries, in seconds. When they are used up, the letter is given up."""

    schedule_seconds: tuple[float, ...] = (60, 300, 1_800, 7_200, 21_600)
    attempt_seconds: float = 120


class Handed(msgspec.Struct, frozen=True):
    """What came of handing a letter to the mail server. No error: it was taken. `final`: trying again is useless."""

    error: LetterError | None = None
    detail: str = ""
    final: bool = False


def due_letters(plan: Plan, known: Known, now: int) -> tuple[Due, ...]:
    """Who is to get which letter about the newest round."""
    return tuple(dict.fromkeys(_due(plan, known, now)))


def _due(plan: Plan, known: Known, now: int) -> Iterator[Due]:
    round_ = plan.approval
    if round_.state == "open":
        for person in _asked(plan, known):
            yield person, "asked"
            yield from ((one, "delegated") for one in _delegates(plan, person, known, now))
            if round_.reminded_at:
                yield person, "reminder"
    kind = _DECIDED.get(round_.state)
    if kind is None or now - round_.decided_at > TOO_LATE_SECONDS * _SECOND:
        return
    for person in _people(owners(plan), known):
        yield person, kind
    debt = next((one for one in plan.emergencies if one.round == round_.round and one.owed), None)
    if debt is not None:
        rules = (rule for level in plan.content.approval.levels for rule in level.rules)
        for person in _people((ref for rule in rules for ref in rule.approvers), known):
            if not known.same(person, debt.by) and not separated_by(plan, person, (), known):
                yield person, "review_owed"


def _asked(plan: Plan, known: Known) -> Iterator[str]:
    """Those who are asked now and may vote, one identity of each person."""
    voted = {known.person(name) for vote in counted(plan) for name in (vote.by, vote.fills_for)}
    for person in _people(standing(plan).asked, known):
        if known.person(person) not in voted and not separated_by(plan, person, (), known):
            yield person


def _delegates(plan: Plan, person: str, known: Known, now: int) -> Iterator[str]:
    """Those who may vote in this person's place now."""
    for one in (*plan.delegations, *known.delegations):
        if known.same(one.by, person) and one.until > now and not separated_by(plan, one.to, (), known):
            yield one.to


def _people(refs: Iterable[str], known: Known) -> Iterator[str]:
    """Groups by their members; of a person with several identities the first."""
    named = sorted({one for ref in refs for one in known.members.get(ref, frozenset({ref}))})
    seen: set[str] = set()
    for one in named:
        person = known.person(one)
        if one.startswith("user:") and person not in seen:
            seen.add(person)
            yield one


def write(letters: Letters | None, plan: Plan, due: Iterable[Due]) -> tuple[Event, ...]:
    """The letters that are due and not written yet."""
    written = letters.letters if letters else {}
    return tuple(
        LetterWritten(plan=plan.id, round=plan.approval.round, person=person, kind=kind, plan_version=plan.version)
        for person, kind in due
        if (person, kind) not in written
    )


def ready(letters: Letters, now: int, limit: int) -> tuple[Letter, ...]:
    """The letters to be tried now."""
    tried = (one for one in letters.letters.values() if one.state in {"written", "retrying"} and one.next_at <= now)
    return tuple(tried)[:limit]


def wakes_at(letters: Letters) -> int:
    """When there may be something to do about these letters; 0: never, they have all ended."""
    return min((one.next_at for one in letters.letters.values() if not one.ended), default=0)


def attempt(letters: Iterable[Letter], now: int, patience: Patience) -> tuple[Event, ...]:
    """The intent of trying these."""
    until = now + int(patience.attempt_seconds * _SECOND)
    return tuple(
        LetterAttempted(person=one.person, kind=one.kind, attempt=one.attempts + 1, until=until) for one in letters
    )


def useless(letter: Letter, letters: Letters, plan: Plan, known: Known) -> str:
    """Why nobody needs this letter any more; "" when somebody does."""
    if letter.kind not in {"asked", "delegated", "reminder"}:
        return ""
    if plan.approval.round != letters.round or plan.approval.state != "open":
        return "the round is over"
    voted = any(known.same(name, letter.person) for vote in counted(plan) for name in (vote.by, vote.fills_for))
    return "the person has voted" if voted else ""


def give_up(letter: Letter, reason: str) -> tuple[Event, ...]:
    """It will not be sent."""
    return (LetterGivenUp(person=letter.person, kind=letter.kind, reason=reason),)


def outcome(letters: Letters | None, letter: Letter, handed: Handed, now: int, patience: Patience) -> tuple[Event, ...]:
    """The outcome of the attempt that `letter` stood at; `()` when somebody else has told another one meanwhile."""
    current = letters.letters.get(letter.key) if letters else None
    if current is None or current.state != "sending" or current.attempts != letter.attempts:
        return ()
    about = {"person": letter.person, "kind": letter.kind}
    if handed.error is None:
        return (LetterSent(**about, attempt=letter.attempts),)  # type: ignore[arg-type]  # the two are those of the letter
    pauses = patience.schedule_seconds
    last = handed.final or letter.tries > len(pauses)
    next_at = 0 if last else now + int(pauses[letter.tries - 1] * _SECOND)
    failed = LetterFailed(
        **about,  # type: ignore[arg-type]  # the two are those of the letter
        attempt=letter.attempts,
        error=handed.error,
        detail=handed.detail,
        next_at=next_at,
    )
    if not last:
        return (failed,)
    reason = f"{handed.error}: {handed.detail}" if handed.final else f"{letter.tries} tries have failed"
    return (failed, *give_up(letter, reason))


def overdue(letters: Letters, now: int, patience: Patience) -> tuple[Event, ...]:
    """Attempts whose time is over without an outcome: whoever was at them is gone. They are tried again."""
    late = [one for one in letters.letters.values() if one.state == "sending" and one.next_at <= now]
    handed = Handed(error="interrupted", detail="the sender ended before the outcome was known")
    return tuple(event for one in late for event in outcome(letters, one, handed, now, patience))


def resend(letters: Letters | None, plan: Plan, actor: Actor) -> tuple[Event, ...]:
    """The letters of the newest round that were given up are tried again; `()` where there are none."""
    demand_mover(plan, actor)
    dead = [one for one in letters.letters.values() if one.state == "given_up"] if letters else []
    return tuple(LetterResent(person=one.person, kind=one.kind) for one in dead)
