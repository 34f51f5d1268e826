"""One command over HTTP beside the sum of its floors, and 32 callers beside a handler that does one INSERT."""

import asyncio
from contextlib import AsyncExitStack
from itertools import count
from typing import Any

import asyncpg
import nats

from contracts import plan_events as e
from contracts.registry import encode
from infra.eventlog import Append, Draft, EventLog
from infra.ids import random_id
from tests.bench.floors import SUBJECT
from tests.bench.rounds import Report, Run, Sample, callers, interleave
from tests.bench.stage import Stage, floor

CALLERS = 32
BODY = {"name": "Release 1.2", "project": "bench", "items": [{"id": "a", "name": "A", "spec": {"type": "text"}}]}
PAYLOAD = b"x" * 300


async def bench_command(stage: Stage, report: Report, *, rounds: int = 5, seconds: float = 2.0) -> None:
    """Adds the floors, the command at one caller and at 32, and the two ratios."""
    async with AsyncExitStack() as stack:
        candidates = await _candidates(stage, stack)
        seen = await interleave(report, candidates, rounds=rounds, seconds=seconds)
    floors = sum(seen[name].p50_ms for name in ("HTTP echo, 1", "NATS echo, 1", "append, 1"))
    report.at_most("HTTP command p50 / sum of its floors, 1 caller", 2.0, seen["HTTP command, 1"].p50_ms / floors)
    ratio = seen[f"HTTP command, {CALLERS}"].per_second / seen[f"HTTP handler with one INSERT, {CALLERS}"].per_second
    report.remark(f"HTTP commands per second / bare handler with one INSERT, {CALLERS} callers: {ratio:.2f}")


async def _candidates(stage: Stage, stack: AsyncExitStack) -> dict[str, Run]:
    connection = await asyncpg.connect(stage.admin_dsn)
    await connection.execute("create table if not exists bench_row (id bigserial primary key, body bytea not null)")
    await connection.close()
    http = await stack.enter_async_context(floor("http"))
    insert = await stack.enter_async_context(floor("insert", stage.admin_dsn))
    await stack.enter_async_context(floor("nats", *stage.nats_login("audit")))
    url, user, password = stage.nats_login("gateway")
    client = await nats.connect(url, user=user, password=password)
    stack.push_async_callback(client.close)
    log = await EventLog.open(stage.admin_dsn)
    stack.push_async_callback(log.close)
    plans = [await stage.call("POST", "/api/v1/plans", BODY) for _ in range(CALLERS)]
    await _answers(client)

    async def post(address: str) -> None:
        async with stage.session.post(address, data=PAYLOAD) as answer:
            await answer.read()

    numbers = count()

    headers = {
        "Authorization": f"Bearer {stage.tokens['olivia']}",
        "Content-Type": "application/json",
        "If-Match": "*",
    }
    addresses = [f"{stage.system.urls['gateway']}/api/v1/plans/{plan['id']}" for plan in plans]

    async def command(caller: int) -> None:
        body = b'{"labels":["n%d"]}' % next(numbers)
        async with stage.session.patch(addresses[caller], data=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            await answer.read()

    def one(work: Any) -> Run:
        return lambda seconds: callers(1, seconds, work)

    def many(work: Any) -> Run:
        return lambda seconds: callers(CALLERS, seconds, work)

    return {
        "HTTP echo, 1": one(lambda _: post(http)),
        "NATS echo, 1": one(lambda _: client.request(SUBJECT, PAYLOAD, timeout=5)),
        "append, 1": _appends(log),
        "HTTP command, 1": one(command),
        f"HTTP handler with one INSERT, {CALLERS}": many(lambda _: post(insert)),
        f"HTTP command, {CALLERS}": many(command),
    }


async def _answers(client: nats.NATS) -> None:
    """Wait until the echo is subscribed."""
    for _ in range(100):
        try:
            await client.request(SUBJECT, b"", timeout=1)
        except (nats.errors.NoRespondersError, TimeoutError):
            await asyncio.sleep(0.05)
        else:
            return
    raise TimeoutError("the NATS echo does not answer")


def _appends(log: EventLog) -> Run:
    draft = (Draft(*encode(e.PlanCancelled(reason="x" * 280))),)

    async def one(_caller: int) -> None:
        key = random_id()
        await log.append(Append(f"plan-{key}", 0, "service:bench", key, bytes(32), draft, 1, "service:bench", "bench"))

    async def run(seconds: float) -> Sample:
        return await callers(1, seconds, one)

    return run
