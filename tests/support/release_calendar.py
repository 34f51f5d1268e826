"""Loads real releases over HTTP, lists, filters and exports them; the same for the test and for the bench."""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

import msgspec

from tests.support.releases import CHECKLIST, releases

Ask = Callable[..., Awaitable[tuple[int, str]]]
"""`await ask(method, path, body)`: status and text. A body of bytes is Markdown."""

SPAN = "from=1999-01-01T00:00:00Z&to=2030-01-01T00:00:00Z"
_AT_ONCE = 8


class Seen(msgspec.Struct, frozen=True):
    """What came back, and how long each part took, in seconds."""

    listed: list[dict[str, Any]]
    finals: list[dict[str, Any]]
    calendar: dict[str, Any]
    ics: str
    seconds: dict[str, float]

    @property
    def total_seconds(self) -> float:
        return sum(self.seconds.values())


async def walk(ask: Ask) -> Seen:
    """Load, list, filter, calendar, export."""
    seconds: dict[str, float] = {}

    async def timed(name: str, work: Awaitable[Any]) -> Any:
        begin = perf_counter()
        found = await work
        seconds[name] = round(perf_counter() - begin, 2)
        return found

    position = await timed("load", _load(ask))
    listed = await timed("list", _pages(ask, f"order=window&min_position={position}"))
    filters = (
        "project=cpython&label=final,beta&owner=user:pablo.galindo.salgado&text=3.1&window_from=2022-01-01T00:00:00Z"
    )
    finals = await timed("filter", _pages(ask, f"{filters}&touches=downloads/python.org&order=name"))
    calendar = msgspec.json.decode(await timed("calendar", _get(ask, f"/api/v1/calendar?{SPAN}")))
    ics = await timed("export", _get(ask, f"/api/v1/calendar.ics?{SPAN}"))
    return Seen(listed, finals, calendar, ics, seconds)


async def _load(ask: Ask) -> int:
    gate = asyncio.Semaphore(_AT_ONCE)

    async def create(path: str, body: Any) -> int:
        async with gate:
            status, text = await ask("POST", path, body)
            assert status == 201, text
            return int(msgspec.json.decode(text)["position"])

    works = [create("/api/v1/plans", plan) for plan in releases()]
    works.append(create("/api/v1/plans/import?project=kubernetes", CHECKLIST.read_bytes()))
    return max(await asyncio.gather(*works))


async def _get(ask: Ask, path: str) -> str:
    status, text = await ask("GET", path)
    assert status == 200, text
    return text


async def _pages(ask: Ask, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = msgspec.json.decode(await _get(ask, f"/api/v1/plans?{query}&limit=200&cursor={cursor}"))
        found += page["plans"]
        if page["next"] is None:
            return found
        cursor = page["next"]
