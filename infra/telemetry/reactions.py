"""Spans of reactions: each goes on with the trace stored with the event that caused it.

Several events may have named a stream before it is looked at. The look goes on with the newest and is linked to the
others, as is the rule for what is gathered. A look that finds nothing due leaves no span.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Iterable

from contracts.envelope import Fact, category
from infra.telemetry.tracing import Tracing

_MOST_CAUSES = 16
_MOST_STREAMS = 10_000
"""What is remembered for streams that wait to be looked at. Beyond that a look begins a trace of its own."""


class Reactions:
    """Of one reactor. `name` says whose."""

    def __init__(self, name: str, tracing: Tracing) -> None:
        self._name = name
        self._tracing = tracing
        self._causes: dict[str, deque[Fact]] = {}

    def note(self, facts: Iterable[Fact], wanted: Callable[[Fact], str | None]) -> None:
        """Remember what these facts have named, until it is looked at."""
        for fact in facts:
            if fact.trace and (stream := wanted(fact)) and len(self._causes) < _MOST_STREAMS:
                self._causes.setdefault(stream, deque(maxlen=_MOST_CAUSES)).append(fact)

    async def react(self, stream: str, react: Callable[[str], Awaitable[None]]) -> None:
        """Look at a stream within a span. A look that failed leaves its causes to the next one."""
        causes = self._causes.pop(stream, deque())
        attributes: dict[str, str | int | list[str]] = {"gonogo.stream": stream}
        if causes:
            attributes["gonogo.cause.position"] = causes[-1].position
            attributes["gonogo.cause.type"] = causes[-1].type
        traces = dict.fromkeys(fact.trace for fact in reversed(causes))
        try:
            with self._tracing.perhaps(f"{self._name} {category(stream)}", attributes, [*traces][::-1]):
                await react(stream)
        except BaseException:
            self._causes.setdefault(stream, causes)
            raise
