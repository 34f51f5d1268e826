"""What a gateway does while something that it needs is away: it says so, with when to ask again, and recovers by itself."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import structlog
from structlog.testing import capture_logs

from contracts.commands import Failed
from services.gateway.door import Door
from services.gateway.listing import Listing
from tests.support.servers import Nats, Postgres
from tests.support.site import ITEMS, Answer, Site, open_site, stub
from tests.support.wait import eventually

NEW = {"project": "web", "name": "Release 1.2", "items": ITEMS}


@pytest_asyncio.fixture
async def site(postgres: Postgres, nats: Nats, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(postgres, nats, tmp_path, try_seconds=1.0, token_cache_seconds=60.0) as site:
        yield site


def assert_away(answer: Answer) -> None:
    assert (answer.status, answer.body["code"]) == (503, "unavailable"), answer.text
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.body["retry_after"] >= 1
    for inside in ("Traceback", "asyncpg", "Errno", "127.0.0.1", "password"):
        assert inside not in answer.text


async def test_the_database_away_is_a_503_on_reads_and_writes_and_the_same_request_succeeds_afterwards(
    site: Site, postgres: Postgres
) -> None:
    plan = await site.plan()
    await postgres.kill()
    try:
        read, listed, written = await asyncio.gather(
            site("GET", f"/api/v1/plans/{plan}"),
            site("GET", "/api/v1/plans"),
            site("POST", "/api/v1/plans", NEW, idempotency_key="through-the-storm"),
        )
        for answer in (read, listed, written):
            assert_away(answer)
        await eventually(lambda: _ready(site, 503), what="not ready")
        assert (await site("GET", "/healthz", as_="")).status == 200
    finally:
        await postgres.start()
    again = await eventually(lambda: _created(site, "through-the-storm"))
    await eventually(lambda: _ready(site, 200), what="ready again")
    assert (await site.view(plan))["version"] == 1
    once_more = await site("POST", "/api/v1/plans", NEW, idempotency_key="through-the-storm")
    assert once_more.body["id"] == again.body["id"]


async def test_nats_away_is_a_503_on_writes_while_reads_go_on_and_it_comes_back_by_itself(
    site: Site, nats: Nats
) -> None:
    plan = await site.plan()
    await nats.kill()
    try:
        written = await site("POST", "/api/v1/plans", NEW, idempotency_key="no-bus")
        assert_away(written)
        assert (await site.view(plan))["version"] == 1
        await eventually(lambda: _ready(site, 503), what="not ready")
    finally:
        await nats.start()
    await eventually(lambda: _created(site, "no-bus"))
    await eventually(lambda: _ready(site, 200), what="ready again")


async def _created(site: Site, key: str) -> Answer | None:
    answer = await site("POST", "/api/v1/plans", NEW, idempotency_key=key)
    return answer if answer.status == 201 else None


async def _ready(site: Site, status: int) -> bool:
    return (await site("GET", "/readyz", as_="")).status == status


async def test_a_service_that_could_not_do_it_is_a_503_that_may_be_repeated(site: Site) -> None:
    async with stub(site.apps, "executor", lambda _: Failed("no room", retry_after_seconds=7)):
        answer = await site("POST", f"/api/v1/plans/{'a' * 24}/start")
    assert_away(answer)
    assert answer.headers["Retry-After"] == "7"


async def test_a_service_that_nobody_runs_is_a_503(site: Site) -> None:
    assert_away(await site("POST", f"/api/v1/plans/{'a' * 24}/start"))


async def test_an_unexpected_fault_shows_its_trace_id_alone_and_is_logged_under_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("the secret plumbing broke")

    monkeypatch.setattr(Listing, "plans", broken)
    monkeypatch.setattr("services.gateway.door.log", structlog.get_logger())
    with capture_logs() as logs:
        answer = await site("GET", "/api/v1/plans?text=hunter2")
    assert (answer.status, answer.body["code"]) == (500, "internal")
    assert "plumbing" not in answer.text
    (told,) = [entry for entry in logs if entry["event"] == "request_failed"]
    assert told["trace_id"] == answer.body["trace_id"]
    assert "plumbing" in repr(told["exc_info"])


async def test_the_line_of_log_of_a_request_has_neither_its_query_nor_its_token(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.door.log", structlog.get_logger())
    with capture_logs() as logs:
        await site("GET", "/api/v1/plans?text=hunter2")
    (line,) = [entry for entry in logs if entry["event"] == "http_request"]
    assert (line["route"], line["status"], line["actor"]) == ("/api/v1/plans", 200, "user:olivia")
    assert "hunter2" not in repr(line)
    assert site.tokens["olivia"] not in repr(logs)


async def test_a_request_in_flight_is_finished_when_the_gateway_ends(
    postgres: Postgres, nats: Nats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    real = Door._actor

    async def slow(self: Door, *args: object) -> object:
        begun.set()
        await go_on.wait()
        return await real(self, *args)  # type: ignore[arg-type]  # whatever it was called with

    async with open_site(postgres, nats, tmp_path) as site:
        monkeypatch.setattr(Door, "_actor", slow)
        asking = asyncio.create_task(site("GET", "/api/v1/me"))
        await begun.wait()
        ending = asyncio.ensure_future(site.end_gateway())
        await eventually(lambda: "draining" in (site.gateway.ready() or ""))
        go_on.set()
        assert (await asking).status == 200
        await ending
