"""The span of an append. What is stored carries its name, so whatever an event causes can say what that was."""

from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from infra.eventlog.model import Append, Appended, Conflict, KeyReused, Outcome, Seen
from infra.telemetry.tracing import Attributes, Tracing, here, traceparent_of

_SAID: dict[type[Outcome], str] = {
    Appended: "appended",
    Seen: "seen",
    Conflict: "conflict",
    KeyReused: "key_reused",
}


async def traced(tracing: Tracing, command: Append, append: Callable[[Append], Awaitable[Outcome]]) -> Outcome:
    """Appends within a span of its own. An outcome that decides anew, such as a conflict, is no failure."""
    attributes: Attributes = {
        "db.system.name": "postgresql",
        "db.stored_procedure.name": "log.append",
        "gonogo.stream": command.stream,
        "gonogo.events": [draft.type for draft in command.events],
    }
    with tracing.span("log.append", "client", attributes, parent=None if here() else command.trace) as span:
        outcome = await append(replace(command, trace=traceparent_of(span)))
        span.set_attribute("gonogo.outcome", _SAID[type(outcome)])
        if isinstance(outcome, Appended | Seen):
            span.set_attribute("gonogo.position", outcome.last)
    return outcome
