"""Every release of CPython and the longest checklist of Kubernetes: loaded over HTTP, listed, filtered, exported."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.ics import parse
from tests.support.release_calendar import walk
from tests.support.releases import BOXES, CHECKLIST, RELEASES, ZONE, releases, same_day
from tests.support.servers import Nats, Postgres
from tests.support.site import open_site

pytestmark = pytest.mark.skipif(not (RELEASES.exists() and CHECKLIST.exists()), reason="the shared data is not here")


def test_the_file_has_651_releases_with_managers_who_can_own_a_plan() -> None:
    plans = releases()
    assert len(plans) == 651
    assert all(plan["owner"] for plan in plans)
    assert same_day(plans) > 100


async def test_651_releases_and_a_checklist_of_112_boxes_are_a_calendar(
    postgres: Postgres, nats: Nats, tmp_path: Path
) -> None:
    async with open_site(postgres, nats, tmp_path) as site:
        site.interface = None  # four pages of 200 plans need not each be held against the description

        async def ask(method: str, path: str, body: Any = None) -> tuple[int, str]:
            headers = {"content_type": "text/markdown"} if isinstance(body, bytes) else {}
            answer = await site(method, path, body, **headers)
            return answer.status, answer.text

        seen = await walk(ask)
        wanted = releases()
        [checklist] = [row for row in seen.listed if row["project"] == "kubernetes"]
        view = await site.view(checklist["id"])
    print(f"{seen.total_seconds:.1f} s in all: {seen.seconds}")
    rows = [row for row in seen.listed if row["project"] == "cpython"]
    assert len(rows) == len(wanted)
    assert [row["window_start"] for row in rows] == sorted(plan["window"]["start"] for plan in wanted)
    assert {row["zone"] for row in rows} == {ZONE}
    assert sum(1 + len(item["item"]["spec"].get("sub_steps", ())) for item in view["items"]) >= BOXES
    named = [
        plan["name"]
        for plan in wanted
        if {"final", "beta"} & set(plan["labels"]) and "user:pablo.galindo.salgado" in plan["owner"]
        if "3.1" in plan["name"] and plan["window"]["end"] > "2022"
    ]
    assert named
    assert [row["name"] for row in seen.finals] == sorted(named)
    assert len(seen.calendar["plans"]) == len(wanted)
    assert len(seen.calendar["conflicts"]) == same_day(wanted)
    assert seen.calendar["more"] is False
    events = parse(seen.ics).events
    assert sorted(event["SUMMARY"] for event in events.values()) == sorted(plan["name"] for plan in wanted)
    starts = sorted(plan["window"]["start"].replace("-", "").replace(":", "") for plan in wanted)
    assert sorted(event["DTSTART"] for event in events.values()) == starts
