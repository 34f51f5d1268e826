"""Hooks as people see them over HTTP: endpoints, deliveries with their attempts, resending, and what a gate waits for."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from infra.clock import SystemClock
from infra.config import Secret
from infra.ground import Ground
from infra.signing import SigningKey
from services.hook_dispatcher.app import build
from services.hook_dispatcher.config import Settings
from tests.support.hooked import LOOPBACK, MASTER, SECRET
from tests.support.receiver import Receiver
from tests.support.servers import Nats, Postgres
from tests.support.site import Site, open_site
from tests.support.wait import PATIENCE_SECONDS, eventually

GATES = {"finish_planning": {"deadline_seconds": 3_600, "systems": ["endpoint:board", "user:ana"]}}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(postgres: Postgres, nats: Nats, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder: Path = tmp_path_factory.mktemp("hooks")
    key = Secret(MASTER)
    async with open_site(postgres, nats, folder, master_key=key) as site:
        more = {
            "hook_allow": LOOPBACK,
            "hook_ports": ("1-65535",),
            "hook_schedule_seconds": (0.0, 0.05),
            "master_key": key,
        }
        ground: Ground = await site.apps.start("hook_dispatcher", Settings, build, **more)
        await ground.bus.wait_connected(PATIENCE_SECONDS)
        await eventually(lambda: "Reactor._follow" in repr(asyncio.all_tasks()), what="the dispatcher follows the log")
        yield site


async def put(site: Site, name: str, url: str, **fields: Any) -> None:
    answer = await site("PUT", f"/api/v1/endpoints/{name}", {"url": url, "secret": SECRET, **fields}, as_="ada")
    assert answer.status == 200, answer.text


async def sealed(site: Site, **sections: Any) -> str:
    plan = await site.plan(**sections)
    answer = await site("POST", f"/api/v1/plans/{plan}/seal", if_match="*")
    assert answer.status == 200, answer.text
    return plan


async def deliveries(site: Site, query: str, state: str, count: int = 1) -> list[dict[str, Any]]:
    async def there() -> list[dict[str, Any]]:
        answer = await site("GET", f"/api/v1/deliveries?{query}", as_="ada")
        found: list[dict[str, Any]] = answer.body["deliveries"]
        assert [one["state"] for one in found].count(state) == count, found
        return found

    return await eventually(there, what=f"{count} deliveries {state}")


async def test_a_gate_shows_whom_it_waits_for_until_each_has_answered_in_its_own_name(site: Site) -> None:
    async with Receiver() as receiver:
        await put(site, "board", receiver.url)
        plan = await sealed(site, gates=GATES)
        await deliveries(site, f"plan={plan}", "delivered")
        gate = (await site("GET", f"/api/v1/plans/{plan}/gates")).body["gates"][0]
        await site("POST", "/api/v1/endpoints/board/disable", {"reason": "done"}, as_="ada")
        await site("POST", "/api/v1/endpoints/board/enable", as_="ada")
    assert (gate["waiting_for"], gate["round"], gate["asks"]) == (["endpoint:board", "user:ana"], 1, True)
    assert gate["since"] < gate["until"]
    assert "endpoint:board, user:ana" in gate["then"]
    assert [one["endpoint_name"] for one in gate["deliveries"]] == ["board"]
    answer = {
        "hook_event": "finish_planning",
        "release_plan_id": plan,
        "instance_code": gate["instance_code"],
        "result": "success",
    }
    assert (await site("POST", "/api/callback/release_plan", answer, as_="olivia")).status == 409
    assert (await site("POST", "/api/callback/release_plan", answer, as_="ana")).body == {"id": plan}
    assert (await _signed(site, answer, receiver.requests[0].id, "whsec_AAAA")).status == 401
    assert (await _signed(site, answer, receiver.requests[0].id, SECRET)).body == {"id": plan}
    view = await site.view(plan)
    assert view["status"] == "finish_planning"
    assert {one["system"]: one["result"] for one in view["gates"]["finish_planning"]["systems"]} == {
        "endpoint:board": "success",
        "user:ana": "success",
    }


async def _signed(site: Site, answer: dict[str, Any], webhook_id: str, secret: str) -> Any:
    body = msgspec.json.encode(answer)
    at = SystemClock().now() // 1_000_000
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(at),
        "webhook-signature": SigningKey.of(secret).sign(webhook_id, at, body),
        "content-type": "application/json",
    }
    return await site("POST", "/api/callback/release_plan", body, as_="", **headers)


async def test_dead_deliveries_are_found_explained_and_all_resent(site: Site) -> None:
    async with Receiver(500, 500, 500, 500) as receiver:
        await put(site, "flaky", receiver.url, events=["finish_planning"])
        plans = [await sealed(site) for _ in range(2)]
        dead = await deliveries(site, "endpoint=flaky&state=dead", "dead", 2)
        one = (await site("GET", f"/api/v1/deliveries/{dead[0]['id']}")).body
        many = {"endpoint": "flaky"}
        assert (await site("POST", "/api/v1/deliveries/resend", many)).status == 403
        assert (await site("POST", "/api/v1/deliveries/resend", {}, as_="ada")).status == 422
        resent = await site("POST", "/api/v1/deliveries/resend", many, as_="ada", idempotency_key="again")
        after = await deliveries(site, "endpoint=flaky", "delivered", 2)
        own = await site("POST", "/api/v1/deliveries/resend", {"deliveries": [dead[0]["id"], "f" * 24]})
    assert {row["plan"] for row in dead} == set(plans)
    assert [(try_["number"], try_["status"], try_["outcome"]) for try_ in one["tried"]] == [
        (1, 500, "failed"),
        (2, 500, "failed"),
    ]
    assert one["reason"] == "2 tries have failed"
    assert (one["tried"][0]["detail"], one["size"] > 0) == ("told to answer 500", True)
    assert sorted(resent.body["resent"]) == sorted(row["id"] for row in dead)
    assert [row["attempts"] for row in after] == [3, 3]
    assert len({hook.id for hook in receiver.requests}) == 2
    assert [refused["code"] for refused in own.body["refused"]] == ["delivery_not_found"]


async def test_pages_of_deliveries_show_each_once(site: Site) -> None:
    async with Receiver() as receiver:
        await put(site, "paged", receiver.url, format="both", events=["finish_planning", "plan.>"])
        plan = await sealed(site)
        await deliveries(site, "endpoint=paged", "delivered", 4)
        path = "/api/v1/deliveries?endpoint=paged&limit=3"
        first = (await site("GET", path, as_="ada")).body
        last = (await site("GET", f"{path}&cursor={first['next']}", as_="ada")).body
    seen = [row["id"] for page in (first, last) for row in page["deliveries"]]
    assert len(seen) == len(set(seen)) == 4
    assert last["next"] is None
    assert (await site("GET", "/api/v1/deliveries")).status == 403
    path, of_plan = f"/api/v1/plans/{plan}/deliveries?limit=1", []
    cursor: str | None = ""
    while cursor is not None:
        page = (await site("GET", f"{path}&cursor={cursor}")).body
        cursor = page["next"]
        assert len(page["deliveries"]) == 1
        of_plan += [row["id"] for row in page["deliveries"]]
    assert set(seen) <= set(of_plan)
    assert len(of_plan) == len(set(of_plan))


async def test_a_gates_hooks_are_sent_again_under_their_ids_with_the_same_code(site: Site) -> None:
    async with Receiver() as receiver:
        await put(site, "asked", receiver.url, events=["finish_planning"])
        plan = await sealed(site, gates={"finish_planning": {}})
        await deliveries(site, f"plan={plan}&endpoint=asked", "delivered")
        answer = await site("POST", f"/api/v1/plans/{plan}/gates/finish_planning/resend")
        await eventually(lambda: len(receiver.requests) == 2)
        gates = (await site("GET", f"/api/v1/plans/{plan}/gates")).body["gates"]
    assert len(answer.body["resent"]) >= 1
    assert len({(hook.id, hook.plan["instance_code"]) for hook in receiver.requests}) == 1
    assert "endpoint:asked" in gates[0]["waiting_for"]
    assert [gate["then"] for gate in gates[1:]] == ["Nobody is waited for here; hooks are only told."] * 2


async def test_no_secret_of_an_endpoint_is_ever_shown(site: Site) -> None:
    secret = "whsec_" + "dGhpcyBpcyBhIHNlY3JldCE="
    body = {"url": "https://example.com/h", "secret": secret, "events": ["finish_planning"], "enabled": False}
    texts = [(await site("PUT", "/api/v1/endpoints/quiet", body, as_="ada")).text]
    texts.append(
        (
            await site(
                "POST", "/api/v1/endpoints/quiet/rotate", {"secret": "whsec_dGhpcyBpcyBhbiBvdGhlciE="}, as_="ada"
            )
        ).text
    )
    pair = {"url": "https://example.com/p", "signing": "ed25519", "enabled": False}
    texts.append((await site("PUT", "/api/v1/endpoints/pair", pair, as_="ada")).text)
    for name in ("quiet", "pair"):
        texts.append((await site("GET", f"/api/v1/endpoints/{name}", as_="ada")).text)
    texts.append((await site("GET", "/api/v1/endpoints", as_="ada")).text)
    shown = (await site("GET", "/api/v1/endpoints/pair", as_="ada")).body
    quiet = (await site("GET", "/api/v1/endpoints/quiet", as_="ada")).body
    assert shown["public_key"].startswith("whpk_")
    assert quiet["previous_until"] is not None
    assert not any("dGhpcyBpcyBh" in text or "whsk_" in text or "secret_ref" in text for text in texts)
    first = shown["public_key"]
    assert (await site("POST", "/api/v1/endpoints/pair/rotate", as_="ada")).status == 200
    assert (await site("GET", "/api/v1/endpoints/pair", as_="ada")).body["public_key"] != first
    again = await site("PUT", "/api/v1/endpoints/pair", pair, as_="ada")
    assert again.body["version"] == 2


async def test_a_plan_that_asks_an_endpoint_which_does_not_exist_is_not_sealed(site: Site) -> None:
    plan = await site.plan(gates={"finish_planning": {"systems": ["endpoint:typo", "user:ana", "user:nobody"]}})
    answer = await site("POST", f"/api/v1/plans/{plan}/seal", if_match="*")
    assert (answer.status, answer.paths) == (
        422,
        ["/gates/finish_planning/systems/0", "/gates/finish_planning/systems/2"],
    )
