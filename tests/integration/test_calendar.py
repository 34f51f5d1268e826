"""The calendar over HTTP: plans by time, freezes, conflicts, and the same as iCalendar, read back by another parser."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.ics import Parsed, parse
from tests.support.servers import Nats, Postgres
from tests.support.site import Answer, Site, open_site

API = {"service": "api", "environment": "production"}
DB = {"service": "db", "environment": "production"}
YEAR = "from=2027-01-01T00:00:00Z&to=2028-01-01T00:00:00Z"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(postgres: Postgres, nats: Nats, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder: Path = tmp_path_factory.mktemp("site")
    async with open_site(postgres, nats, folder) as site:
        yield site


def days(first: int, last: int, month: int = 3, zone: str = "Europe/Berlin") -> dict[str, str]:
    start, end = (f"2027-{month:02}-{day:02}T08:00:00Z" for day in (first, last))
    return {"start": start, "end": end, "zone": zone}


async def put(site: Site, name: str, **sections: Any) -> tuple[str, int]:
    body = {"project": "web", "name": name, "items": [{"id": "a", "name": "A", "spec": {"type": "text"}}], **sections}
    answer = await site("POST", "/api/v1/plans", body)
    assert answer.status == 201, answer.text
    return answer.body["id"], answer.body["position"]


async def calendar(site: Site, query: str) -> Any:
    answer = await site("GET", f"/api/v1/calendar?{query}")
    assert answer.status == 200, answer.text
    return answer.body


async def test_the_calendar_shows_what_touches_a_time_in_its_order_with_conflicts_and_freezes(site: Site) -> None:
    first, _ = await put(site, "first", window=days(1, 5), touches=[API, DB], project="cal")
    second, _ = await put(site, "second", window=days(4, 9), touches=[DB], project="cal")
    await put(site, "elsewhere", window=days(4, 9), touches=[{"service": "db", "environment": "test"}], project="cal")
    await put(site, "later", window=days(9, 10), touches=[DB], project="cal")
    await put(site, "without a time", touches=[DB], project="cal")
    _, position = await put(site, "a moment", schedule={"at": "2027-03-04T12:00:00Z"}, project="cal")
    freeze = {"start": "2027-03-05T18:00:00", "end": "2027-03-08T06:00:00", "rrule": "FREQ=WEEKLY;COUNT=2"}
    await site("PUT", "/api/v1/freezes/cal", {**freeze, "zone": "Europe/Berlin"}, as_="ada")
    found = await calendar(site, f"{YEAR}&project=cal&min_position={position}")
    assert [plan["name"] for plan in found["plans"]] == ["first", "second", "elsewhere", "a moment", "later"]
    assert found["conflicts"] == [
        {
            "plans": [first, second],
            "touches": ["db/production"],
            "start": "2027-03-04T08:00:00Z",
            "end": "2027-03-05T08:00:00Z",
        }
    ]
    assert [one["start"] for one in found["freezes"]] == ["2027-03-05T17:00:00Z", "2027-03-12T17:00:00Z"]
    narrow = await calendar(site, "from=2027-03-05T08:00:00Z&to=2027-03-05T09:00:00Z&project=cal")
    assert [plan["name"] for plan in narrow["plans"]] == ["second", "elsewhere"]
    labelled = await calendar(site, f"{YEAR}&project=cal&touches=api/production")
    assert [plan["name"] for plan in labelled["plans"]] == ["first"]
    assert len(labelled["conflicts"]) == 1


async def test_a_draft_and_its_seal_tell_what_is_in_the_way_and_refuse_nothing(site: Site) -> None:
    mine, _ = await put(site, "mine", window=days(1, 5, month=6), touches=[API, DB])
    _, position = await put(site, "theirs", window=days(2, 3, month=6), touches=[API])
    freeze = {"start": "2027-06-02T00:00:00", "end": "2027-06-02T12:00:00", "scope": {"touches": [API]}}
    await site("PUT", "/api/v1/freezes/inventory", freeze, as_="ada")
    await calendar(site, f"{YEAR}&min_position={position}")
    found = await site("GET", f"/api/v1/plans/{mine}/conflicts")
    [conflict] = found.body["conflicts"]
    assert (conflict["name"], conflict["touches"]) == ("theirs", ["api/production"])
    assert [(one["name"], one["overridden"]) for one in found.body["freezes"]] == [("inventory", False)]
    sealed = await site("POST", f"/api/v1/plans/{mine}/seal", if_match="*")
    assert sealed.status == 200
    assert [warning.split(" ")[0] for warning in sealed.body["warnings"]] == ["Plan", "The"]
    assert "2027-06-02T08:00:00Z" in sealed.body["warnings"][0]


async def test_an_ended_plan_is_in_nobodys_way(site: Site) -> None:
    mine, _ = await put(site, "mine again", window=days(1, 5, month=7), touches=[API])
    theirs, _ = await put(site, "cancelled", window=days(1, 5, month=7), touches=[API])
    cancelled = await site("POST", f"/api/v1/plans/{theirs}/cancel", {"reason": "no"}, if_match="*")
    await calendar(site, f"{YEAR}&min_position={cancelled.body['position']}")
    assert (await site("GET", f"/api/v1/plans/{mine}/conflicts")).body["conflicts"] == []


async def exported(site: Site, query: str) -> tuple[Answer, Parsed]:
    answer = await site("GET", f"/api/v1/calendar.ics?{query}")
    assert answer.status == 200, answer.text
    return answer, parse(answer.text)


async def test_the_export_reads_back_in_another_parser_whatever_a_name_contains(site: Site) -> None:
    name = 'Ünï, "quoted"; back\\slash: 发布 🚀 BEGIN:VEVENT ' + "long " * 20
    plan, position = await put(
        site, name, window=days(25, 29, month=3), labels=["big", "prod"], touches=[API], project="ics"
    )
    answer, read = await exported(site, f"{YEAR}&project=ics&min_position={position}")
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    raw = answer.text.encode()
    assert b"\r\n" in raw
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(len(line) for line in raw.split(b"\r\n")) <= 75
    event = read.event(f"plan-{plan}@gonogo")
    assert event["SUMMARY"] == name
    assert (event["DTSTART"], event["DTEND"]) == ("20270325T080000Z", "20270329T080000Z")
    assert event["CATEGORIES"] == "big,prod"
    assert event["STATUS"] == "TENTATIVE"
    assert "Zone: Europe/Berlin." in event["DESCRIPTION"].split("\n")


async def test_the_same_state_exports_the_same_bytes_and_a_change_keeps_the_uid(site: Site) -> None:
    plan, position = await put(site, "stable", window=days(1, 2, month=9), project="stable")
    query = f"{YEAR}&project=stable&min_position={position}"
    before, _ = await exported(site, query)
    assert (await exported(site, query))[0].text == before.text
    edited = await site("PATCH", f"/api/v1/plans/{plan}", {"window": days(3, 4, month=9)}, if_match="*")
    _, read = await exported(site, f"{YEAR}&project=stable&min_position={edited.body['position']}")
    event = read.event(f"plan-{plan}@gonogo")
    assert event["DTSTART"] == "20270903T080000Z"
    assert int(event["SEQUENCE"]) == edited.body["version"]


async def test_a_freeze_is_exported_with_one_uid_per_occurrence(site: Site) -> None:
    body = {
        "start": "2027-10-29T18:00:00",
        "end": "2027-11-01T06:00:00",
        "zone": "Europe/Berlin",
        "rrule": "FREQ=WEEKLY",
    }
    await site("PUT", "/api/v1/freezes/ics", {**body, "scope": {"projects": ["frozen"]}}, as_="ada")
    _, read = await exported(site, "from=2027-10-29T00:00:00Z&to=2027-11-12T00:00:00Z&project=frozen")
    starts = {event["DTSTART"]: uid for uid, event in read.events.items() if event["SUMMARY"] == "Freeze: ics"}
    assert sorted(starts) == ["20271029T160000Z", "20271105T170000Z"]
    assert len(set(starts.values())) == 2


@pytest.mark.parametrize(
    ("query", "paths"),
    [
        ("from=2027-01-02T00:00:00Z&to=2027-01-01T00:00:00Z", ["to"]),
        ("from=0001-01-01T00:00:00Z&to=9999-01-01T00:00:00Z", ["to"]),
        ("from=yesterday", ["from"]),
        ("from_=2027-01-01T00:00:00Z", ["from_"]),
        ("from=2027-01-01T00:00:00", ["from"]),
        ("touches=api", ["touches"]),
    ],
)
async def test_a_time_that_is_none_is_refused(site: Site, query: str, paths: list[str]) -> None:
    for path in ("calendar", "calendar.ics"):
        answer = await site("GET", f"/api/v1/{path}?{query}")
        assert (answer.status, answer.body["code"], answer.paths) == (400, "invalid_parameter", paths), answer.text


async def test_without_a_time_the_calendar_shows_the_last_months_and_the_coming_year(site: Site) -> None:
    found = await calendar(site, "")
    assert found["start"] < found["end"]
    assert found["more"] is False


async def test_a_window_of_a_thousand_years_is_sealed_and_shown_though_a_freeze_takes_place_every_night(
    site: Site,
) -> None:
    nightly = {"start": "2027-01-01T22:00:00", "end": "2027-01-02T04:00:00", "rrule": "FREQ=DAILY"}
    body = {**nightly, "zone": "America/Sao_Paulo", "scope": {"labels": ["long"]}}
    assert (await site("PUT", "/api/v1/freezes/nightly", body, as_="ada")).status == 200
    window = {"start": "2027-01-01T00:00:00Z", "end": "3027-01-01T00:00:00Z"}
    plan, _ = await put(site, "long", window=window, labels=["long"])
    found = await site("GET", f"/api/v1/plans/{plan}/conflicts")
    assert (len(found.body["freezes"]), found.body["more"]) == (200, True)
    sealed = await site("POST", f"/api/v1/plans/{plan}/seal", if_match="*")
    assert sealed.status == 200
    assert len(sealed.body["warnings"]) <= 20


async def test_a_window_that_ends_before_it_starts_or_has_no_zone_that_exists_is_refused(site: Site) -> None:
    turned = {"start": "2027-01-02T00:00:00Z", "end": "2027-01-01T00:00:00Z"}
    body = {"project": "web", "name": "turned", "window": turned}
    assert (await site("POST", "/api/v1/plans", body)).paths == ["/window/end"]
    plan, _ = await put(site, "nowhere", window={**days(1, 2), "zone": "Mars/Base"})
    sealed = await site("POST", f"/api/v1/plans/{plan}/seal", if_match="*")
    assert (sealed.status, sealed.paths) == (422, ["/window/zone"])
