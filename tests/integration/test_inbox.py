"""The inbox over HTTP, and the lists that are searched by whom a plan waits for."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from contracts.moments import rfc3339
from infra.clock import SystemClock
from infra.projection import rebuild
from services.planner.projections import PlanList
from tests.support.servers import Nats, Postgres
from tests.support.site import Site, open_log, open_site

SRE = {"levels": [{"rules": [{"approvers": ["group:sre"], "needed": 2}]}]}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(postgres: Postgres, nats: Nats, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder: Path = tmp_path_factory.mktemp("site")
    async with open_site(postgres, nats, folder, token_cache_seconds=0.0) as site:
        yield site


async def done(site: Site, plan: str, verb: str, body: Any = None, as_: str = "olivia") -> int:
    answer = await site("POST", f"/api/v1/plans/{plan}/{verb}", body, as_=as_, if_match="*")
    assert answer.status == 200, answer.text
    return int(answer.body["position"])


async def submitted(site: Site, name: str, **sections: Any) -> tuple[str, int]:
    plan = await site.plan(name=name, **{"approval": SRE, **sections})
    await done(site, plan, "seal")
    return plan, await done(site, plan, "submit")


async def inbox(site: Site, who: str, position: int, query: str = "") -> list[tuple[str, str]]:
    answer = await site("GET", f"/api/v1/inbox?min_position={position}{query}", as_=who)
    assert answer.status == 200, answer.text
    return [(entry["kind"], entry["name"]) for entry in answer.body["entries"]]


async def test_a_vote_waits_for_the_members_that_the_group_has_now_until_they_have_voted(site: Site) -> None:
    plan, position = await submitted(site, "vote")
    assert ("vote", "vote") in await inbox(site, "ana", position)
    assert ("vote", "vote") in await inbox(site, "ben", position)
    assert ("vote", "vote") not in await inbox(site, "olivia", position)
    await site("PUT", "/api/v1/users/ben", {"name": "Ben", "groups": []}, as_="ada")
    assert ("vote", "vote") not in await inbox(site, "ben", position)
    await site("PUT", "/api/v1/users/ben", {"name": "Ben", "groups": ["sre"]}, as_="ada")
    seal = (await site.view(plan))["seal"]["value"]
    position = await done(site, plan, "vote", {"vote": "approve", "seal": seal}, as_="ana")
    assert ("vote", "vote") not in await inbox(site, "ana", position)
    assert ("vote", "vote") in await inbox(site, "ben", position)
    answer = await site("GET", f"/api/v1/inbox?min_position={position}&kind=vote", as_="ben")
    [entry] = [one for one in answer.body["entries"] if one["plan"] == plan]
    assert (entry["through"], entry["until"]) == (["group:sre"], None)
    assert entry["why"]


async def test_a_delegate_is_asked_in_the_place_of_a_member_of_the_group_that_is_asked(site: Site) -> None:
    await site("PUT", "/api/v1/users/dora", {"name": "Dora", "groups": []}, as_="ada")
    plan, _ = await submitted(site, "delegated")
    until = rfc3339(SystemClock().now() + 7 * 86_400_000_000)
    answer = await site("POST", f"/api/v1/plans/{plan}/delegate", {"to": "user:dora", "until": until}, as_="ana")
    assert answer.status == 200, answer.text
    token = (await site("POST", "/api/v1/users/dora/tokens", {}, as_="ada")).body["token"]
    path = f"/api/v1/inbox?min_position={answer.body['position']}"
    answer = await site("GET", path, as_="", authorization=f"Bearer {token}")
    [entry] = [one for one in answer.body["entries"] if one["plan"] == plan]
    assert (entry["kind"], entry["through"]) == ("vote", ["user:ana"])


async def test_a_denied_plan_waits_for_its_owner(site: Site) -> None:
    plan, _ = await submitted(site, "denied")
    seal = (await site.view(plan))["seal"]["value"]
    position = await done(site, plan, "vote", {"vote": "reject", "seal": seal, "comment": "no"}, as_="ana")
    assert ("denied", "denied") in await inbox(site, "olivia", position)
    assert ("denied", "denied") not in await inbox(site, "olivia", position, "&kind=vote,item")


async def test_what_is_over_first_comes_first_and_pages_show_each_plan_once(site: Site) -> None:
    for day in (3, 1, 2):
        window = {"start": f"2028-01-0{day}T00:00:00Z", "end": f"2028-01-0{day}T12:00:00Z"}
        _, position = await submitted(site, f"page {day}", project="pages", window=window)
    names: list[str] = []
    cursor = ""
    while True:
        query = f"/api/v1/inbox?min_position={position}&limit=1&cursor={cursor}"
        page = (await site("GET", query, as_="ana")).body
        names += [entry["name"] for entry in page["entries"]]
        if page["next"] is None:
            break
        cursor = page["next"]
    assert [name for name in names if name.startswith("page")] == ["page 1", "page 2", "page 3"]
    assert len(names) == len(set(names))
    wrong = await site("GET", "/api/v1/plans?cursor=" + cursor)
    assert wrong.body["code"] == "invalid_parameter"


async def test_plans_are_listed_by_whom_they_ask_by_what_they_touch_by_window_and_by_name(site: Site) -> None:
    touches = [{"service": "api", "environment": "prod"}]
    window = {"start": "2028-02-02T00:00:00Z", "end": "2028-02-03T00:00:00Z", "zone": "Anywhere on Earth"}
    await site.plan(name="b", project="lists", window=window, touches=touches)
    earlier = {"start": "2028-02-01T00:00:00Z", "end": "2028-02-03T00:00:00Z"}
    await site.plan(name="c", project="lists", window=earlier)
    _, position = await submitted(site, "a", project="lists")

    async def listed(query: str) -> list[str]:
        answer = await site("GET", f"/api/v1/plans?project=lists&min_position={position}&{query}")
        return [row["name"] for row in answer.body["plans"]]

    assert await listed("order=window") == ["c", "b", "a"]
    assert await listed("order=name") == ["a", "b", "c"]
    assert await listed("touches=api/prod,api/test") == ["b"]
    assert await listed("asked=group:sre&status=wait_for_approval&text=A") == ["a"]
    assert await listed("asked=user:nobody") == []
    answer = await site("GET", f"/api/v1/plans?project=lists&touches=api/prod&min_position={position}")
    assert (answer.body["plans"][0]["zone"], answer.body["plans"][0]["touches"]) == ("Anywhere on Earth", ["api/prod"])


async def test_the_rebuilt_list_is_the_live_one(site: Site) -> None:
    plan, position = await submitted(site, "rebuilt", touches=[{"service": "x", "environment": "y"}])
    await inbox(site, "ana", position)
    async with open_log(site.apps) as log:
        live = await log.pool.fetch("select * from view.plan order by id")
        await rebuild(log, PlanList(log.read_stream))
        assert await log.pool.fetch("select * from view.plan order by id") == live
    assert plan in {row["id"] for row in live}


async def test_a_saved_list_is_the_askers_own_and_the_address_overrides_it(site: Site) -> None:
    for name in ("zulu", "alpha"):
        plan = await site.plan(name=name, project="saved", labels=[name])
        _, position = plan, (await site.view(plan))["position"]
    filters = {"project": ["saved"], "order": "name", "window_to": "2100-01-01T00:00:00Z"}
    assert (await site("PUT", "/api/v1/lists/mine", filters)).status == 200
    assert (await site("PUT", "/api/v1/lists/mine", {"project": ["saved"], "order": "name"})).body["version"] == 2
    assert (await site("PUT", "/api/v1/lists/mine", {"project": ["saved"], "order": "name"})).body["version"] == 2

    async def names(query: str, as_: str = "olivia") -> list[str]:
        answer = await site("GET", f"/api/v1/plans?min_position={position}&{query}", as_=as_)
        return [row["name"] for row in answer.body["plans"]] if answer.status == 200 else [answer.body["code"]]

    assert await names("saved=mine") == ["alpha", "zulu"]
    assert await names("saved=mine&order=oldest") == ["zulu", "alpha"]
    assert await names("saved=mine&label=zulu") == ["zulu"]
    assert await names("saved=mine", "ana") == ["list_not_found"]
    shown = await site("GET", "/api/v1/lists")
    assert shown.body["lists"] == [{"name": "mine", "filters": {"project": ["saved"], "order": "name"}}]
    bad = await site("PUT", "/api/v1/lists/bad", {"status": ["no"], "ordr": "name"})
    assert sorted(bad.paths) == ["/ordr", "/status/0"]
    assert (await site("DELETE", "/api/v1/lists/mine", as_="ana")).body["code"] == "list_not_found"
    assert (await site("DELETE", "/api/v1/lists/mine")).status == 200
    assert (await site("GET", "/api/v1/lists")).body["lists"] == []
