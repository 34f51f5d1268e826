"""Presence over HTTP and the live feed, with two gateways that see each other."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from services.gateway import app as gateway_app
from services.gateway.config import GatewaySettings
from tests.support.clocks import MovedClock
from tests.support.servers import Nats, Postgres
from tests.support.site import Site, open_site
from tests.support.wait import eventually

TTL_SECONDS = 600.0


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest_asyncio.fixture
async def site(postgres: Postgres, nats: Nats, tmp_path: Path, clock: MovedClock) -> AsyncIterator[Site]:
    async with open_site(postgres, nats, tmp_path, clock=clock, presence_seconds=TTL_SECONDS) as site:
        yield site


async def events(site: Site, url: str, plan: str) -> AsyncIterator[tuple[dict[str, str], Any]]:
    """The feed's events of a plan: their fields, and their data."""
    headers = {"Authorization": f"Bearer {site.tokens['ana']}"}
    async with site.session.get(f"{url}/api/v1/feed?plan={plan}", headers=headers) as response:
        fields: dict[str, str] = {}
        async for raw in response.content:
            line = raw.decode().rstrip("\n")
            name, _, value = line.partition(": ")
            if line:
                fields[name] = value
            elif "data" in fields:
                yield fields, msgspec.json.decode(fields["data"])
                fields = {}


async def test_two_gateways_tell_their_listeners_who_is_on_which_section_until_they_fall_silent(
    site: Site, clock: MovedClock
) -> None:
    plan = await site.plan()
    path = f"/api/v1/plans/{plan}/presence"
    settings = site.apps.settings("gateway", GatewaySettings, http_port=0, presence_seconds=TTL_SECONDS)
    async with gateway_app.build(settings, clock) as other:
        await eventually(lambda: other.ready() is None, what="the other gateway is ready")
        url = f"http://127.0.0.1:{other.port}"
        came = await site("POST", path, {"session": "tab-1", "section": "items", "item": "announce", "version": 1})
        assert (came.status, came.body["ttl_seconds"]) == (200, TTL_SECONDS)

        async def seen() -> bool:
            found = await site("GET", f"{url}{path}")
            return [(one["by"], one["section"], one["item"]) for one in found.body["present"]] == [
                ("user:olivia", "items", "announce")
            ]

        await eventually(seen, what="the other gateway knows")
        heard: list[tuple[bool, list[str]]] = []

        async def listen() -> None:
            async for fields, data in events(site, url, plan):
                if fields["event"] == "presence":
                    heard.append(("id" in fields, [one["section"] for one in data["present"]]))

        listening = asyncio.create_task(listen())
        try:
            await site("POST", path, {"session": "tab-1", "section": "items"})
            await eventually(lambda: heard and heard[-1][1] == ["items"], what="told on coming")
            await site("POST", path, {"session": "tab-1", "section": "window"})
            await eventually(lambda: heard[-1][1] == ["window"], what="told on moving")
            clock.advance(TTL_SECONDS)
            await eventually(lambda: heard[-1][1] == [], what="told on falling silent")
            await site("POST", path, {"session": "tab-1"})
            await eventually(lambda: heard[-1][1] == [""], what="told on coming back")
            await site("DELETE", f"{path}?session=tab-1")
            await eventually(lambda: heard[-1][1] == [], what="told on leaving")
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        assert not any(has_id for has_id, _ in heard)


async def test_presence_on_no_plan_and_with_a_wrong_body_is_refused(site: Site) -> None:
    plan = await site.plan()
    nowhere = await site("POST", f"/api/v1/plans/{'0' * 24}/presence", {"session": "a"})
    wrong = await site("POST", f"/api/v1/plans/{plan}/presence", {"session": "a b", "section": "colour"})
    nobody = await site("POST", f"/api/v1/plans/{plan}/presence", {"session": "a"}, as_="")
    assert (nowhere.status, wrong.status, nobody.status) == (404, 422, 401)
    assert sorted(wrong.paths) == ["/section", "/session"]
    assert (await site("GET", f"/api/v1/plans/{plan}/presence")).body["present"] == []


async def test_presence_leaves_no_trace_in_the_log(site: Site) -> None:
    plan = await site.plan()
    before = (await site.view(plan))["position"]
    await site("POST", f"/api/v1/plans/{plan}/presence", {"session": "a", "section": "items"})
    record = await site("GET", f"/api/v1/plans/{plan}/record?min_position={before}")
    assert (record.body["position"], (await site.view(plan))["version"]) == (before, 1)
