"""Walks the whole log and checks every promise that readers rely on.

Positions are dense from 1, versions dense in each stream, leaf hashes right, `recorded_at` never decreases, the head
tells the end, each stream row its version, and every event belongs to exactly one command row. It repairs nothing and
stops at nothing: it says what it found, where. It reads one snapshot, so the log may be written meanwhile. What is in the
order of positions is walked here, in chunks; what is in the order of streams the database walks, so that nothing is kept
here but a chunk and what was found.
"""

from collections.abc import AsyncIterator, Sequence

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from contracts.envelope import Fact, Position, Version, leaf_hash
from infra.eventlog.log import facts
from infra.postgres import load_sql

CHUNK = 5_000
_PACKAGE = "infra.eventlog"


class Finding(msgspec.Struct, frozen=True):
    """One broken promise: at which position (0: nowhere in particular), and what."""

    position: Position
    what: str


class Verification(msgspec.Struct, frozen=True):
    """What was walked, and what was found. Sound when there are no findings."""

    events: int
    streams: int
    commands: int
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        return not self.findings


async def verify(pool: asyncpg.Pool) -> Verification:
    """Checks the log as it stands now. Takes about a minute per million events."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("set local statement_timeout = 0")
        walk = _Walk()
        commands = connection.cursor(load_sql(_PACKAGE, "verify_commands"), prefetch=CHUNK).__aiter__()
        async for chunk in _chunks(connection):
            await walk.need_commands(commands, chunk[-1].position)
            for fact in chunk:
                walk.event(fact)
        await walk.need_commands(commands, None)
        walk.end_commands()
        async for record in connection.cursor(load_sql(_PACKAGE, "verify_versions"), prefetch=CHUNK):
            walk.version(**record)
        async for record in connection.cursor(load_sql(_PACKAGE, "verify_streams"), prefetch=CHUNK):
            walk.stream(**record)
        streams = await connection.fetchval(load_sql(_PACKAGE, "count_streams"))
        head = await connection.fetchrow(load_sql(_PACKAGE, "read_head"))
        walk.head(head)
    return Verification(walk.events, streams, walk.command_rows, tuple(walk.findings))


async def _chunks(connection: PoolConnectionProxy) -> AsyncIterator[Sequence[Fact]]:
    query, position = load_sql(_PACKAGE, "read_after"), -(2**63)
    while records := await connection.fetch(query, position, CHUNK):
        chunk = facts(records)
        yield chunk
        position = chunk[-1].position


class _Command(msgspec.Struct):
    key: str
    stream: str
    version: Version
    last: Position
    events: int
    found: int = 0


class _Walk:
    """What is known so far, and what was wrong with it."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.events = self.command_rows = 0
        self._position = self._recorded_at = 0
        self._commands: list[_Command] = []
        self._next_command = 0
        self._last_empty = 0

    def event(self, fact: Fact) -> None:
        if fact.position != self._position + 1:
            self._find(fact.position, f"a hole: the position before it is {self._position}")
        if fact.recorded_at < self._recorded_at:
            self._find(fact.position, "recorded_at is earlier than that of the event before")
        if fact.leaf != leaf_hash(fact):
            self._find(fact.position, "the leaf hash is not that of the event")
        self._match_command(fact)
        self.events += 1
        self._position, self._recorded_at = fact.position, fact.recorded_at

    def _match_command(self, fact: Fact) -> None:
        while self._next_command < len(self._commands):
            command = self._commands[self._next_command]
            if command.last >= fact.position:
                break
            self._end_command(command)
            self._next_command += 1
        else:
            self._find(fact.position, "no command row owns the event")
            return
        ordinal = fact.position - (command.last - command.events) - 1
        version = command.version - (command.last - fact.position)
        owned = (command.key, command.stream, version, ordinal)
        if ordinal < 0:
            self._find(fact.position, "no command row owns the event")
        elif owned != (fact.command_key, fact.stream, fact.version, fact.ordinal):
            self._find(fact.position, "key, stream, version or ordinal are not those of its command row")
        else:
            command.found += 1

    def _end_command(self, command: _Command) -> None:
        if command.found != command.events:
            what = f"command {command.key} has {command.found} of its {command.events} events"
            self._find(command.last, what)

    async def need_commands(self, records: AsyncIterator[asyncpg.Record], until: Position | None) -> None:
        """Reads command rows until one ends after `until` (None: all of them)."""
        self._commands, self._next_command = self._commands[self._next_command :], 0
        while until is None or not self._commands or self._commands[-1].last <= until:
            record = await anext(records, None)
            if record is None:
                return
            self.command_rows += 1
            if record["events"]:
                self._commands.append(_Command(**record))
            else:
                self._last_empty = record["last"]

    def end_commands(self) -> None:
        for command in self._commands[self._next_command :]:
            self._end_command(command)
        if self._last_empty > self._position:
            self._find(self._last_empty, "a command without events ends after the end of the log")

    def version(self, position: Position, stream: str, version: Version, before: Version) -> None:
        self._find(position, f"version {version} of {stream} follows version {before}")

    def stream(self, stream: str, said: Version | None, found: Version | None) -> None:
        if said is None:
            self._find(0, f"stream {stream} has events and no stream row")
        else:
            self._find(0, f"stream row {stream} says version {said}, its events {found or 0}")

    def head(self, record: asyncpg.Record | None) -> None:
        if record is None:
            self._find(0, "the log has no head")
        elif (record["position"], record["recorded_at"]) != (self._position, self._recorded_at):
            self._find(self._position, f"the head says position {record['position']} at {record['recorded_at']}")

    def _find(self, position: Position, what: str) -> None:
        self.findings.append(Finding(position, what))
