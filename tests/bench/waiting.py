"""What it costs when nothing happens: processor seconds per minute of each part, empty and with 1,000 plans that wait.

They wait for all that a plan can wait for: a vote, an outside system, its schedule, its window, its owner, its items. The
floor is the same system before any of them was made. `GONOGO_BENCH_SECONDS` is how long each of the two is watched.
"""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from contracts.moments import EPOCH
from infra.clock import SystemClock
from tests.bench.rounds import Report
from tests.bench.stage import Stage, open_stage

PLANS = 1_000
_CLIENTS = 16
_SETTLE_SECONDS = 5.0
_MOST_SECONDS_PER_MINUTE = 0.3
"""Half a percent of one processor: less than what two minutes of the same empty system differ by."""

_VOTE = {"levels": [{"rules": [{"approvers": ["user:ana"], "needed": 1}]}], "deadline_seconds": 86_400}


def kinds() -> Iterator[tuple[str, dict[str, Any], tuple[str, ...]]]:
    """What they wait for, the sections of such a plan, and the orders that bring it there; over and over."""
    soon = EPOCH + timedelta(microseconds=SystemClock().now(), days=1)
    window = {"start": soon.isoformat(), "end": (soon + timedelta(hours=4)).isoformat(), "zone": "UTC"}
    by_owner = {"start": "by_owner"}
    while True:
        yield "vote", {"approval": _VOTE}, ("seal", "submit")
        yield "check", {"gates": {"finish_planning": {"deadline_seconds": 86_400}}}, ("seal",)
        yield "schedule", {"schedule": {"at": soon.isoformat()}}, ("seal",)
        yield "window", {"window": window, "rules": by_owner}, ("seal",)
        yield "owner", {"rules": by_owner}, ("seal",)
        yield "items", {"rules": by_owner}, ("seal", "start")


async def make(stage: Stage, how_many: int) -> None:
    """So many plans, some of each kind."""
    ways, numbers = kinds(), count()

    async def client() -> None:
        while (number := next(numbers)) < how_many:
            name, sections, orders = next(ways)
            items = [
                {"id": f"i{i}", "name": f"Item {i}", "spec": {"type": "text", "content": "Do it."}} for i in range(10)
            ]
            body = {"project": "bench", "name": f"{name} {number}", "items": items, **sections}
            plan = (await stage.call("POST", "/api/v1/plans", body))["id"]
            for order in orders:
                await stage.call("POST", f"/api/v1/plans/{plan}/{order}", {}, **{"If-Match": "*"})

    await asyncio.gather(*(client() for _ in range(_CLIENTS)))


async def tidy(stage: Stage) -> None:
    """Do what PostgreSQL would do about the new rows in its own time: that is the cost of making them, not of their waiting."""
    connection = await asyncpg.connect(stage.admin_dsn)
    await connection.execute("vacuum analyze")
    await connection.execute("checkpoint")
    await connection.close()


def used(stage: Stage) -> dict[str, float]:
    """Processor seconds of each part by now; PostgreSQL with all of its processes."""
    found = {}
    for name, pid in stage.system.pids.items():
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        found[name] = sum(sum(one.cpu_times()[:4]) for one in family)
    return found


async def watch(stage: Stage, seconds: float) -> Mapping[str, float]:
    """Processor seconds per minute of each part, while nobody does anything."""
    await asyncio.sleep(_SETTLE_SECONDS)
    before = used(stage)
    await asyncio.sleep(seconds)
    after = used(stage)
    return {name: (after[name] - before[name]) * 60 / seconds for name in before}


async def main(output: Path) -> None:
    report, seconds = Report(), float(os.environ.get("GONOGO_BENCH_SECONDS", "60"))
    folder = Path(tempfile.mkdtemp(prefix="gonogo-bench-"))
    try:
        async with open_stage(folder) as stage:
            empty = await watch(stage, seconds)
            await make(stage, PLANS)
            await tidy(stage)
            waiting = await watch(stage, seconds)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder)
    for name, floor in empty.items():
        told = (
            f"{name}: {floor:.2f} s of processor a minute when empty, {waiting[name]:.2f} s with {PLANS} plans waiting"
        )
        print(f"  {told}", flush=True)
        report.remark(told)
        report.at_most(
            f"{PLANS} waiting plans cost {name}, s of processor per minute",
            _MOST_SECONDS_PER_MINUTE,
            waiting[name] - floor,
        )
    report.write(output)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/bench/waiting.json")))
