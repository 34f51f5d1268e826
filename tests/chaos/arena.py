"""A whole system that is meant to be hurt: its own processes, its own folder, and the hands that kill its parts.

Blows fall on events of the log, never after a time: `Blow("planner", "plan.sealed.v1")` is a SIGKILL of the planner as soon
as the log holds that event. The supervisor's keeper starts again whatever dies.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import asyncpg

from contracts.envelope import Fact, Position
from infra.embedded.secrets import SERVICES
from infra.eventlog import EventLog
from infra.supervise import System
from infra.supervise.system import NATS, POSTGRES
from infra.tail import Tail, Wake
from services.cli.demo.run import Outcome, run_demo
from services.cli.parts import all_services
from services.cli.tokens import ready_tokens
from tests.chaos.ledger import Ledger, recorded
from tests.support.gonogo import data_home, environment
from tests.support.wait import eventually

PARTS = (*SERVICES, NATS, POSTGRES)
SETTINGS = {
    "GONOGO_HOOK_ALLOW": "127.0.0.0/8",
    "GONOGO_HTTP_ALLOW": "127.0.0.0/8",
    "GONOGO_HOOK_PORTS": "1-65535",
    "GONOGO_HOOK_SCHEDULE_SECONDS": ",".join(
        ["0", *["1"] * 60]
    ),  # a hook that was hit several times comes soon as well
    "GONOGO_HOOK_BREAKER_FAILURES": "0",
    "GONOGO_HOOK_TIMEOUT_SECONDS": "3",  # an attempt whose sender was killed is known as interrupted 2 s later
    "GONOGO_LEASE_SECONDS": "3",
}
_RECOVERY_SECONDS = 120


class Blow(NamedTuple):
    """This part is killed once an event of this type is in the log (of those after the blow before)."""

    part: str
    after: str


class Struck(NamedTuple):
    """A part was killed when the log was seen to reach this position."""

    part: str
    position: Position


class Release(NamedTuple):
    """One demonstration that went through, and what its people and the outside world remember of it."""

    outcome: Outcome
    ledger: Ledger
    folder: Path
    struck: tuple[Struck, ...]


Hurt = Callable[[Position], Coroutine[Any, Any, tuple[Struck, ...]]]
"""Does harm, from the event after this position on, and says when."""


class Arena:
    """A running system. `log` reads it as the audit service may."""

    def __init__(self, system: System, home: Path, tokens: dict[str, str], log: EventLog) -> None:
        self.system = system
        self.home = home
        self.tokens = tokens
        self.log = log
        self._folders = 0

    @property
    def url(self) -> str:
        return self.system.urls["gateway"]

    @property
    def store(self) -> Path:
        """All that JetStream keeps."""
        return self.home / "data" / "nats" / "store"

    def said(self, service: str) -> str:
        """All that the service has logged since it last began a file."""
        return (self.home / "data" / "logs" / f"{service}.log").read_text(errors="replace")

    def folder(self) -> Path:
        """A new empty folder for steps to work in."""
        self._folders += 1
        folder = self.home / f"work-{self._folders}"
        folder.mkdir(mode=0o700)
        return folder

    async def kill(self, part: str) -> None:
        """SIGKILL. Returns when the successor is ready."""
        killed = self.system.pids[part]
        self.system.kill(part)
        await self.succeeded(part, killed)

    async def succeeded(self, part: str, pid: int) -> None:
        """Returns when another process than this one is that part, and ready."""
        started = f"{part} is started again"
        await eventually(lambda: self.system.pids.get(part, pid) != pid, _RECOVERY_SECONDS, started)
        await asyncio.wait_for(self.system.wait_ready(part), _RECOVERY_SECONDS)

    @asynccontextmanager
    async def away(self, part: str) -> AsyncIterator[None]:
        """NATS or PostgreSQL is killed, and is not started again before the end of the block."""
        server = self.system.nats if part == NATS else self.system.postgres
        killed, start, may_start = self.system.pids[part], server.start, asyncio.Event()

        async def later() -> None:
            await may_start.wait()
            await start()

        with patch.object(server, "start", later):
            try:
                self.system.kill(part)
                await eventually(lambda: part not in self.system.pids, what=f"{part} is dead")
                yield
            finally:
                may_start.set()
                await self.succeeded(part, killed)

    @asynccontextmanager
    async def refusing(self, type_name: str) -> AsyncIterator[Callable[[str], bool]]:
        """The log takes no event of this type, so a process can be killed just before it would have appended one.

        Gives what tells whether a service has tried.
        """
        admin = await asyncpg.connect(self.system.urls["database"])
        try:
            owners = await admin.fetch("delete from log.type_owner where type = $1 returning type, role", type_name)
            assert owners, f"nobody owns {type_name}"
            before = {service: len(self.said(service)) for service in SERVICES}
            try:
                yield lambda service: f"own event type {type_name}" in self.said(service)[before[service] :]
            finally:
                await admin.executemany(
                    "insert into log.type_owner (type, role) values ($1, $2)", [tuple(row) for row in owners]
                )
        finally:
            await admin.close()

    @asynccontextmanager
    async def holding(self, table: str) -> AsyncIterator["Held"]:
        """Nobody writes this table before the end of the block."""
        admin = await asyncpg.connect(self.system.urls["database"])
        try:
            async with admin.transaction():
                await admin.execute(f"lock table {table} in exclusive mode")
                yield Held(admin, table)
        finally:
            await admin.close()

    async def follow(self, after: Position) -> AsyncGenerator[Fact, None]:
        """The facts after this position, for ever, also through the death of the database."""
        async for facts in Tail(self.log, Wake(), poll_seconds=0.01).after(after):
            for fact in facts:
                yield fact

    async def strike(self, blows: Sequence[Blow], after: Position) -> tuple[Struck, ...]:
        """Deals the blows one after the other. Each waits until the part struck before is ready again."""
        struck: list[Struck] = []
        async with aclosing(self.follow(after)) as facts:
            async for fact in facts:
                if fact.type == blows[len(struck)].after:
                    struck.append(Struck(blows[len(struck)].part, fact.position))
                    await self.kill(struck[-1].part)
                if len(struck) == len(blows):
                    break
        return tuple(struck)

    async def release(self, *blows: Blow) -> Release:
        """The demonstration's release from its checklist to success, while these blows fall."""

        async def strike(after: Position) -> tuple[Struck, ...]:
            return await self.strike(blows, after) if blows else ()

        return await self.release_while(strike)

    async def release_while(self, hurt: Hurt) -> Release:
        """The same, while `hurt` does what it does. It must come to its end as well."""
        folder, head = self.folder(), await self.log.head()
        with recorded() as ledger:
            hurting = asyncio.create_task(hurt(head.position))
            try:
                outcome = await run_demo(self.url, self.tokens, folder=folder, progress=_Silence())
                struck = await asyncio.wait_for(hurting, _RECOVERY_SECONDS)
            finally:
                hurting.cancel()
                await asyncio.gather(hurting, return_exceptions=True)
        return Release(outcome, ledger, folder, struck)


