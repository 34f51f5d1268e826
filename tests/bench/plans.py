"""Whole plans: ten text items from draft to success over HTTP, beside DBOS running a ten-step workflow.

Both on the same PostgreSQL, 16 clients each, in turn. Ours crosses HTTP, NATS and five services for each of its fifteen
commands; DBOS runs in one process without HTTP.
"""

import asyncio
import sys

from tests.bench.rounds import Report, Sample, callers, interleave
from tests.bench.stage import Stage

CLIENTS = 16
ITEMS = [{"id": f"i{i}", "name": f"Item {i}", "spec": {"type": "text", "content": "Do it."}} for i in range(10)]
BODY = {
    "name": "Ten items",
    "project": "bench",
    "items": ITEMS,
    "approval": {"levels": [{"rules": [{"approvers": ["user:ana"], "needed": 1}]}]},
    "rules": {"start": "by_owner"},
}


async def whole_plan(stage: Stage) -> None:
    """About fifteen commands: create, seal, submit, vote, start, ten completions."""
    plan = (await stage.call("POST", "/api/v1/plans", BODY))["id"]
    path, current = f"/api/v1/plans/{plan}", {"If-Match": "*"}
    await stage.call("POST", f"{path}/seal", {}, **current)
    await stage.call("POST", f"{path}/submit", {}, **current)
    seal = (await stage.call("GET", path, who="ana"))["seal"]["value"]
    await stage.call("POST", f"{path}/vote", {"vote": "approve", "seal": seal}, who="ana")
    await stage.call("POST", f"{path}/start", {})
    for item in ITEMS:
        await stage.call("POST", f"{path}/items/{item['id']}/complete", {"remark": "done"})
    assert (await stage.call("GET", path))["status"] == "success"


async def bench_plans(stage: Stage, report: Report, *, rounds: int = 3, seconds: float = 6.0) -> None:
    """Adds both rates and their ratio."""

    async def ours(for_seconds: float) -> Sample:
        return await callers(CLIENTS, for_seconds, lambda _: whole_plan(stage))

    async def dbos(for_seconds: float) -> Sample:
        return await _dbos(stage.admin_dsn, for_seconds)

    mine, theirs = f"plans of ten items, {CLIENTS} clients", f"DBOS ten-step workflow, {CLIENTS}"
    await interleave(report, {mine: ours, theirs: dbos}, rounds=rounds, seconds=seconds)
    report.target("whole plans / DBOS ten-step workflows, 16 clients", 2.0, mine, theirs)


async def _dbos(dsn: str, seconds: float) -> Sample:
    """DBOS in a process of its own, since it keeps its engine in module globals."""
    argv = [sys.executable, "-m", "tests.bench.dbos_peer", dsn, str(CLIENTS), str(seconds)]
    process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    rate, p50, p99 = map(float, printed.split()[-3:])
    return Sample(rate, p50, p99)
