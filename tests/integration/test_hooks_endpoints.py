"""What an endpoint may ask for: the standard format, events by pattern, a scope, order, a test, a challenge, two secrets."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest_asyncio
from standardwebhooks import Webhook

from contracts.cloud_event import CloudEvent
from contracts.hook_commands import EnableEndpoint, RotateEndpoint, SendTest, ShowHook
from contracts.plan_events import GateOpened
from contracts.values import GateRule, Gates
from infra.config import Secret
from infra.keystore import KeyStore
from infra.postgres import open_pool
from infra.projection import rebuild
from infra.signing import SigningKey, new_private_key, verify_with_public_key
from services.hook_dispatcher.projections import Hooks
from tests.support.builders import ADA, OLIVIA
from tests.support.hooked import MASTER, SECRET, Hooked, open_hooked
from tests.support.receiver import Received, Receiver
from tests.support.servers import Nats, Postgres
from tests.support.wait import eventually

OTHER = "whsec_" + "YW5vdGhlciBzZWNyZXQh"


@pytest_asyncio.fixture(loop_scope="session")
async def house(postgres: Postgres, nats: Nats, tmp_path: Path) -> AsyncIterator[Hooked]:
    async with open_hooked(postgres, nats, tmp_path) as house:
        await house.dispatch()
        yield house


def event_in(hook: Received) -> CloudEvent:
    assert hook.headers["content-type"] == "application/cloudevents+json"
    Webhook(SECRET).verify(hook.body, dict(hook.headers))
    return msgspec.json.decode(hook.body, type=CloudEvent)


async def test_the_standard_format_is_a_signed_cloud_event(house: Hooked) -> None:
    async with Receiver() as receiver:
        await house.endpoint(
            "bus", receiver.url, format="standard", events=("plan.sealed", "gate.>", "finish_planning")
        )
        plan = await house.plan(gates=Gates(finish_planning=GateRule()))
        await house.delivered(count=3)
    opened = await plan.event(GateOpened)
    told = {event_in(hook).type: event_in(hook) for hook in receiver.requests}
    assert set(told) == {"plan.sealed.v1", "gate.opened.v1", "hook.finish_planning.v1"}
    assert {event.plan for event in told.values()} == {plan.id}
    assert msgspec.json.decode(told["gate.opened.v1"].data)["instance_code"] == opened.instance_code
    body = msgspec.json.decode(told["hook.finish_planning.v1"].data)
    assert body["release_plan"]["instance_code"] == opened.instance_code
    assert told["plan.sealed.v1"].timestamp == told["plan.sealed.v1"].time
    assert not any(name.startswith("x-zadig") for hook in receiver.requests for name in hook.headers)
    assert len({hook.id for hook in receiver.requests}) == 3


async def test_both_formats_are_two_deliveries_under_two_ids(house: Hooked) -> None:
    async with Receiver() as receiver:
        await house.endpoint("both", receiver.url, format="both", events=("finish_planning",))
        await house.plan()
        await house.delivered(count=2)
    bodies = [msgspec.json.decode(hook.body) for hook in receiver.requests]
    (zadig,), (standard,) = ([b for b in bodies if key in b] for key in ("object_kind", "specversion"))
    assert standard["data"] == zadig
    assert len({hook.id for hook in receiver.requests}) == 2


async def test_a_scope_keeps_other_plans_out(house: Hooked) -> None:
    async with Receiver() as receiver:
        await house.endpoint("api", receiver.url, format="standard", events=("plan.>",), project="api")
        first = await house.plan()
        await house.endpoint("one", receiver.url, format="standard", events=("plan.*",), plan=first.id)
        await house.endpoint("web", receiver.url, format="standard", events=("plan.start_requested",), project="web")
        await (await house.plan()).run_to_the_end()
        await house.delivered(count=1)
        await first.run_to_the_end()
        rows = await house.delivered(count=6)
    assert {row["plan"] for row in rows if row["event"] != "plan.start_requested.v1"} == {first.id}


async def test_an_ordered_endpoint_gets_the_hooks_of_a_plan_one_after_the_other(house: Hooked) -> None:
    async with Receiver(500, 500) as receiver:
        await house.endpoint("log", receiver.url, format="standard", events=("plan.>",), ordered=True)
        await (await house.plan()).run_to_the_end()
        await house.delivered(count=6)
    told = [event_in(hook).sequence for hook in receiver.requests]
    assert told == sorted(told)
    assert told.count(told[0]) == 3


async def test_a_test_is_a_real_delivery_in_the_endpoints_own_form(house: Hooked) -> None:
    async with Receiver() as receiver:
        zadig = await house.endpoint("zadig", receiver.url)
        standard = await house.endpoint("standard", receiver.url, format="standard", events=("plan.*",))
        await house.apps.accepted(SendTest(endpoint=zadig), ADA, at=house.clock.now())
        await house.delivered()
        await house.apps.accepted(SendTest(endpoint=standard), ADA, at=house.clock.now())
        await house.delivered(count=2)
    first, second = receiver.requests
    assert first.plan["id"] == "0" * 24
    assert event_in(second).type == "endpoint.tested.v1"


async def test_nothing_goes_to_an_address_before_it_has_echoed_its_challenge(house: Hooked) -> None:
    async with Receiver(200, "echo") as receiver:
        receiver.hold = asyncio.Event()
        endpoint = await house.endpoint("careful", receiver.url, verify=True)
        await eventually(lambda: receiver.requests)
        await house.plan()
        receiver.hold.set()
        assert [row["event"] for row in await house.deliveries()] == ["endpoint.challenged.v1"]
        await house.delivered()
        assert (await house.types(f"endpoint-{endpoint}"))[-1] == "endpoint.verified.v1"
        await house.plan()
        await house.delivered(count=2)
        again = await house.apps.accepted(EnableEndpoint(endpoint=endpoint), ADA, at=house.clock.now())
    assert again.version == 3
    assert [hook.plan["event_name"] for hook in receiver.requests[2:]] == ["finish_planning"]


async def test_a_receiver_that_is_gone_switches_its_endpoint_off(house: Hooked) -> None:
    async with Receiver(410) as receiver:
        endpoint = await house.endpoint("gone", receiver.url, events=("finish_planning",))
        await house.plan()
        await house.delivered("dead")
        await house.plan()
        assert len(await house.deliveries()) == 1
    assert (await house.types(f"endpoint-{endpoint}"))[-1] == "endpoint.disabled.v1"


async def test_whoever_watches_the_hooks_is_told_of_one_that_died_and_of_its_own_death_nobody(house: Hooked) -> None:
    async with Receiver(410) as dead, Receiver(410) as watch:
        await house.endpoint("dead", dead.url, events=("finish_planning",))
        await house.endpoint("watch", watch.url, format="standard", events=("delivery.died",))
        plan = await house.plan()
        rows = await house.delivered("dead", count=2)
    (hook,) = watch.requests
    told = event_in(hook)
    assert (told.type, told.plan, told.subject) == ("delivery.died.v1", plan.id, f"delivery-{rows[0]['id']}")
    assert len(await house.deliveries()) == 2


async def test_during_a_rotation_either_secret_verifies_and_afterwards_only_the_new_one(house: Hooked) -> None:
    async with Receiver() as receiver:
        endpoint = await house.endpoint("board", receiver.url)
        await _keep(house, "endpoint/board/2", OTHER)
        command = RotateEndpoint(endpoint=endpoint, secret_ref="endpoint/board/2", overlap_seconds=120)
        accepted = await house.apps.accepted(command, ADA, at=house.clock.now())
        await house.plan()
        await house.delivered()
        house.clock.advance(120)
        await house.plan()
        await house.delivered(count=2)
    during, later = receiver.requests
    assert accepted.version == 2
    assert [len(hook.headers["webhook-signature"].split(" ")) for hook in (during, later)] == [2, 1]
    for secret in (SECRET, OTHER):
        Webhook(secret).verify(during.body, dict(during.headers))
    Webhook(OTHER).verify(later.body, dict(later.headers))


async def test_a_key_pair_signs_so_that_its_public_half_verifies(house: Hooked) -> None:
    secret = new_private_key()
    public = SigningKey.of(secret).public()
    async with Receiver() as receiver:
        await house.endpoint("pair", receiver.url, secret=secret, signing="ed25519", public_key=public)
        await house.plan()
        await house.delivered()
    (hook,) = receiver.requests
    signed = (hook.id, int(hook.headers["webhook-timestamp"]), hook.body, hook.headers["webhook-signature"])
    assert verify_with_public_key(public, *signed)
    assert not verify_with_public_key(SigningKey.of(new_private_key()).public(), *signed)


async def test_the_tables_are_rebuilt_as_they_were(house: Hooked) -> None:
    async with Receiver(200, "echo", 410) as receiver:
        await house.endpoint("a", receiver.url, verify=True)
        await house.delivered()
        await house.endpoint("b", receiver.url, format="both", events=("plan.>", "all_job_done"), project="web")
        await (await house.plan()).run_to_the_end()
        await eventually(lambda: _all_ended(house))
    live = await _tables(house)
    for ground in house.grounds:
        await ground.stop_work()
    await rebuild(house.grounds[0].log, Hooks(house.grounds[0].log.read_stream), limit=3)
    assert await _tables(house) == live


async def _all_ended(house: Hooked) -> bool:
    await asyncio.sleep(0)
    rows = await house.deliveries()
    return len(rows) > 5 and all(row["state"] in {"delivered", "dead"} for row in rows)


async def _tables(house: Hooked) -> list[Any]:
    queries = (f"select * from view.{table} order by id" for table in ("endpoint", "delivery"))
    return [[dict(row) for row in await house.log.pool.fetch(query)] for query in queries]


async def _keep(house: Hooked, ref: str, secret: str) -> None:
    pool = await open_pool(house.apps.dsns.of("gateway"), size=1)
    await KeyStore(pool, bytes.fromhex(MASTER)).put(ref, Secret(secret))
    await pool.close()


async def test_a_hook_is_shown_as_it_went_out_and_a_challenge_is_not(house: Hooked) -> None:
    async with Receiver() as receiver:
        await house.endpoint("board", receiver.url, events=("finish_planning",))
        await house.plan()
        (row,) = await house.delivered()
        (hook,) = receiver.requests
    accepted = await house.apps.accepted(ShowHook(delivery=row["id"]), OLIVIA, at=house.clock.now())
    assert accepted.body["body"].encode() == hook.body
    sent_again = {name: value for name, value in hook.headers.items() if name.startswith(("x-", "content-type"))}
    assert sent_again.items() <= accepted.body["headers"].items()
    assert not {"webhook-signature", "webhook-timestamp"} & set(accepted.body["headers"])
    denied = await house.apps.refused(ShowHook(delivery="f" * 24), ADA, at=house.clock.now())
    assert denied.code == "delivery_not_found"
    async with Receiver(500) as receiver:
        await house.endpoint("new", receiver.url, verify=True)
        (_, challenge) = await house.delivered("dead")
    denied = await house.apps.refused(ShowHook(delivery=challenge["id"]), ADA, at=house.clock.now())
    assert denied.code == "forbidden"
