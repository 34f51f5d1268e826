"""The one loop that turns a command into events: read, fold, decide, append, answer.

A cached state may accept, since the append checks the version; before it refuses, the stream is read again. The key of a
command is looked up before a refusal is answered, because the state may have moved on since the first try. A conflict
reads and decides again, unless the asker insisted on a version.

In one process the commands of one stream take turns, first come first served: side by side only one of them could win,
and the others would each time read and decide for nothing, some of them too often to get through at all.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from contracts.commands import Accepted, Request
from contracts.envelope import Fact
from contracts.plan_events import Event
from contracts.refusals import Refused
from contracts.registry import encode
from infra.errors import Unavailable
from infra.eventlog import EventLog
from infra.eventlog.model import Append, Appended, Conflict, Draft, KeyReused, Seen
from infra.remembered import Remembered

ATTEMPTS = 24
"""How often a conflict is decided again. Each conflict means that somebody else got through, so this is contention."""

_ALREADY_SO = "already_so"
"""Kept with the answer of an order that made no event, so that its repetitions say so too. No answer has such a field."""


class Versioned(Protocol):
    """A folded state that knows its stream version."""

    @property
    def version(self) -> int: ...


class _Queue:
    """Who wants to write one stream now. `length` counts the one whose turn it is."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.length = 0


S = TypeVar("S", bound=Versioned)
Decide = Callable[[S | None], Awaitable[Sequence[Event]]]