class Held:
    """A table that others wait for, each in the middle of a transaction."""

    def __init__(self, admin: asyncpg.Connection, table: str) -> None:
        self._admin = admin
        self._table = table

    async def awaited_by(self, service: str) -> list[int]:
        """The sessions of this service that wait."""
        query = """
            select a.pid from pg_locks l join pg_stat_activity a on a.pid = l.pid
            where not l.granted and l.relation = $1::regclass and a.usename = $2
        """
        return [row["pid"] for row in await self._admin.fetch(query, self._table, f"gonogo_{service}")]

    async def end(self, sessions: list[int]) -> None:
        """As when the server dies with them: what they had begun and not committed is no more."""
        await self._admin.execute("select pg_terminate_backend(pid) from unnest($1::int[]) as pid", sessions)


class _Silence:
    """Nobody watches the demonstration."""

    @contextmanager
    def step(self, title: str) -> Iterator["_Silence"]:
        yield self

    def say(self, text: str) -> None: ...


@asynccontextmanager
async def open_arena(**settings: str) -> AsyncIterator[Arena]:
    """PostgreSQL, NATS and the seven services on a fresh folder; everything is stopped and removed afterwards.

    `settings` are of the environment, beside or instead of `SETTINGS`.
    """
    async with data_home() as home:
        services = all_services({**SETTINGS, **settings})
        async with System(home / "data", services, http_port=0, environ=environment(), drain_seconds=5) as system:
            tokens = await ready_tokens(_dsn(system, "gateway"), home / "data" / "secrets")
            log = await EventLog.open(_dsn(system, "audit"))
            try:
                yield Arena(system, home, tokens, log)
            finally:
                await log.close()


def _dsn(system: System, service: str) -> str:
    return system.env_for(service)["GONOGO_DATABASE_URL"]
