"""A hook dispatcher on real servers, a log that tests write as the other services would, and what came of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from contracts.commands import Actor, PutEndpoint
from contracts.envelope import Fact
from contracts.plan_events import Event, ExecutionStarted, ItemsSettled, PlanCreated, PlanSucceeded, StartRequested
from contracts.registry import decode, encode
from contracts.seal import seal_of
from contracts.values import Content
from infra.clock import Clock
from infra.config import Secret
from infra.eventlog import Append, Appended, Conflict, Draft, EventLog
from infra.ground import Ground
from infra.ids import derived_id, random_id
from infra.keystore import KeyStore
from infra.postgres import open_pool
from infra.requests import fingerprint_of
from services.hook_dispatcher.app import build
from services.hook_dispatcher.config import Settings
from tests.support.apps import Apps, open_apps
from tests.support.builders import ADA, OLIVIA
from tests.support.builders import content as plan_content
from tests.support.clocks import MovedClock
from tests.support.servers import Nats, Postgres
from tests.support.wait import PATIENCE_SECONDS, eventually

MASTER = "ab" * 32
SECRET = "whsec_" + "c2VjcmV0IG9mIGEgdGVzdCE="
LOOPBACK = ("127.0.0.0/8",)


class Hooked:
    """One database with whatever dispatchers a test starts. Rings their doorbells after each append of its own."""

    def __init__(self, apps: Apps, log: EventLog) -> None:
        self.apps = apps
        self.log = log
        self.clock = MovedClock()
        self.grounds: list[Ground] = []

    async def dispatch(self, clock: Clock | None = None, **settings: Any) -> Ground:
        """Start a dispatcher that tries again quickly. Loopback is allowed unless the test says otherwise.

        Receivers may take a minute: an attempt that fails because the machine stands still would be one that is counted.
        """
        more = {
            "hook_allow": LOOPBACK,
            "hook_ports": ("1-65535",),
            "master_key": Secret(MASTER),
            "hook_schedule_seconds": (0.0, 0.05, 0.05, 0.05),
            "hook_timeout_seconds": 60.0,
            "hook_connect_seconds": 60.0,
        } | settings
        ground: Ground = await self.apps.start(
            "hook_dispatcher", Settings, partial(build, clock=clock or self.clock), **more
        )
        await ground.bus.wait_connected(PATIENCE_SECONDS)
        self.grounds.append(ground)
        return ground

    async def tell(self, stream: str, *events: Event, actor: Actor = OLIVIA) -> int:
        """Append as the service would that owns these events, after whatever is there. Returns the position."""
        key, outcome = random_id(), None
        while not isinstance(outcome, Appended):
            version = await self.log.pool.fetchval("select version from log.stream where stream = $1", stream)
            outcome = await self.log.append(
                Append(
                    stream=stream,
                    expected=version or 0,
                    principal="tester",
                    key=key,
                    fingerprint=fingerprint_of(key),
                    events=tuple(Draft(*encode(event)) for event in events),
                    at=self.clock.now(),
                    actor=actor.id,
                    channel="test",
                )
            )
            assert isinstance(outcome, Appended | Conflict), outcome
        for ground in self.grounds:
            ground.wake.set()
        return outcome.last

    async def plan(self, **fields: Any) -> "PlanStory":
        """A new plan, sealed."""
        story = PlanStory(self, random_id(), plan_content(**fields))
        await self.tell(story.stream, PlanCreated(index=1, project="web", content=story.content))
        await self.tell(story.stream, seal_of(story.content, {}))
        return story

    async def endpoint(self, name: str, url: str, *, secret: str = SECRET, **fields: Any) -> str:
        """An endpoint put by command, its secret in the key store. Its id."""
        ref = f"endpoint/{name}" if secret else ""
        if secret:
            pool = await open_pool(self.apps.dsns.of("gateway"), size=1)
            await KeyStore(pool, bytes.fromhex(MASTER)).put(ref, Secret(secret))
            await pool.close()
        endpoint = derived_id("endpoint", name)
        command = PutEndpoint(endpoint=endpoint, name=name, url=url, secret_ref=ref, **fields)
        await self.apps.accepted(command, ADA, at=self.clock.now())
        return endpoint

    async def deliveries(self) -> list[dict[str, Any]]:
        """The rows of `view.delivery`, in the order in which they were raised."""
        rows = await self.log.pool.fetch("select * from view.delivery order by raised_by, id")
        return [dict(row) for row in rows]

    async def delivered(self, state: str = "delivered", count: int = 1) -> list[dict[str, Any]]:
        """The rows of `view.delivery`, once there are `count` in this state."""

        async def all_there() -> list[dict[str, Any]]:
            rows = await self.deliveries()
            assert [row["state"] for row in rows].count(state) == count, [
                (row["state"], row["last_error"]) for row in rows
            ]
            return rows

        return await eventually(all_there, what=f"{count} deliveries {state}")

    async def facts(self, stream: str) -> list[Fact]:
        return await self.log.read_stream(stream)

    async def events(self, stream: str) -> list[Event]:
        return [decode(fact.type, fact.payload) for fact in await self.facts(stream)]

    async def types(self, stream: str) -> list[str]:
        return [fact.type for fact in await self.facts(stream)]


class PlanStory(msgspec.Struct, frozen=True):
    """A plan, and how it goes on."""

    house: Hooked
    id: str
    content: Content

    @property
    def stream(self) -> str:
        return f"plan-{self.id}"

    async def event(self, kind: type[Event], count: int = 1) -> Any:
        """The newest event of this kind, once there are `count`."""

        async def there() -> Any:
            found = [event for event in await self.house.events(self.stream) if isinstance(event, kind)]
            return found[-1] if len(found) >= count else None

        return await eventually(there, what=f"{count} {kind.__name__}")

    async def run_to_the_end(self) -> None:
        """Started and succeeded, without gates."""
        seal = seal_of(self.content, {}).seal
        await self.house.tell(self.stream, StartRequested(by="owner"), ExecutionStarted(seal=seal))
        await self.house.tell(self.stream, ItemsSettled(), PlanSucceeded())


@asynccontextmanager
async def open_hooked(postgres: Postgres, nats: Nats, data: Path) -> AsyncIterator[Hooked]:
    """A house on a fresh database."""
    async with open_apps(postgres, nats, data) as apps:
        log = await EventLog.open(apps.dsns.admin)
        try:
            yield Hooked(apps, log)
        finally:
            await log.close()
