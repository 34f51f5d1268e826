"""Whole plans: ten text items from draft to success over HTTP, beside DBOS running a ten-step workflow.

Both on the same PostgreSQL, 16 clients each, in turn, the load of each in a process of its own. Ours crosses HTTP, NATS and
five services for each of its fifteen commands; DBOS runs in one process without HTTP.
"""

import asyncio
import sys

import msgspec

from tests.bench.rounds import Report, Sample, interleave
from tests.bench.stage import Stage

CLIENTS = 16


async def bench_plans(stage: Stage, report: Report, *, rounds: int = 3, seconds: float = 6.0) -> None:
    """Adds both rates and their ratio."""
    tokens = msgspec.json.encode(stage.tokens)

    async def ours(for_seconds: float) -> Sample:
        return await _load("plan_load", stage.system.urls["gateway"], for_seconds, tokens)

    async def dbos(for_seconds: float) -> Sample:
        return await _load("dbos_peer", stage.admin_dsn, for_seconds)

    mine, theirs = f"plans of ten items, {CLIENTS} clients", f"DBOS ten-step workflow, {CLIENTS} clients"
    await interleave(report, {mine: ours, theirs: dbos}, rounds=rounds, seconds=seconds)
    report.target("whole plans / DBOS ten-step workflows, 16 clients", 2.0, mine, theirs)


async def _load(module: str, address: str, seconds: float, told: bytes = b"") -> Sample:
    """What a load process prints at its end: rate, p50 and p99 in milliseconds."""
    argv = [sys.executable, "-m", f"tests.bench.{module}", address, str(CLIENTS), str(seconds)]
    process = await asyncio.create_subprocess_exec(*argv, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate(told)
    rate, p50, p99 = map(float, printed.split()[-3:])
    return Sample(rate, p50, p99)
