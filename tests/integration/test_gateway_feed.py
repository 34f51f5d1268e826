"""The live feed: every event once, in order, from any position on, and never without bound."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from contracts.delivery import DeliveryCreated, EndpointPut
from contracts.plan_events import Event
from contracts.registry import encode
from contracts.run import RunClaimed, RunCreated
from contracts.saved_list import Filters, ListSaved
from infra.eventlog import EventLog
from infra.eventlog.model import Append, Appended, Draft
from infra.ids import random_id
from services.gateway import feed as feed_module
from services.gateway import staying as staying_module
from services.gateway.routes import feed as route_module
from tests.integration.test_gateway_reading import DEFINITION
from tests.support.builders import NOON
from tests.support.servers import Nats, Postgres
from tests.support.site import Site, open_log, open_site
from tests.support.wait import PATIENCE_SECONDS, eventually

BATCH = 500


@pytest_asyncio.fixture
async def site(postgres: Postgres, nats: Nats, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(postgres, nats, tmp_path, drain_seconds=PATIENCE_SECONDS) as site:
        yield site


class Heard:
    """What one client of the feed has received."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.comments = 0
        self.retry = ""
        self.epoch = response.headers["Gonogo-Epoch"]

    async def next(self) -> dict[str, str]:
        """The next event's fields; empty at the end."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(PATIENCE_SECONDS):
            while line := (await self._response.content.readline()).decode():
                name, _, value = line.rstrip("\n").partition(": ")
                if line.startswith(":"):
                    self.comments += 1
                elif name == "retry":
                    self.retry = value
                elif name:
                    fields[name] = value
                elif fields:
                    return fields
        return {}

    async def some(self, count: int) -> list[dict[str, Any]]:
        """The data of the next events."""
        found = []
        for _ in range(count):
            fields = await self.next()
            data = msgspec.json.decode(fields["data"])
            assert (str(data["position"]), data["type"]) == (fields["id"], fields["event"])
            found.append(data)
        return found


@asynccontextmanager
async def listening(site: Site, query: str = "", last: int | None = None, as_: str = "ben") -> AsyncIterator[Heard]:
    headers = {"Authorization": f"Bearer {site.tokens[as_]}"}
    if last is not None:
        headers["Last-Event-ID"] = str(last)
    async with (
        aiohttp.ClientSession(headers=headers, read_bufsize=2**12) as session,
        session.get(f"{site.url}/api/v1/feed{query}") as response,
    ):
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        yield Heard(response)


async def put_in(log: EventLog, stream: str, *events: Event, expected: int = 0) -> int:
    drafts = tuple(Draft(*encode(event)) for event in events)
    outcome = await log.append(
        Append(stream, expected, "user:test", random_id(), b"f" * 32, drafts, NOON, "user:test", "system")
    )
    assert isinstance(outcome, Appended), outcome
    return outcome.last


async def renewals(log: EventLog, count: int, *, size: int = 500) -> None:
    """Many events of one run, each of so many bytes."""
    stream = f"run-{random_id()}"
    for start in range(0, count, BATCH):
        batch = [RunClaimed(owner="x" * size, until=0) for _ in range(min(BATCH, count - start))]
        await put_in(log, stream, *batch, expected=start)


async def test_a_listener_hears_what_happens_after_it_came(site: Site) -> None:
    before = await site.plan()
    async with listening(site) as heard:
        plan = await site.plan()
        (event,) = await heard.some(1)
    assert event["plan"] == plan != before
    assert (event["stream"], event["version"], event["type"]) == (f"plan-{plan}", 1, "plan.created.v1")
    assert (event["actor"], event["data"]["content"]["name"]) == ("user:olivia", "Release 1.2")
    assert event["at"].endswith("Z")
    assert heard.retry


async def test_a_listener_that_comes_back_misses_nothing_and_hears_nothing_twice(site: Site) -> None:
    plans = [await site.plan() for _ in range(3)]
    async with listening(site, "?after=0") as heard:
        first = await heard.some(2)
    async with listening(site, "?after=0", last=first[-1]["position"]) as heard:
        plans.append(await site.plan())
        rest = await heard.some(2)
    events = first + rest
    assert [event["position"] for event in events] == [1, 2, 3, 4]
    assert [event["plan"] for event in events] == plans


async def test_catching_up_while_the_log_grows_leaves_no_gap(site: Site) -> None:
    async with open_log(site.apps) as log:
        await renewals(log, 1_700)
        stop = asyncio.Event()

        async def go_on() -> None:
            while not stop.is_set():
                await renewals(log, 5)

        writing = asyncio.create_task(go_on())
        async with listening(site, "?after=0") as heard:
            positions = [event["position"] for event in await heard.some(2_500)]
        stop.set()
        await writing
    assert positions == list(range(1, 2_501))


async def test_a_filtered_listener_hears_its_plan_with_its_runs_and_nothing_else(site: Site) -> None:
    async with open_log(site.apps) as log:
        mine, other, run = await site.plan(), await site.plan(), random_id()
        created = RunCreated(
            plan=mine, item="a", attempt=1, revision=1, digest="d", definition=DEFINITION, inputs={"KEY": "private"}
        )
        await put_in(log, f"run-{run}", created)
        async with listening(site, f"?plan={mine}&after=0") as heard:
            past = await heard.some(2)
            await site("PATCH", f"/api/v1/plans/{other}", {"name": "no"}, if_match="*")
            await put_in(log, f"run-{run}", RunClaimed(owner="me", until=1), expected=1)
            await site("PATCH", f"/api/v1/plans/{mine}", {"name": "yes"}, if_match="*")
            live = await heard.some(2)
    assert [event["type"] for event in past + live] == [
        "plan.created.v1",
        "run.created.v1",
        "run.claimed.v1",
        "plan.edited.v1",
    ]
    assert {event["plan"] for event in past + live} == {mine}
    assert "inputs" not in past[1]["data"]


async def test_what_only_administrators_may_read_has_its_place_in_the_feed_and_no_data_for_others(site: Site) -> None:
    put = EndpointPut(url="https://hooks.example.com/T0/secret-path", events=("plan.*",), secret_ref="", enabled=True)
    listed = ListSaved(name="mine", filters=Filters(text="quiet"))
    async with open_log(site.apps) as log:
        await put_in(log, "endpoint-ab", put)
        await put_in(log, "list-ab", listed)
        await put_in(
            log,
            "delivery-ab",
            DeliveryCreated("", "endpoint.tested.v1", 0, "ab", 1, 2, "digest"),
        )
    plan = await site.plan()
    for query in ("?after=0", ""):
        async with listening(site, query) as heard, listening(site, query, as_="ada") as administrator:
            if not query:
                async with open_log(site.apps) as log:
                    await put_in(log, "endpoint-cd", put)
            count = 1 if not query else 4
            seen, all_of_it = await heard.some(count), await administrator.some(count)
        assert [event["position"] for event in seen] == [event["position"] for event in all_of_it]
        hidden = [event["type"] for event in seen if event["data"] == {}]
        if query:
            assert hidden == ["endpoint.put.v1", "list.saved.v1", "delivery.created.v1"]
            assert seen[-1] == all_of_it[-1]
            assert seen[-1]["plan"] == plan
        else:
            assert hidden == ["endpoint.put.v1"]
        assert all_of_it[0]["data"]["url"] == put.url


async def test_a_feed_ends_when_its_token_is_taken_back(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route_module, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(staying_module, "AGAIN_SECONDS", 0.05)
    async with listening(site) as heard:
        await site.plan()
        assert (await heard.next())["event"] == "plan.created.v1"
        gone = {"name": "Ben", "active": False, "groups": ["sre"]}
        assert (await site("PUT", "/api/v1/users/ben", gone, as_="ada")).status == 200
        events = [await heard.next() for _ in range(2)]
        assert "drain" in {event.get("event") for event in events}, "it may see the order that ends it"
        assert events[-1] == {} or await heard.next() == {}


async def test_a_position_that_the_log_does_not_have_is_refused(site: Site) -> None:
    answer = await site("GET", "/api/v1/feed", last_event_id="1000000")
    assert (answer.status, answer.body["code"], answer.body["position"]) == (410, "another_log", 0)
    assert (await site("GET", "/api/v1/feed", last_event_id="x")).status == 400


async def test_a_quiet_feed_sends_a_sign_of_life(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route_module, "HEARTBEAT_SECONDS", 0.05)
    async with listening(site) as heard:
        hearing = asyncio.create_task(heard.next())
        await eventually(lambda: heard.comments >= 2)
        await site.plan()
        assert (await hearing)["event"] == "plan.created.v1"


async def test_a_listener_that_does_not_read_is_cut_off_and_others_are_not(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quick one has read each batch before the next is written, so it never has more than one waiting for it."""
    monkeypatch.setattr(feed_module, "MOST_WAITING", BATCH)
    total = 0
    async with open_log(site.apps) as log, listening(site) as slow, listening(site) as quick:
        await eventually(lambda: _listeners(site, 2))
        while not await _listeners(site, 1):
            assert total < 20_000, "the slow one is still there; no system keeps so much in its sockets"
            await renewals(log, BATCH, size=5_000)
            total += BATCH
            assert (await quick.some(BATCH))[-1]["position"] == total
        await renewals(log, 1)
        assert (await quick.some(1))[-1]["position"] == total + 1
        with pytest.raises((aiohttp.ClientError, KeyError)):
            await slow.some(total)


