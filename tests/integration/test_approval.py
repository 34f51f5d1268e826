"""Approval over HTTP, on the real services: delegation, identities, emergency, what an approver sees, reminders."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from contracts.moments import rfc3339
from infra.clock import SystemClock
from infra.projection import rebuild
from services.approval import app as approval_app
from tests.support.servers import Nats, Postgres
from tests.support.site import Site, open_log, open_site
from tests.support.wait import eventually

UNTIL = rfc3339(SystemClock().now() + 30 * 86_400_000_000)


def asked(*approvers: str, needed: int = 1, **more: Any) -> dict[str, Any]:
    return {"levels": [{"rules": [{"approvers": approvers, "needed": needed}]}], **more}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(postgres: Postgres, nats: Nats, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """One for all tests here: each has its own plans, and leaves the people as it found them."""
    async with open_site(postgres, nats, tmp_path_factory.mktemp("site")) as site:
        yield site


async def ok(site: Site, method: str, path: str, body: Any = None, *, as_: str = "olivia", **headers: str) -> Any:
    answer = await site(method, path, body, as_=as_, **headers)
    assert answer.status < 300, answer.text
    return answer.body


async def sealed(site: Site, approval: dict[str, Any], *, submit: bool = True) -> tuple[str, str]:
    plan = await site.plan(approval=approval)
    await ok(site, "POST", f"/api/v1/plans/{plan}/seal", if_match="*")
    if submit:
        await ok(site, "POST", f"/api/v1/plans/{plan}/submit", if_match="*")
    return f"/api/v1/plans/{plan}", str((await site.view(plan))["seal"]["value"])


async def code(site: Site, path: str, body: Any, *, as_: str, method: str = "POST") -> tuple[int, str, list[str]]:
    answer = await site(method, path, body, as_=as_)
    return answer.status, answer.body["code"], [fault["path"] for fault in answer.body.get("faults", ())]


async def test_a_vote_is_delegated_for_a_plan_and_for_all_plans_and_taken_back(site: Site) -> None:
    path, seal = await sealed(site, asked("user:ana"))
    ballot = {"vote": "approve", "seal": seal, "on_behalf_of": "user:ana"}
    assert await code(site, f"{path}/vote", ballot, as_="ben") == (403, "no_delegation", [])
    bad = {"to": "user:nobody", "until": "2001-01-01T00:00:00Z"}
    assert await code(site, f"{path}/delegate", bad, as_="ana") == (422, "invalid_delegation", ["/to", "/until"])
    await ok(site, "POST", f"{path}/delegate", {"to": "user:ben", "until": UNTIL}, as_="ana")
    await ok(site, "POST", f"{path}/end-delegation", {"to": "user:ben"}, as_="ana")
    assert await code(site, f"{path}/vote", ballot, as_="ben") == (403, "no_delegation", [])
    await ok(site, "PUT", "/api/v1/delegations/ben", {"until": UNTIL, "reason": "on leave"}, as_="ana")
    await ok(site, "POST", f"{path}/vote", ballot, as_="ben")
    view = (await ok(site, "GET", path))["approval"]
    assert view["state"] == "passed"
    assert [(v["by"], v["on_behalf_of"], v["person"], v["groups"]) for v in view["votes"]] == [
        ("user:ben", "user:ana", "user:ana", ["group:sre"])
    ]
    received = (await ok(site, "GET", "/api/v1/delegations", as_="ben"))["received"]
    assert [(one["by"], one["to"], one["reason"]) for one in received] == [("user:ana", "user:ben", "on leave")]

    async def listed() -> bool:
        return len((await ok(site, "GET", "/api/v1/delegations", as_="ana"))["given"]) == 1

    await eventually(listed)
    await ok(site, "DELETE", "/api/v1/delegations/ben", as_="ana")
    assert (await ok(site, "GET", "/api/v1/delegations", as_="ben"))["received"] == []


async def test_a_delegation_on_all_plans_is_to_the_person_whichever_identity_they_come_with(site: Site) -> None:
    path, seal = await sealed(site, asked("user:ana"))
    ballot = {"vote": "approve", "seal": seal, "on_behalf_of": "user:ana"}
    await ok(site, "PUT", "/api/v1/users/benedict", {}, as_="ada")
    await ok(site, "PUT", "/api/v1/delegations/benedict", {"until": UNTIL}, as_="ana")
    assert await code(site, f"{path}/vote", ballot, as_="ben") == (403, "no_delegation", [])
    await ok(site, "POST", "/api/v1/people/link", {"identities": ["user:ben", "user:benedict"]}, as_="ada")
    await ok(site, "POST", f"{path}/vote", ballot, as_="ben")
    await ok(site, "POST", "/api/v1/people/unlink", {"identity": "user:benedict"}, as_="ada")
    await ok(site, "DELETE", "/api/v1/delegations/benedict", as_="ana")


async def test_the_list_of_delegations_folded_live_is_the_one_folded_from_the_beginning(site: Site) -> None:
    await ok(site, "PUT", "/api/v1/delegations/ben", {"until": UNTIL}, as_="ana")
    await ok(site, "PUT", "/api/v1/delegations/ada", {"until": UNTIL}, as_="ana")
    await ok(site, "DELETE", "/api/v1/delegations/ada", as_="ana")
    async with open_log(site.apps) as log:
        head = (await log.head()).position

        async def caught_up() -> bool:
            sql = "select position from view.checkpoint where name = 'delegations'"
            return bool(await log.pool.fetchval(sql) == head)

        await eventually(caught_up)
        live = await log.pool.fetch("select * from view.delegation")
        assert [row["delegate"] for row in live] == ["user:ben"]
        for projection in approval_app.projections(log):
            await rebuild(log, projection, limit=1)
        assert await log.pool.fetch("select * from view.delegation") == live


async def test_two_identities_that_are_linked_are_one_approver(site: Site) -> None:
    path, seal = await sealed(site, asked("group:sre", needed=2))
    assert (await site("POST", "/api/v1/people/link", {"identities": ["user:ana", "user:ben"]})).status == 403
    await ok(site, "POST", "/api/v1/people/link", {"identities": ["user:ana", "user:ben"]}, as_="ada")
    for voter in ("ana", "ben"):
        await ok(site, "POST", f"{path}/vote", {"vote": "approve", "seal": seal}, as_=voter)
    view = (await ok(site, "GET", path))["approval"]
    assert (view["state"], len(view["votes"])) == ("open", 1)
    people = (await ok(site, "GET", "/api/v1/people", as_="ada"))["people"]
    assert people == [{"id": "user:ana", "identities": ["user:ana", "user:ben"]}]
    await ok(site, "POST", "/api/v1/people/unlink", {"identity": "user:ben"}, as_="ada")
    assert (await ok(site, "GET", "/api/v1/people", as_="ada"))["people"] == []


async def test_somebody_who_leaves_the_group_has_still_voted(site: Site) -> None:
    path, seal = await sealed(site, asked("group:sre", needed=2))
    await ok(site, "POST", f"{path}/vote", {"vote": "approve", "seal": seal}, as_="ana")
    await ok(site, "PUT", "/api/v1/users/ana", {"name": "Ana", "groups": []}, as_="ada")
    await ok(site, "POST", f"{path}/vote", {"vote": "approve", "seal": seal}, as_="ben")
    assert (await ok(site, "GET", path))["approval"]["state"] == "passed"
    await ok(site, "PUT", "/api/v1/users/ana", {"name": "Ana", "groups": ["sre"]}, as_="ada")


async def test_a_quorum_ends_when_only_those_are_left_who_own_the_plan_through_a_group(site: Site) -> None:
    await ok(site, "PUT", "/api/v1/users/ben", {"name": "Ben", "groups": ["sre", "release"]}, as_="ada")
    rule = {"approvers": ["group:sre"], "needed": 1, "on_reject": "quorum"}
    plan = await site.plan(approval={"levels": [{"rules": [rule]}]}, owner=["user:olivia", "group:release"])
    path = f"/api/v1/plans/{plan}"
    for verb in ("seal", "submit"):
        await ok(site, "POST", f"{path}/{verb}", if_match="*")
    seal = (await site.view(plan))["seal"]["value"]
    await ok(site, "POST", f"{path}/vote", {"vote": "reject", "seal": seal, "comment": "no"}, as_="ana")
    assert (await site.view(plan))["status"] == "denied"
    await ok(site, "PUT", "/api/v1/users/ben", {"name": "Ben", "groups": ["sre"]}, as_="ada")


async def test_an_emergency_approval_owes_a_review_until_another_person_has_given_it(site: Site) -> None:
    path, seal = await sealed(site, asked("user:ana"), submit=False)
    given = {"seal": seal, "reason": "the site is down"}
    assert (await code(site, f"{path}/emergency-approve", given, as_="ana"))[1] == "forbidden"
    await ok(site, "POST", f"{path}/emergency-approve", given, as_="ada")
    assert (await ok(site, "GET", path))["review_owed"]
    assert await eventually(lambda: owing(site)) == [path.rpartition("/")[2]]
    finding = {"finding": "accept", "comment": "it was right"}
    assert (await code(site, f"{path}/emergency-review", finding, as_="ada"))[1] == "self_review"
    await ok(site, "POST", f"{path}/emergency-review", finding, as_="ana")
    view = await ok(site, "GET", path)
    assert not view["review_owed"]
    assert view["approval"]["emergencies"][0]["reviewed_by"] == "user:ana"
    await eventually(lambda: recorded(site, path, "approve in emergency"))
    await eventually(lambda: recorded(site, path, "review emergency"))


async def owing(site: Site) -> list[str]:
    page = await ok(site, "GET", "/api/v1/plans?review_owed=true")
    assert all(row["review_owed"] for row in page["plans"])
    return [row["id"] for row in page["plans"]]


async def recorded(site: Site, path: str, verb: str) -> list[str]:
    entries = (await ok(site, "GET", f"{path}/record"))["entries"]
    return [entry["actor"] for entry in entries if entry["verb"] == verb]


async def test_an_approver_sees_what_differs_from_what_they_voted_for_and_from_what_was_approved(site: Site) -> None:
    path, seal = await sealed(site, asked("user:ana"))
    review = await ok(site, "GET", f"{path}/review", as_="ana")
    assert (review["seal"], review["you_are_asked"], review["since_my_vote"]) == (seal, True, None)
    await ok(site, "POST", f"{path}/vote", {"vote": "approve", "seal": seal}, as_="ana")
    await ok(site, "POST", f"{path}/reopen", {"reason": "a name"}, if_match="*")
    await ok(site, "PATCH", path, {"name": "Release 1.3"}, if_match="*")
    await ok(site, "POST", f"{path}/seal", if_match="*")
    review = await ok(site, "GET", f"{path}/review", as_="ana")
    for name in ("since_my_vote", "since_approved"):
        assert review[name]["difference"]["sections"] == ["name"]
        assert review[name]["seal"] == seal
    assert (await ok(site, "GET", f"{path}/review", as_="ben"))["since_my_vote"] is None


async def test_a_copy_is_compared_with_what_it_was_copied_from(site: Site) -> None:
    first = await site.plan()
    copy = (await ok(site, "POST", f"/api/v1/plans/{first}/copy", {"name": "Again"}))["id"]
    await ok(site, "PATCH", f"/api/v1/plans/{copy}", {"labels": ["urgent"]}, if_match="*")
    review = await ok(site, "GET", f"/api/v1/plans/{copy}/review", as_="ana")
    assert review["source"]["kind"] == "copy"
    assert review["since_source"]["difference"]["sections"] == ["labels"]


async def test_only_who_may_still_vote_is_told_that_they_are_asked(site: Site) -> None:
    path, seal = await sealed(site, asked("group:sre", needed=2))
    await ok(site, "POST", f"{path}/delegate", {"to": "user:ada", "until": UNTIL}, as_="ben")

    async def told() -> list[str]:
        people = ("olivia", "ana", "ben", "ada")
        return [who for who in people if (await ok(site, "GET", f"{path}/review", as_=who))["you_are_asked"]]

    assert await told() == ["ana", "ben", "ada"]
    await ok(site, "POST", f"{path}/vote", {"vote": "approve", "seal": seal}, as_="ana")
    assert await told() == ["ben", "ada"]
    await ok(site, "POST", f"{path}/vote", {"vote": "reject", "seal": seal}, as_="ben")
    review = await ok(site, "GET", f"{path}/review", as_="ada")
    assert (review["status"], review["asked"], await told()) == ("denied", [], [])


async def test_an_approver_sees_what_became_of_the_template_that_the_plan_was_made_from(site: Site) -> None:
    template = {"parameters": [{"name": "who"}], "plan": {"name": "For {{who}}"}, "project": "web"}
    await ok(site, "PUT", "/api/v1/templates/reviewed", template)
    made = {"values": {"who": "us"}}
    path = f"/api/v1/plans/{(await ok(site, 'POST', '/api/v1/templates/reviewed/plans', made))['id']}"
    assert (await ok(site, "GET", f"{path}/review", as_="ana"))["template"]["newest"] == 1
    await ok(site, "PATCH", path, {"labels": ["urgent"]}, if_match="*")
    await ok(site, "PUT", "/api/v1/templates/reviewed", {**template, "plan": {"name": "Now for {{who}}"}})
    review = await ok(site, "GET", f"{path}/review", as_="ana")
    assert review["since_source"]["difference"]["sections"] == ["labels"]
    news = review["template"]
    assert (news["name"], news["revision"], news["newest"], news["put_by"]) == ("reviewed", 1, 2, "user:olivia")
    assert [(one["path"], one["after"]) for one in news["difference"]["changes"]] == [("/name", "Now for us")]


async def test_a_large_plan_is_compared_with_all_that_it_was_made_from(site: Site) -> None:
    items = [{"id": f"i{n}", "name": "x" * 150, "spec": {"type": "text"}} for n in range(600)]
    first = await site.plan(items=items)
    copy = (await ok(site, "POST", f"/api/v1/plans/{first}/copy", {"name": "Again"}))["id"]
    assert (await site.view(copy))["version"] > 1, "it takes several events to create"
    difference = (await ok(site, "GET", f"/api/v1/plans/{copy}/review"))["since_source"]["difference"]
    assert not difference.get("sections")


async def test_those_who_have_not_voted_are_reminded(site: Site) -> None:
    approval = asked("user:ana", "user:ben", needed=2, deadline_seconds=3_600, remind_before_seconds=3_599)
    path, seal = await sealed(site, approval)
    await ok(site, "POST", f"{path}/vote", {"vote": "approve", "seal": seal}, as_="ana")

    async def reminded() -> bool:
        return bool((await ok(site, "GET", path))["approval"]["reminded_at"])

    await eventually(reminded)
    assert await eventually(lambda: recorded(site, path, "remind approvers")) == ["service:approval"]
