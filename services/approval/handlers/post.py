"""Writes the letters that a plan's state makes due, and brings them to the mail server.

Intent, attempt, outcome. A letter is written in the log before anybody tries it; the version of the letters' stream is
the fence, so of two processes one makes the attempt; and an attempt without outcome is made again under the same
Message-ID once its time is over.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from contracts.commands import SubmitPlan
from contracts.envelope import Fact, category, stream_id
from contracts.letter import letter_stream, message_id
from contracts.letter_state import Letter, Letters
from contracts.plan import Delegation, Plan
from contracts.plan_events import Event
from contracts.review import review
from infra.clock import Clock
from infra.commands import Desk
from infra.eventlog import EventLog
from infra.ids import random_id
from infra.postgres import load_sql
from infra.reactor import Swept
from infra.requests import fingerprint_of, system_request
from services.approval.adapters import Addressed, Mailer
from services.approval.decider import letters as rules
from services.approval.decider.known import Known
from services.approval.decider.letters import Handed, Patience
from services.approval.handlers.people import Directory, Links
from services.approval.views import render

log = structlog.get_logger(__name__)

PLAN_FACTS = frozenset(
    {
        *("plan.submitted.v1", "plan.vote_cast.v1", "plan.vote_withdrawn.v1", "plan.approval_reminded.v1"),
        "plan.vote_delegated.v1",
        *("plan.approved.v1", "plan.denied.v1", "plan.approval_expired.v1"),
    }
)
_BATCH = 20
_MICROSECONDS = 1_000_000
_SOON_SECONDS = 60.0


class Post:
    """One look at a plan or at the letters of a round. `wake(stream, seconds)` has a stream looked at later."""

    def __init__(
        self,
        event_log: EventLog,
        desks: tuple[Desk[Plan], Desk[Letters]],
        links: Links,
        directory: Directory,
        mailer: Mailer,
        clock: Clock,
        *,
        patience: Patience,
        public_url: str,
    ) -> None:
        self._log = event_log
        self._plans, self._letters = desks
        self._links = links
        self._directory = directory
        self._mailer = mailer
        self._clock = clock
        self._patience = patience
        self._public_url = public_url.rstrip("/")
        self._owner = random_id()
        self._open_rounds = load_sql("services.approval", "open_rounds")
        self._given = load_sql("services.approval", "delegations_by")
        self.wake: Callable[[str, float], None] = lambda stream, seconds: None

    async def look(self, stream: str) -> None:
        """Do what is due in this stream now."""
        if category(stream) == "plan":
            await self._write(stream)
        else:
            await self._deliver(stream)

    async def sweep(self) -> Swept:
        """Rounds that are open or were decided lately, and letters on their way."""
        recently = self._clock.now() - rules.TOO_LATE_SECONDS * _MICROSECONDS
        rows = await self._log.pool.fetch(self._open_rounds, recently)
        return Swept(rows[0]["position"], tuple(row["stream"] for row in rows[1:]))

    async def _write(self, stream: str) -> None:
        plan = await self._plans.read(stream)
        if plan is None or not plan.approval.round:
            return
        letters_at = letter_stream(plan.id, plan.approval.round)
        due = rules.due_letters(plan, await self._known(plan), self._clock.now())
        letters = await self._letters.read(letters_at)
        if rules.write(letters, plan, due):

            async def decided(letters: Letters | None) -> Sequence[Event]:
                return rules.write(letters, plan, due)

            seen = f"{plan.version}/{letters.version if letters else 0}/{fingerprint_of(due).hex()[:16]}"
            await self._append(letters_at, f"written/{seen}", decided, cause=plan.position)
        self.wake(letters_at, 0)

    async def _deliver(self, stream: str) -> None:
        while (letters := await self._letters.read(stream)) is not None:
            now = self._clock.now()
            plan = await self._plans.read(f"plan-{letters.plan}")
            if plan is None:
                return
            if rules.overdue(letters, now, self._patience):
                await self._append(stream, f"overdue/{letters.version}", self._overdue(now))
                continue
            ready = rules.ready(letters, now, _BATCH)
            if not ready:
                self._wake_later(stream, letters, now)
                return
            await self._try(stream, letters, plan, ready)

    def _overdue(self, now: int) -> Callable[[Letters | None], Awaitable[Sequence[Event]]]:
        async def decided(letters: Letters | None) -> Sequence[Event]:
            return () if letters is None else rules.overdue(letters, now, self._patience)

        return decided

    def _wake_later(self, stream: str, letters: Letters, now: int) -> None:
        """What is further off than a sweep is left to the sweep."""
        at = rules.wakes_at(letters)
        seconds = (at - now) / _MICROSECONDS
        if at and seconds <= _SOON_SECONDS:
            self.wake(stream, max(seconds, 0.001))

    async def _try(self, stream: str, letters: Letters, plan: Plan, ready: Sequence[Letter]) -> None:
        known = Known(people=await self._links.read())
        going: list[tuple[Letter, Addressed]] = []
        for letter in ready:
            reason = rules.useless(letter, letters, plan, known)
            addressed = None if reason else await self._addressed(letters, letter, known)
            if addressed is None:
                reason = reason or "the person has no address, or is no active user"
                await self._give_up(stream, letter, reason, letters.version)
            else:
                going.append((letter, addressed))
        claimed = await self._claim(stream, [letter for letter, _ in going])
        sending = [(one, addressed) for letter, addressed in going if (one := claimed.get(letter.key)) is not None]
        if not sending:
            return
        try:
            handed = await self._mailer.send([addressed for _, addressed in sending])
        except asyncio.CancelledError:
            gone = [Handed(error="interrupted", detail="the service was stopped")] * len(sending)
            await asyncio.shield(self._tell(stream, [letter for letter, _ in sending], gone))
            raise
        await self._tell(stream, [letter for letter, _ in sending], handed)

    async def _claim(self, stream: str, wanted: Sequence[Letter]) -> dict[tuple[str, str], Letter]:
        """Those of the letters that are ours to try, as they stand after the intent."""
        keys = {letter.key for letter in wanted}
        claimed: list[Letter] = []

        async def decided(letters: Letters | None) -> Sequence[Event]:
            claimed.clear()
            now = self._clock.now()
            if letters is not None:
                claimed.extend(one for one in rules.ready(letters, now, len(letters.letters)) if one.key in keys)
            return rules.attempt(claimed, now, self._patience)

        if keys:
            await self._append(stream, f"attempt/{self._owner}/{random_id()}", decided)
        letters = await self._letters.read(stream)
        assert letters is not None
        return {letter.key: letters.letters[letter.key] for letter in claimed}

    async def _tell(self, stream: str, tried: Sequence[Letter], handed: Sequence[Handed]) -> None:
        async def decided(letters: Letters | None) -> Sequence[Event]:
            now, pairs = self._clock.now(), zip(tried, handed, strict=True)
            return [event for one, came in pairs for event in rules.outcome(letters, one, came, now, self._patience)]

        await self._append(stream, f"outcome/{self._owner}/{random_id()}", decided)
        for letter, came in zip(tried, handed, strict=True):
            told = {"plan_letters": stream, "kind": letter.kind, "attempt": letter.attempts}
            if came.error is None:
                log.info("letter_sent", **told)
            else:
                log.warning("letter_failed", **told, error=came.error, detail=came.detail)

    async def _give_up(self, stream: str, letter: Letter, reason: str, version: int) -> None:
        """`version` is that of the letters: one that was asked for again is given up once more, under another key."""

        async def decided(letters: Letters | None) -> Sequence[Event]:
            current = letters.letters.get(letter.key) if letters else None
            return rules.give_up(letter, reason) if current is not None and not current.ended else ()

        await self._append(stream, f"given_up/{version}/{letter.kind}/{letter.person}", decided)
        log.warning("letter_given_up", plan_letters=stream, kind=letter.kind, reason=reason)

    async def _append(
        self,
        stream: str,
        what: str,
        decided: Callable[[Letters | None], Awaitable[Sequence[Event]]],
        cause: int | None = None,
    ) -> None:
        now = self._clock.now()
        request = system_request(SubmitPlan(plan=stream_id(stream)), "approval", f"{stream}/{what}", now)
        await self._letters.execute(request, stream, decided, cause=cause)

    async def _addressed(self, letters: Letters, letter: Letter, known: Known) -> Addressed | None:
        user = await self._directory.user(letter.person.removeprefix("user:"))
        if user is None or not user.active:
            return None
        address = user.email or await self._other_address(letter.person, known)
        if not address:
            return None
        facts = await self._log.read_stream(f"plan-{letters.plan}")
        seen = review(
            [fact for fact in facts if fact.version <= letter.plan_version], known.people.identities(letter.person)
        )
        assert seen is not None  # a letter is written about a plan that there is
        link = f"{self._public_url}/api/v1/plans/{letters.plan}/review"
        return Addressed(
            message_id=message_id(letters.plan, letters.round, letter.person, letter.kind, self._mailer.domain),
            address=address,
            name=user.name,
            written_at=letter.written_at,
            rendered=render(letter.kind, seen, link),
        )

    async def _other_address(self, person: str, known: Known) -> str:
        """The address that this person has under another identity, in the order of their names; "" for none."""
        for identity in known.people.identities(person):
            user = await self._directory.user(identity.removeprefix("user:"))
            if user is not None and user.active and user.email:
                return user.email
        return ""

    async def _known(self, plan: Plan) -> Known:
        named = [rule.approvers for level in plan.content.approval.levels for rule in level.rules]
        refs = {ref for approvers in (*named, plan.content.owner) for ref in approvers}
        groups = {ref for ref in refs if ref.startswith("group:")}
        members = await self._directory.members(groups) if groups else {}
        everybody = sorted({one for ref in refs for one in members.get(ref, frozenset({ref}))})
        rows = await self._log.pool.fetch(self._given, everybody, self._clock.now())
        given = tuple(
            Delegation(row["delegator"], row["delegate"], row["until"], row["given_at"], row["reason"]) for row in rows
        )
        return Known(people=await self._links.read(), members=members, delegations=given)


def wanted(fact: Fact) -> str | None:
    """The stream that this fact may have made a letter due in."""
    return fact.stream if fact.type in PLAN_FACTS or fact.type == "letter.resent.v1" else None
