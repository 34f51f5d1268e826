"""The people of the demonstration, each with a connection of their own, and the plan that they act on.

What is sent is repeated under the same key while the gateway is away, so that the demonstration lives through restarts.
Waiting is woken by the live feed and asks the gateway; the feed alone is not believed.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from typing import Any, Self

from infra.config import Secret
from services.cli.client import Answer, Gateway, Notice
from services.cli.exits import Exit
from services.cli.feed import Event
from services.cli.problems import Problem

API = "/api/v1"


class DemoFailed(Problem):
    """Something is not as it should be."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, Exit.REFUSED)


def expect(true: object, sentence: str) -> None:
    """Ends the demonstration with this sentence unless `true`."""
    if not true:
        raise DemoFailed(sentence)


class Cast:
    """Olivia owns the plan, Ana and Ben approve, Ada administers. `people[name]` is a connection as that user."""

    def __init__(self, url: str, tokens: Mapping[str, str], patience_seconds: float, notice: Notice) -> None:
        self._url = url
        self._tokens = tokens
        self._patience_seconds = patience_seconds
        self._notice = notice
        self._stack = AsyncExitStack()
        self._follower: asyncio.Task[None] | None = None
        self._grown = asyncio.Event()
        self.people: dict[str, Gateway] = {}
        self.plan = ""
        self.seen: list[Event] = []
        """What the live feed has told, in its order."""

    async def __aenter__(self) -> Self:
        for name, token in self._tokens.items():
            await self.add(name, token)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._follower is not None:
            self._follower.cancel()
            await asyncio.gather(self._follower, return_exceptions=True)
        await self._stack.aclose()

    async def add(self, name: str, token: str) -> None:
        """Another person, by a token."""
        opened = Gateway.open(self._url, Secret(token), patience_seconds=self._patience_seconds, notice=self._notice)
        self.people[name] = await self._stack.enter_async_context(opened)

    async def as_(self, name: str, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        """One write as this person."""
        return await self.people[name].send(method, API + path, body, **options)

    async def order(self, name: str, verb: str, body: Any = None, **options: Any) -> Answer:
        """One order about the plan as this person: `seal`, `items/build/execute`."""
        return await self.as_(name, "POST", f"/plans/{self.plan}/{verb}", body, **options)

    async def read(self) -> dict[str, Any]:
        """The plan now."""
        view: dict[str, Any] = (await self.people["olivia"].get(f"{API}/plans/{self.plan}")).json()
        return view

    async def etag(self) -> str:
        """The plan's version now, to insist on."""
        return (await self.people["olivia"].get(f"{API}/plans/{self.plan}")).etag

    def follow(self, plan: str) -> None:
        """From here on this is the plan, and its feed is followed."""
        self.plan = plan
        self._follower = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for event in self.people["olivia"].feed(self.plan, 0):
            self.seen.append(event)
            self._grown.set()

    async def until(
        self,
        check: Callable[[dict[str, Any]], bool],
        what: str,
        *,
        fatal: Callable[[dict[str, Any]], str] | None = None,
    ) -> dict[str, Any]:
        """The plan as soon as `check` holds. `DemoFailed` when it does not in time, or when `fatal` says why it cannot."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience_seconds
        while True:
            self._grown.clear()
            plan = await self.read()
            if check(plan):
                return plan
            reason = fatal(plan) if fatal else _dead_end(plan)
            expect(not reason, f"Waiting for {what}: {reason}.")
            expect(loop.time() < deadline, f"Waiting for {what}: not in time; the plan is in {plan['status']}.")
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await self._grown.wait()

    async def until_fed(self, position: int) -> None:
        """Returns when the live feed has told everything up to this position."""
        await self.until(lambda _: bool(self.seen) and self.seen[-1].position >= position, "the live feed")

    async def until_status(self, *statuses: str) -> dict[str, Any]:
        """The plan as soon as it has one of these statuses."""
        return await self.until(lambda plan: plan["status"] in statuses, " or ".join(statuses))


def _dead_end(plan: Mapping[str, Any]) -> str:
    status = str(plan["status"])
    if status.endswith("_failed") or status in ("denied", "cancel", "timeout"):
        return f"the plan went to {status} ({plan['reason'] or 'no reason given'})"
    return f"what would run has drifted: {plan['drift']['item']}" if plan["drift"] else ""
