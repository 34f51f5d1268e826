"""A release of twelve items with parallel branches, whose every effect is counted by a target, driven by its owner.

Each item runs a process, which notes the key under which it ran, and sends a request that must not be repeated. The owner
presses as many items as they are let, and repeats an item only when it asks: its outcome is not known.
"""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from contracts.registry import decode
from contracts.run import RunCreated
from contracts.values import Item, WorkflowSpec
from infra.ids import random_id
from services.cli.problems import Problem
from tests.chaos.arena import Arena
from tests.chaos.proof import check_scripts
from tests.chaos.small import Small, noting, telling
from tests.support.executing import Target
from tests.support.wait import eventually

BRANCHES = 5
ASKS = "lease_lost_unknown_effect"


def twelve(workflow: str) -> list[Item]:
    """`begin`, five branches of two, `end`."""

    def item(name: str, *needs: str) -> Item:
        spec = WorkflowSpec(project="chaos", workflow=workflow, inputs={"item": name})
        return Item(id=name, name=name, needs=needs, spec=spec)

    branches = [item(f"b{n}", "begin") for n in range(BRANCHES)] + [item(f"c{n}", f"b{n}") for n in range(BRANCHES)]
    return [item("begin"), *branches, item("end", *(f"c{n}" for n in range(BRANCHES)))]


class Wide(Small):
    """The plan, its owner, and how many more items they may press (`let`)."""

    def __init__(self, arena: Arena, gateway: Any, target: Target, folder: Path) -> None:
        super().__init__(arena, gateway)
        self._target = target
        self._folder = folder
        self._allowed = 0
        self._pressed: set[str] = set()

    async def begin(self) -> None:
        """The plan, executing."""
        workflow = f"w-{random_id()}"
        tell = {**telling(self._target.url), "url": f"{self._target.url}/{{{{inputs.item}}}}"}
        steps = [noting(self._folder), tell]
        body = {"inputs": [{"name": "item"}], "stages": [{"name": "all", "steps": steps}]}
        await self.send("PUT", f"/workflows/chaos/{workflow}", body)
        items = msgspec.to_builtins(twelve(workflow))
        self.plan = (await self.send("POST", "/plans", {"project": "chaos", "name": "Wide", "items": items})).json()[
            "id"
        ]
        await self.order("seal", if_match="*")
        await self.start()

    def let(self, more: int) -> None:
        """The owner may press so many more items."""
        self._allowed += more

    async def drive(self) -> None:
        """Press what may be pressed, repeat what asks, until the plan has succeeded."""

        async def over() -> bool:
            view = await self.view()
            await self._press({item["item"]["id"]: item for item in view["items"]})
            return bool(view["status"] == "success")

        await eventually(over, 600, "the plan succeeds")

    async def _press(self, items: dict[str, Any]) -> None:
        for name, item in items.items():
            if item["status"] == "failed":
                assert ASKS in item["attempts"][-1]["error"], item
                await self._ask(f"items/{name}/retry")
            elif item["status"] == "todo" and item["ready"] and len(self._pressed | {name}) <= self._allowed:
                self._pressed.add(name)
                await self._ask(f"items/{name}/execute")

    async def _ask(self, verb: str) -> None:
        try:
            await self.order(verb)
        except Problem as problem:
            if problem.code not in {"item_running", "item_settled", "item_not_failed", "not_executing"}:
                raise  # else: it had been carried out, only the answer was lost

    async def check_effects(self) -> None:
        """Every key had its effect at most once; an item had more than one only where each but the last asked."""
        keys = self._target.keys
        assert [key for key, times in Counter(keys).items() if times != 1] == []
        check_scripts(self._folder / "ran", await self.keys())
        created = [decode(fact.type, fact.payload) for fact in await self.facts("run.created.v1")]
        item_of = {
            f"{fact.stream.removeprefix('run-')}": one.item
            for fact, one in zip(await self.facts("run.created.v1"), created, strict=True)
            if isinstance(one, RunCreated)
        }
        told = Counter(path.removeprefix("/") for _, path, _, _ in self._target.requests)
        ran = Counter(item_of[line.split("/")[0]] for line in (self._folder / "ran").read_text().split())
        for item in (await self.view())["items"]:
            asked = [attempt for attempt in item["attempts"] if ASKS in attempt["error"]]
            assert item["status"] == "done"
            assert len(item["attempts"]) == 1 + len(asked), item
            name = item["item"]["id"]
            for effects in (told[name], ran[name]):
                assert 1 <= effects <= 1 + len(asked), (item, effects)


async def beyond(seconds: float) -> None:
    """Returns when so much time has passed: for leases, which are times."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    await eventually(lambda: loop.time() > end, seconds + 5, "the time passes")
