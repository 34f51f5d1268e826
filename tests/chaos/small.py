"""A release so small that one of its events can be waited for: one workflow item, its own people, no waiting for votes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from contracts.envelope import Fact
from infra.config import Secret
from infra.ids import random_id
from services.cli.client import Answer, Gateway
from tests.chaos.arena import Arena
from tests.chaos.ledger import Ledger
from tests.chaos.proof import all_facts, step_keys
from tests.support.wait import eventually

API = "/api/v1"
ITEM = "deploy"


class Small:
    """A plan of one workflow item, driven by its owner. Answers are kept in `ledger`."""

    def __init__(self, arena: Arena, gateway: Gateway) -> None:
        self._arena = arena
        self._gateway = gateway
        self.ledger = Ledger()
        self.plan = ""

    async def send(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        key = random_id()
        answer = await self._gateway.send(method, API + path, body, key=key, **options)
        self.ledger.take(key, API + path, answer)
        return answer

    async def order(self, verb: str, body: Any = None, **options: Any) -> Answer:
        return await self.send("POST", f"/plans/{self.plan}/{verb}", body, **options)

    async def prepare(self, *steps: dict[str, Any], **sections: Any) -> None:
        """A sealed plan whose item runs these steps."""
        workflow = f"w-{random_id()}"
        await self.send("PUT", f"/workflows/chaos/{workflow}", {"stages": [{"name": "all", "steps": list(steps)}]})
        spec = {"type": "workflow", "project": "chaos", "workflow": workflow, "inputs": {}}
        item = {"id": ITEM, "name": "Deploy", "spec": spec}
        body = {"project": "chaos", "name": "A small release", "items": [item], **sections}
        self.plan = (await self.send("POST", "/plans", body)).json()["id"]
        await self.order("seal", if_match="*")

    async def start(self) -> None:
        await self.order("start")
        await self.reaches("executing")

    async def execute(self) -> None:
        await self.order(f"items/{ITEM}/execute")

    async def view(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self._gateway.get(f"{API}/plans/{self.plan}")).json()
        return found

    async def reaches(self, status: str) -> dict[str, Any]:
        """The plan, once it has this status."""

        async def there() -> dict[str, Any]:
            view = await self.view()
            ends = [attempt for item in view["items"] for attempt in item["attempts"]]
            assert view["status"] == status, [(end["outcome"], end["error"]) for end in ends]
            return view

        return await eventually(there, what=f"the plan is in {status}")

    async def item_is(self, status: str) -> dict[str, Any]:
        """The item, once it has this status."""

        async def there() -> dict[str, Any]:
            item: dict[str, Any] = (await self.view())["items"][0]
            assert item["status"] == status, item
            return item

        return await eventually(there, what=f"the item is {status}")

    async def facts(self, type_name: str = "") -> list[Fact]:
        """The facts (of this type) in the plan and in its runs and deliveries, in the order of the log."""
        facts = await all_facts(self._arena)
        begun = {"run.created.v1", "delivery.created.v1"}
        streams = {fact.stream for fact in facts if fact.type in begun and self.plan.encode() in fact.payload}
        own = [fact for fact in facts if fact.stream in {*streams, f"plan-{self.plan}"}]
        return [fact for fact in own if type_name in ("", fact.type)]

    async def keys(self) -> set[str]:
        """The keys of all steps of which the log knows the intent."""
        return step_keys(await self.facts())


@asynccontextmanager
async def open_small(arena: Arena, user: str = "olivia") -> AsyncIterator[Small]:
    """Somebody, without a plan yet."""
    async with Gateway.open(arena.url, Secret(arena.tokens[user]), patience_seconds=120) as gateway:
        yield Small(arena, gateway)


def noting(folder: Path, name: str = "note", then: str = "") -> dict[str, Any]:
    """A script step that writes down under which key it runs."""
    text = f'echo "$GONOGO_KEY" >> {folder}/ran\n{then}'
    return {"type": "script", "name": name, "script": text, "timeout_seconds": 600}


def telling(url: str, name: str = "tell") -> dict[str, Any]:
    """An HTTP step that must not be repeated."""
    return {"type": "http", "name": name, "url": url, "method": "POST", "effect": "at_most_once"}
