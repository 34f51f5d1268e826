"""Freezes on a running system: written over HTTP, they hold what would start, visibly, until they end or are overridden."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from contracts.moments import moment
from infra.clock import SystemClock
from services.executor import app as executor_app
from services.executor.config import Settings as ExecutorSettings
from tests.support.servers import Nats, Postgres
from tests.support.site import Site, open_site
from tests.support.wait import eventually

APPROVAL = {"levels": [{"rules": [{"approvers": ["user:ana"]}]}]}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(postgres: Postgres, nats: Nats, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder: Path = tmp_path_factory.mktemp("site")
    async with open_site(postgres, nats, folder) as site:
        await site.apps.start("executor", ExecutorSettings, executor_app.build)
        await becomes(site, await approved(site, "first"), "executing")  # so that all of the executor is there
        yield site


def around_now(before: timedelta, after: timedelta, **more: Any) -> dict[str, Any]:
    now = moment(SystemClock().now()).replace(tzinfo=None, microsecond=0)
    return {"start": (now + before).isoformat(), "end": (now + after).isoformat(), **more}


HOUR = timedelta(hours=1)


async def freeze(site: Site, name: str, *, hours_from: int = -1, hours_to: int = 1, **more: Any) -> dict[str, Any]:
    """A freeze around now, of plans with the label of its name."""
    body = around_now(hours_from * HOUR, hours_to * HOUR, scope={"labels": [name]}, **more)
    answer = await site("PUT", f"/api/v1/freezes/{name}", body, as_="ada")
    assert answer.status == 200, answer.text
    return body


async def approved(site: Site, label: str, **sections: Any) -> str:
    plan = await site.plan(labels=[label], approval=APPROVAL, **sections)
    for verb in ("seal", "submit"):
        answer = await site("POST", f"/api/v1/plans/{plan}/{verb}", if_match="*")
        assert answer.status == 200, answer.text
    seal = (await site.view(plan))["seal"]["value"]
    vote = await site("POST", f"/api/v1/plans/{plan}/vote", {"vote": "approve", "seal": seal}, as_="ana")
    assert vote.status == 200, vote.text
    return plan


async def becomes(site: Site, plan: str, status: str) -> Any:
    async def check() -> Any:
        view = await site.view(plan)
        assert view["status"] == status, view["status"]
        return view

    return await eventually(check, what=f"the plan is {status}")


async def held(site: Site, plan: str) -> Any:
    async def check() -> Any:
        view = await site.view(plan)
        assert view["held"] is not None
        return view

    return await eventually(check, what="the plan is held")


async def test_a_freeze_is_put_shown_listed_changed_and_deleted_by_administrators_only(site: Site) -> None:
    body = {
        "start": "2027-01-01T18:00:00",
        "end": "2027-01-04T06:00:00",
        "zone": "Europe/Berlin",
        "rrule": "FREQ=WEEKLY;BYDAY=FR;COUNT=3",
        "exdates": ["2027-01-08T18:00:00"],
        "reason": "Nobody is on call.",
        "scope": {"touches": [{"environment": "production"}]},
    }
    assert (await site("PUT", "/api/v1/freezes/weekend", body)).status == 403
    put = await site("PUT", "/api/v1/freezes/weekend", body, as_="ada")
    assert put.status == 200
    assert (await site("PUT", "/api/v1/freezes/weekend", body, as_="ada")).body["version"] == 1
    shown = await site("GET", "/api/v1/freezes/weekend")
    assert shown.body["freeze"] == {"name": "weekend", **body}
    assert [one["start"] for one in shown.body["occurrences"]] == ["2027-01-01T17:00:00Z", "2027-01-15T17:00:00Z"]
    assert "weekend" in [one["freeze"]["name"] for one in (await site("GET", "/api/v1/freezes")).body["freezes"]]
    assert (await site("DELETE", "/api/v1/freezes/weekend")).status == 403
    assert (await site("DELETE", "/api/v1/freezes/weekend?reason=over", as_="ada")).status == 200
    assert (await site("GET", "/api/v1/freezes/weekend")).body["code"] == "freeze_not_found"
    assert (await site("DELETE", "/api/v1/freezes/never", as_="ada")).body["code"] == "freeze_not_found"


@pytest.mark.parametrize(
    ("change", "paths"),
    [
        ({"rrule": "FREQ=SECONDLY;INTERVAL=0"}, ["/rrule", "/rrule"]),
        ({"end": "3027-01-01T00:00:00", "zone": "Mars/Base"}, ["/end", "/end", "/zone"]),
        ({"start": "2027-01-01T18:00:00Z"}, ["/start"]),
        ({"scope": {"touches": [{"server": "x"}]}}, ["/scope/touches/0/server"]),
    ],
)
async def test_a_freeze_that_cannot_be_is_refused_with_its_faults(
    site: Site, change: dict[str, Any], paths: list[str]
) -> None:
    body = {"start": "2027-01-01T18:00:00", "end": "2027-01-04T06:00:00", **change}
    answer = await site("PUT", "/api/v1/freezes/bad", body, as_="ada")
    assert (answer.status, answer.paths) == (422, paths), answer.text


async def test_an_approved_plan_waits_for_the_freeze_and_starts_when_it_is_deleted(site: Site) -> None:
    await freeze(site, "waits")
    plan = await approved(site, "waits")
    view = await held(site, plan)
    assert (view["status"], view["held"]["name"]) == ("finish_planning", "waits")
    start = await site("POST", f"/api/v1/plans/{plan}/start")
    assert (start.status, start.body["code"], start.body["until"]) == (409, "frozen", view["held"]["until"])
    await site("DELETE", "/api/v1/freezes/waits", as_="ada")
    view = await becomes(site, plan, "executing")
    assert view["held"] is None


async def test_a_plan_that_runs_starts_no_item_in_a_freeze_that_begins_unless_it_is_overridden(site: Site) -> None:
    plan = await approved(site, "later")
    await becomes(site, plan, "executing")
    await freeze(site, "later")
    complete = await site("POST", f"/api/v1/plans/{plan}/items/announce/complete", {})
    assert complete.body["code"] == "frozen"
    path = f"/api/v1/plans/{plan}/freezes/override"
    assert (await site("POST", path, {"reason": "It burns."})).status == 403
    assert (await site("POST", path, {}, as_="ada")).body["code"] == "reason_required"
    assert (await site("POST", path, {"reason": "It burns."}, as_="ada")).status == 200
    assert (await site("POST", f"/api/v1/plans/{plan}/items/announce/complete", {})).status == 200
    [override] = (await becomes(site, plan, "success"))["freeze_overrides"]
    assert (override["by"], override["reason"], override["freezes"][0]["name"]) == ("user:ada", "It burns.", "later")

    async def recorded() -> bool:
        record = await site("GET", f"/api/v1/plans/{plan}/record")
        entries = [one for one in record.body["entries"] if one["verb"] == "override freeze"]
        seen = [(entry["target"], entry["detail"], entry["actor"]) for entry in entries]
        return seen == [("freeze later", "It burns.", "user:ada")]

    await eventually(recorded)


async def test_a_plan_is_not_sealed_into_a_freeze_until_somebody_who_may_says_so(site: Site) -> None:
    await freeze(site, "sealing", hours_from=24, hours_to=48)
    times = around_now(30 * HOUR, 40 * HOUR)
    window = {name: f"{text}Z" for name, text in times.items()}
    plan = await site.plan(labels=["sealing"], window=window, schedule={"at": window["start"]})
    seal = await site("POST", f"/api/v1/plans/{plan}/seal", if_match="*")
    assert (seal.body["code"], seal.paths) == ("not_sealable", ["/schedule/at", "/window"])
    await site("POST", f"/api/v1/plans/{plan}/freezes/override", {"reason": "Agreed."}, as_="ada")
    assert (await site("POST", f"/api/v1/plans/{plan}/seal", if_match="*")).status == 200