class Desk(Generic[S]):
    """Executes commands on streams of one kind. `fold(facts, state)` must not touch its argument."""

    def __init__(
        self,
        log: EventLog,
        fold: Callable[[Iterable[Fact], S | None], S | None],
        *,
        remember: int = 128,
        weigh: Callable[[S], int] | None = None,
    ) -> None:
        """`remember`, `weigh`: see `Remembered`."""
        self._log = log
        self._fold = fold
        self._cache: Remembered[S] = Remembered(remember, weigh)
        self._queues: dict[str, _Queue] = {}

    async def read(self, stream: str) -> S | None:
        """The state now, from the log. Only what came after the remembered version is fetched."""
        known = self._cache.get(stream)
        state = known
        async for facts in self._log.read_pages(stream, known.version if known is not None else 0):
            state = self._fold(facts, state)
        self._keep(stream, state)
        return state

    async def recall(self, stream: str) -> S | None:
        """The remembered state, which `observe` keeps up; read where none is remembered. Enough to see what may be due."""
        known = self._cache.get(stream)
        return await self.read(stream) if known is None else known

    def remembered(self, stream: str) -> S | None:
        """The state as far as it is remembered here, `None` where it is not. May be behind the log."""
        return self._cache.get(stream)

    def observe(self, facts: Iterable[Fact]) -> None:
        """Move the remembered states on by facts that a follower of the log has just seen, so nobody need read them."""
        news: dict[str, list[Fact]] = {}
        for fact in facts:
            known = self._cache.get(fact.stream)
            if known is not None and fact.version > known.version:
                news.setdefault(fact.stream, []).append(fact)
        for stream, own in news.items():
            if (known := self._cache.get(stream)) is None:
                continue  # it had to make room for one before it
            if own[0].version == known.version + 1:
                self._keep(stream, self._fold(own, known))
            else:
                self._cache.forget(stream)  # it was remembered before the follower began

    async def execute(
        self,
        request: Request,
        stream: str,
        decide: Decide[S],
        *,
        body: dict[str, Any] | None = None,
        cause: int | None = None,
    ) -> Accepted:
        """Decide and append until it holds. Raises `Refused`, or `Unavailable` when the log does not answer.

        `decide` must not execute on the same stream: it would wait for itself.
        """
        async with self._turn(stream):
            return await self._execute(request, stream, decide, body or {}, cause)

    @asynccontextmanager
    async def _turn(self, stream: str) -> AsyncIterator[None]:
        queue = self._queues.setdefault(stream, _Queue())
        queue.length += 1
        try:
            async with queue.lock:
                yield
        finally:
            queue.length -= 1
            if not queue.length:
                del self._queues[stream]

    async def _execute(
        self, request: Request, stream: str, decide: Decide[S], body: dict[str, Any], cause: int | None
    ) -> Accepted:
        state, fresh = self._cache.get(stream), False
        if state is None:
            state, fresh = await self.read(stream), True
        for _ in range(ATTEMPTS):
            try:
                events = await self._decided(request, decide, state)
            except Refused:
                if not fresh:
                    state, fresh = await self.read(stream), True
                    continue
                first = await self._first_answer(request)
                if first is None:
                    raise
                return first
            append = self._append(request, stream, state, events, body, cause)
            outcome = await self._log.append(append)
            match outcome:
                case Appended():
                    self._advance(state, outcome, append)
                    return _accepted(outcome)
                case Seen():
                    self._cache.forget(stream)  # decided on a state from before the first time
                    return _accepted(outcome, repeated=True)
                case KeyReused():
                    raise _reused(request)
                case Conflict():
                    state, fresh = await self.read(stream), True
        raise Unavailable(f"stream {stream}", retry_after_seconds=0.2)

    async def _decided(self, request: Request, decide: Decide[S], state: S | None) -> Sequence[Event]:
        version = 0 if state is None else state.version
        if request.if_match is not None and request.if_match != version:
            detail = f"You changed version {request.if_match}; it is now at version {version}. Read it again."
            raise Refused("version_conflict", detail, current_version=version)
        return await decide(state)

    async def _first_answer(self, request: Request) -> Accepted | None:
        seen = await self._log.seen(request.actor.id, request.key, request.fingerprint)
        if isinstance(seen, KeyReused):
            raise _reused(request)
        return None if seen is None else _accepted(seen, repeated=True)

    def _append(
        self,
        request: Request,
        stream: str,
        state: S | None,
        events: Sequence[Event],
        body: dict[str, Any],
        cause: int | None,
    ) -> Append:
        return Append(
            stream=stream,
            expected=0 if state is None else state.version,
            principal=request.actor.id,
            key=request.key,
            fingerprint=request.fingerprint,
            events=tuple(Draft(*encode(event)) for event in events),
            at=request.at,
            actor=request.actor.id,
            channel=request.actor.channel,
            cause=cause,
            trace=request.trace,
            answer=msgspec.json.encode(body if events else {**body, _ALREADY_SO: True}),
        )

    def _advance(self, state: S | None, outcome: Appended, append: Append) -> None:
        """Move the remembered state on by what was just stored, without reading it back."""
        if append.events:
            self._keep(append.stream, self._fold(_as_facts(outcome, append), state))

    def _keep(self, stream: str, state: S | None) -> None:
        if state is None:
            return
        known = self._cache.get(stream)
        self._cache.keep(stream, state if known is None or known.version <= state.version else known)


def _as_facts(outcome: Appended, append: Append) -> list[Fact]:
    """The facts as a fold needs them and `EventLog.read_pages` gives them: the rest is left empty."""
    count = len(append.events)
    return [
        Fact(
            position=outcome.last - count + 1 + i,
            stream=append.stream,
            version=outcome.version - count + 1 + i,
            type=draft.type,
            at=append.at,
            recorded_at=0,
            actor=append.actor,
            channel=append.channel,
            command_key="",
            ordinal=0,
            cause=None,
            trace="",
            payload=draft.payload,
            leaf=b"",
        )
        for i, draft in enumerate(append.events)
    ]


def _accepted(outcome: Appended | Seen, *, repeated: bool = False) -> Accepted:
    body = msgspec.json.decode(outcome.answer, type=dict[str, Any]) if outcome.answer else {}
    already_so = body.pop(_ALREADY_SO, False)
    return Accepted(outcome.version, outcome.last, body, repeated, changed=not already_so)


def _reused(request: Request) -> Refused:
    detail = (
        "This Idempotency-Key was used before for another request. Take a new key, or send the first request again."
    )
    return Refused("idempotency_key_reused", detail, key=request.key)
