"""What a step prints, live: over server-sent events, resumed at any byte, to the end with its outcome, at no cost."""

import asyncio
import os
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from contracts.plan_events import ItemFinished, ItemStarted
from infra.blobs import Blobs, BlobWriter
from infra.ids import random_id
from tests.integration.test_gateway_reading import put_in
from tests.support.servers import Nats, Postgres
from tests.support.site import Site, open_log, open_site
from tests.support.wait import PATIENCE_SECONDS


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(postgres: Postgres, nats: Nats, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with open_site(postgres, nats, tmp_path_factory.mktemp("live")) as one:
        yield one


class Running:
    """A plan whose first item runs, and what its step says."""

    def __init__(self, site: Site, plan: str, run: str) -> None:
        self._site = site
        self.path = f"/api/v1/plans/{plan}/items/announce/log/stream"
        self._plan, self._run = plan, run

    def step(self, index: int = 0) -> BlobWriter:
        return Blobs(self._site.data / "blobs").writer(self._run, index, 1)

    async def end(self, **fields: Any) -> None:
        async with open_log(self._site.apps) as log:
            ended = ItemFinished(item="announce", attempt=1, **{"outcome": "done", **fields})
            await put_in(log, f"plan-{self._plan}", ended, expected=2)


async def started(site: Site) -> Running:
    plan, run = await site.plan(), random_id()
    async with open_log(site.apps) as log:
        await put_in(log, f"plan-{plan}", ItemStarted(item="announce", attempt=1, run=run), expected=1)
    return Running(site, plan, run)


class Viewer:
    """One open stream."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.last_id = ""

    async def next(self) -> dict[str, Any]:
        """The next event, with its name as `event`."""
        found: dict[str, Any] = {}
        async with asyncio.timeout(PATIENCE_SECONDS):
            while line := (await self._response.content.readline()).decode():
                name, _, value = line.rstrip("\n").partition(": ")
                if name == "id":
                    self.last_id = value
                elif name == "event":
                    found["event"] = value
                elif name == "data":
                    found |= msgspec.json.decode(value)
                elif not name and found:
                    return found
        raise EOFError

    async def text(self, size: int) -> str:
        """What comes next, this many bytes of it."""
        text = ""
        while len(text.encode()) < size:
            text += (await self.next())["text"]
        return text


@asynccontextmanager
async def viewing(site: Site, path: str, **headers: str) -> AsyncIterator[Viewer]:
    headers = {"Authorization": f"Bearer {site.tokens['ben']}", **{k.replace("_", "-"): v for k, v in headers.items()}}
    async with (
        aiohttp.ClientSession(headers=headers, read_bufsize=2 * 1024 * 1024) as session,
        session.get(site.url + path) as response,
    ):
        assert response.status == 200, await response.text()
        yield Viewer(response)


async def test_a_viewer_sees_each_line_while_the_step_runs_and_then_how_it_ended(site: Site) -> None:
    running = await started(site)
    async with viewing(site, running.path) as viewer:
        first = running.step()
        first.write(b"one\n")
        assert await viewer.text(4) == "one\n"
        first.write(b"two\n")
        assert await viewer.text(4) == "two\n"
        first.close()
        second = running.step(1)
        second.write("drei: gr\u00fc\u00df".encode()[:-1])  # half a letter
        assert await viewer.text(10) == "drei: gr\u00fc"
        assert viewer.last_id == str(8 + len("drei: gr\u00fc".encode()))
        second.write("\u00df\n".encode()[1:])
        assert await viewer.text(3) == "\u00df\n"
        second.close()
        await running.end(outcome="failed", error="step two: exit code 3")
        end = await viewer.next()
        assert (end["event"], end["ended"], end["outcome"]) == ("end", True, "failed")
        assert end["error"] == "step two: exit code 3"
        with pytest.raises(EOFError):
            await viewer.next()


async def test_who_comes_back_goes_on_after_the_last_byte_that_they_saw(site: Site) -> None:
    running = await started(site)
    step = running.step()
    step.write("\u00fc\nb\n".encode())
    async with viewing(site, running.path) as viewer:
        assert await viewer.text(5) == "\u00fc\nb\n"
    step.write(b"c\n")
    async with viewing(site, running.path, Last_Event_ID=viewer.last_id) as again:
        assert await again.text(2) == "c\n"
        over = running.step()  # an executor that took over writes the same anew: nothing is shown twice
        over.write("\u00fc\nb\nc\n".encode())
        over.write(b"d\n")
        assert await again.text(2) == "d\n"
        over.close()
        await running.end(log="ab" * 32)
        assert (await again.next())["event"] == "end"
    step.abandon()
    async with viewing(site, running.path, Last_Event_ID=again.last_id) as after:
        assert (await after.next())["event"] == "end"
    beyond = await site("GET", running.path, Last_Event_ID=str(int(again.last_id) + 1))
    assert (beyond.status, beyond.body["code"], beyond.paths) == (410, "another_log", ["Last-Event-ID"])


async def test_a_byte_that_is_none_and_an_item_without_a_run_are_clear_problems(site: Site) -> None:
    running = await started(site)
    wrong = await site("GET", running.path, Last_Event_ID="x")
    assert (wrong.status, wrong.paths) == (400, ["Last-Event-ID"])
    plan = await site.plan()
    none = await site("GET", f"/api/v1/plans/{plan}/items/announce/log/stream")
    assert none.body["code"] == "run_not_found"


async def test_a_hundred_megabytes_are_followed_without_growing(site: Site) -> None:
    running = await started(site)
    step = running.step()
    for _ in range(100):
        step.write((b"x" * 99 + b"\n") * 10_000)
    seen = 0
    async with viewing(site, running.path) as viewer:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        while seen < 100_000_000:
            seen = (await viewer.next())["offset"]
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert seen == 100_000_000
        assert grown < 30_000, f"{grown} kB"
        step.close()
        await running.end()
        assert (await viewer.next())["outcome"] == "done"
    await asyncio.to_thread(_drop, site.data)


def _drop(data: Path) -> None:
    for file in (data / "blobs").rglob("*"):
        if file.is_file() and file.stat().st_size > 1_000_000:
            os.truncate(file, 0)
