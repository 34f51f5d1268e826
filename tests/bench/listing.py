"""A filtered first page of 100,000 plans over HTTP, beside the same query as bare SQL; and the calendar of real releases.

The bare query asks for the same columns and only for the filters that are used, prepared, on a connection of its own: what
somebody would write who had no gateway. The plans come into the list the way all do: from the log, by the planner.

`python -m tests.bench.listing` writes `build/bench/listing.json`.
"""

import asyncio
import random
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from contracts.calendar import span_of
from contracts.plan_events import PlanCreated
from contracts.registry import encode
from contracts.values import Content, Item, TextSpec, Touch, Window
from infra.eventlog import Append, Draft, EventLog
from infra.ids import derived_id
from tests.bench.rounds import Report, Sample, callers, interleave
from tests.bench.stage import Stage, open_stage
from tests.support.release_calendar import walk
from tests.support.releases import CHECKLIST, RELEASES

PLANS = 100_000
CALLERS = 4
_START = datetime(2026, 1, 1, tzinfo=UTC)
_COLUMNS = (
    "id, idx, project, name, status, owners, labels, window_start, window_end, zone, starts, touches, item_owners, "
    "waiting_for, created_at, updated_at, updated_by, version, position, review_owed"
)
QUERIES = {
    "owner, label and status": (
        "owner=user:p17&label=l3&status=planning",
        "owners && '{user:p17}' and labels && '{l3}' and status = 'planning' order by idx desc",
    ),
    "window, by its start": (
        "window_from=2026-05-01T00:00:00Z&window_to=2026-05-02T00:00:00Z&project=web7&order=window",
        "starts is not null and int8range(starts, ends) && int8range(1777593600000000, 1777680000000000) "
        "and project = 'web7' "
        "order by coalesce(starts, 9223372036854775807), idx",
    ),
    "item owner and what it touches": (
        "item_owner=user:p5&touches=api3/production",
        "item_owners && '{user:p5}' and touches && '{api3/production}' order by idx desc",
    ),
    "words of the name": (
        "text=release%2077",
        "strpos(search, 'release 77') > 0 order by idx desc",
    ),
}


def content(number: int) -> Content:
    """A plan like those around it, and not like any other."""
    chance = random.Random(number)
    start = _START + timedelta(hours=chance.randrange(24 * 365))
    return Content(
        name=f"Release {number}",
        owner=(f"user:p{chance.randrange(200)}",),
        labels=(f"l{chance.randrange(10)}", f"m{chance.randrange(50)}"),
        window=Window(start=start, end=start + timedelta(hours=chance.randrange(1, 72))),
        touches=(Touch(service=f"api{chance.randrange(100)}", environment=chance.choice(("production", "staging"))),),
        items=(Item(id="a", name="A", spec=TextSpec(), owner=(f"user:p{chance.randrange(200)}",)),),
    )


async def fill(stage: Stage) -> None:
    """Appends the plans, and waits until the planner has listed them."""
    log = await EventLog.open(stage.admin_dsn)
    try:
        last = 0
        for first in range(0, PLANS, 500):
            appended = await asyncio.gather(*(log.append(_append(number)) for number in range(first, first + 500)))
            last = max(outcome.last for outcome in appended)  # type: ignore[union-attr]  # appended, each of them
        async with asyncio.timeout(600):
            while await log.pool.fetchval("select position from view.checkpoint where name = 'plans'") < last:
                await asyncio.sleep(0.2)
        await log.pool.execute("vacuum analyze view.plan")
    finally:
        await log.close()


def _append(number: int) -> Append:
    made = content(number)
    assert span_of(made) is not None
    event = PlanCreated(index=number + 1, project=f"web{number % 20}", content=made)
    plan = derived_id("bench", str(number))
    at = 1_760_000_000_000_000 + number * 1_000_000
    key = f"listing-{number}"
    return Append(
        f"plan-{plan}", 0, "user:olivia", key, bytes(32), (Draft(*encode(event)),), at, "user:olivia", "bench"
    )


async def bench_listing(stage: Stage, report: Report, *, rounds: int = 3, seconds: float = 3.0) -> None:
    """Adds a ratio of p99 per query."""
    await fill(stage)
    pool = await asyncpg.create_pool(stage.admin_dsn, min_size=CALLERS, max_size=CALLERS)
    for name, (query, condition) in QUERIES.items():
        sql = f"select {_COLUMNS} from view.plan where {condition} limit 51"
        page = await stage.call("GET", f"/api/v1/plans?{query}")
        rows = await pool.fetch(sql)
        assert [plan["id"] for plan in page["plans"]] == [row["id"] for row in rows[:50]], name
        assert rows, name
        ours, bare = f"list by {name}", f"bare SQL by {name}"
        candidates = {ours: _http(stage, query), bare: _bare(pool, sql)}
        seen = await interleave(report, candidates, rounds=rounds, seconds=seconds)
        report.at_most(
            f"p99 of a first page of {PLANS:,} plans by {name} / bare SQL", 5.0, seen[ours].p99_ms / seen[bare].p99_ms
        )
    await pool.close()


def _http(stage: Stage, query: str) -> Callable[[float], Awaitable[Sample]]:
    headers = {"Authorization": f"Bearer {stage.tokens['olivia']}"}
    url = f"{stage.system.urls['gateway']}/api/v1/plans?{query}"

    async def one(_: int) -> None:
        async with stage.session.get(url, headers=headers) as answer:
            assert answer.status == 200
            await answer.read()

    return lambda seconds: callers(CALLERS, seconds, one)


def _bare(pool: "asyncpg.Pool[asyncpg.Record]", sql: str) -> Callable[[float], Awaitable[Sample]]:
    async def one(_: int) -> None:
        await pool.fetch(sql)

    return lambda seconds: callers(CALLERS, seconds, one)


async def bench_releases(stage: Stage, report: Report) -> None:
    """The 651 releases of CPython and the longest checklist of Kubernetes, from nothing to an exported calendar."""
    if not (RELEASES.exists() and CHECKLIST.exists()):
        report.remark("The shared data is not here: the calendar of real releases was not measured.")
        return

    async def ask(method: str, path: str, body: Any = None) -> tuple[int, str]:
        markdown = isinstance(body, bytes)
        data = body if markdown else msgspec.json.encode(body) if body is not None else None
        headers = {
            "Authorization": f"Bearer {stage.tokens['olivia']}",
            "Content-Type": "text/markdown" if markdown else "application/json",
        }
        url = stage.system.urls["gateway"] + path
        async with stage.session.request(method, url, data=data, headers=headers) as answer:
            return answer.status, await answer.text()

    seen = await walk(ask)
    report.at_most("651 releases and 112 boxes: load, list, filter, export, s", 10.0, seen.total_seconds)
    report.remark(f"The calendar of real releases, in seconds: {seen.seconds}.")


async def main(output: Path) -> None:
    report = Report()
    folder = Path(tempfile.mkdtemp(prefix="gonogo-bench-"))
    try:
        async with open_stage(folder) as stage:
            await bench_releases(stage, report)
            await bench_listing(stage, report)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder)
    report.write(output)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/bench/listing.json")))
