"""Appends as the arguments of log.append, and its answer as outcomes. The arrays stand in its order."""

from collections.abc import Iterator, Sequence

import asyncpg

from infra.eventlog.model import Append, Appended, Conflict, KeyReused, Outcome, Seen


def arguments(commands: Sequence[Append]) -> tuple[list[object], ...]:
    """The 14 arrays of log.append: one element per command, then the flat types and payloads of all events."""
    drafts = [draft for command in commands for draft in command.events]
    return (
        [command.stream for command in commands],
        [command.expected for command in commands],
        [command.principal for command in commands],
        [command.key for command in commands],
        [command.fingerprint for command in commands],
        [command.at for command in commands],
        [command.actor for command in commands],
        [command.channel for command in commands],
        [command.cause for command in commands],
        [command.trace for command in commands],
        [command.answer for command in commands],
        [len(command.events) for command in commands],
        [draft.type for draft in drafts],
        [draft.payload for draft in drafts],
    )


def outcomes(commands: Sequence[Append], record: asyncpg.Record) -> Iterator[Outcome]:
    """One outcome per command, in order. The database sends a stored answer only where it was seen before."""
    rows = zip(commands, record["statuses"], record["versions"], record["lasts"], record["answers"], strict=True)
    for command, status, version, last, answer in rows:
        if status == 0:
            yield Appended(version, last, command.answer)
        elif status == 1:
            yield Seen(version, last, answer)
        elif status == 2:
            yield Conflict(version)
        else:
            yield KeyReused()
