"""How the items of the plan are done: texts by several hands at once, workflows one after the other, one skipped.

A failed workflow item is a part of the show (nobody has signed off the build) and, when the system is under fire, a fact
of life: a step whose outcome cannot be known fails its item. Either way it is repaired and retried, a bounded number
of times.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.cli.demo.cast import Cast, expect
from services.cli.demo.content import SKIP_REASON
from services.cli.demo.progress import Step
from services.cli.problems import Problem

HANDS = 8
MOST_ATTEMPTS = 6


def texts(plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The text items, as the plan holds them."""
    return [view["item"] for view in plan["items"] if view["item"]["spec"]["type"] == "text"]


def workflows(plan: Mapping[str, Any]) -> list[str]:
    """The ids of the workflow items, in order."""
    return [view["item"]["id"] for view in plan["items"] if view["item"]["spec"]["type"] == "workflow"]


def skipped_one(plan: Mapping[str, Any]) -> str:
    """The item that is left out: the last text, as long as another one is left to do."""
    found = texts(plan)
    return str(found[-1]["id"]) if len(found) > 1 else ""


async def do_texts(cast: Cast, plan: Mapping[str, Any], step: Step) -> int:
    """Ticks every sub-step and completes every text item but the one that is skipped; returns how many boxes that were."""
    todo = [item for item in texts(plan) if item["id"] != skipped_one(plan)]
    hands = asyncio.Semaphore(HANDS)
    boxes = 0

    async def do(item: Mapping[str, Any]) -> None:
        nonlocal boxes
        async with hands:
            for sub_step in item["spec"].get("sub_steps", ()):
                await cast.order("olivia", f"items/{item['id']}/tick", {"step": sub_step["id"], "ticked": True})
                boxes += 1
            await cast.order("olivia", f"items/{item['id']}/complete", {"remark": "done in the demonstration"})
            boxes += 1
        step.say(f"{boxes} boxes")

    try:
        async with asyncio.TaskGroup() as group:
            for item in todo:
                group.create_task(do(item))
    except* Problem as problems:
        raise _first(problems) from None
    return boxes


def _first(problems: BaseExceptionGroup[Problem]) -> Problem:
    """One of the problems; the others are of the same kind."""
    first = problems.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


async def skip(cast: Cast, item: str) -> None:
    """Leaves one item out, with a reason."""
    await cast.order("olivia", f"items/{item}/skip", {"reason": SKIP_REASON})


async def run_until_settled(cast: Cast, item: str) -> dict[str, Any]:
    """Starts a workflow item and returns it done or failed."""
    await cast.order("olivia", f"items/{item}/execute")
    return await _settled(cast, item)


async def retry_until_done(cast: Cast, item: str) -> dict[str, Any]:
    """Retries a failed item until it is done; a bounded number of times."""
    for _ in range(MOST_ATTEMPTS):
        await cast.order("olivia", f"items/{item}/retry")
        view = await _settled(cast, item)
        if view["status"] == "done":
            return view
    error = view["attempts"][-1]["error"]
    expect(False, f"Item {item} still fails after {len(view['attempts'])} attempts: {error}.")
    return view


async def _settled(cast: Cast, item: str) -> dict[str, Any]:
    plan = await cast.until(lambda now: item_of(now, item)["status"] in ("done", "failed"), f"item {item}")
    return item_of(plan, item)


def item_of(plan: Mapping[str, Any], item: str) -> dict[str, Any]:
    """The view of one item."""
    found: dict[str, Any] = next(view for view in plan["items"] if view["item"]["id"] == item)
    return found


def sign_off(folder: Path) -> None:
    """Takes the reason for the build's failure away."""
    (folder / "signed-off").touch()