async def _listeners(site: Site, count: int) -> bool:
    return f"gonogo_feed_listeners {count}.0" in (await site("GET", "/metrics", as_="")).text


async def test_a_gateway_that_ends_tells_its_listeners(postgres: Postgres, nats: Nats, tmp_path: Path) -> None:
    async with open_site(postgres, nats, tmp_path) as site:
        headers = {"Authorization": f"Bearer {site.tokens['ben']}"}
        session = aiohttp.ClientSession(headers=headers)
        response = await session.get(f"{site.url}/api/v1/feed")
        heard = Heard(response)
        last = asyncio.create_task(heard.next())
        await eventually(lambda: _listeners(site, 1))
    assert (await last)["event"] == "drain"
    assert await heard.next() == {}
    response.close()
    await session.close()


async def test_a_gateway_that_ends_while_a_listener_catches_up_leaves_no_gap_behind_its_last_event(site: Site) -> None:
    async with open_log(site.apps) as log:
        await renewals(log, 20_000)
    async with listening(site, "?after=0") as heard:
        positions = [event["position"] for event in await heard.some(1)]
        await site.plan()
        ending = asyncio.ensure_future(site.end_gateway())
        await eventually(lambda: "draining" in (site.gateway.ready() or ""))
        while (fields := await heard.next()).get("event") != "drain":
            positions.append(int(fields["id"]))
        await ending
    assert positions == list(range(1, len(positions) + 1))
    assert len(positions) < 20_000, "it had caught up before the end, so nothing was shown"
