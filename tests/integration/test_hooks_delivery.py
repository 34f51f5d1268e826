"""Hooks on their way to real receivers: signed, tried again, never doubled by us, never lost."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from standardwebhooks import Webhook, WebhookVerificationError

from contracts.commands import OverrideGate, ResendDelivery
from contracts.delivery import DeliveryAttempted, DeliveryCreated, DeliveryFailed
from contracts.plan_events import ExecutionStarted, GateOpened, PlanEdited, StartRequested
from contracts.seal import seal_of
from contracts.values import Changes, GateRule, Gates
from infra.clock import SetClock
from infra.eventlog import Append
from infra.eventlog.model import Outcome
from infra.projection import rebuild
from services.hook_dispatcher.projections import Hooks
from services.planner.app import build as planner
from services.planner.config import Settings as PlannerSettings
from tests.support.builders import ADA, MALLORY, OLIVIA
from tests.support.hooked import MASTER, SECRET, Hooked, open_hooked
from tests.support.receiver import Receiver, self_signed
from tests.support.servers import Nats, Postgres
from tests.support.wait import eventually


@pytest_asyncio.fixture(loop_scope="session")
async def house(postgres: Postgres, nats: Nats, tmp_path: Path) -> AsyncIterator[Hooked]:
    async with open_hooked(postgres, nats, tmp_path) as house:
        yield house


async def test_a_hook_arrives_signed_so_that_the_published_library_believes_it(house: Hooked) -> None:
    await house.dispatch(instance_url="https://gonogo.example")
    async with Receiver() as receiver:
        await house.endpoint("board", receiver.url)
        plan = await house.plan(gates=Gates(finish_planning=GateRule()))
        (row,) = await house.delivered()
        (hook,) = receiver.requests
    opened = await plan.event(GateOpened)
    assert Webhook(SECRET).verify(hook.body, dict(hook.headers)) == msgspec.json.decode(hook.body)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(hook.body.replace(b"all", b"ALL") + b" ", dict(hook.headers))
    assert (hook.id, hook.plan["instance_code"]) == (row["id"], opened.instance_code)
    assert (hook.plan["event_name"], hook.plan["status"]) == (
        "finish_planning",
        "wait_for_finish_planning_external_check",
    )
    assert hook.headers["x-zadig-event"] == "release_plan"
    assert hook.headers["x-zadig-instance"] == "https://gonogo.example"
    assert hook.headers["x-zadig-webhook-uuid"] == row["id"]
    assert hook.headers["content-type"] == "application/json"
    assert "x-zadig-token" not in hook.headers
    assert SECRET.encode() not in hook.body


async def test_a_plan_without_gates_tells_its_three_events_in_their_order(house: Hooked) -> None:
    await house.dispatch()
    async with Receiver() as receiver:
        await house.endpoint("board", receiver.url)
        plan = await house.plan()
        await plan.run_to_the_end()
        rows = await house.delivered(count=3)
    assert [row["event"] for row in rows] == ["finish_planning", "start_execute", "all_job_done"]
    told = {hook.plan["event_name"]: hook.plan["status"] for hook in receiver.requests}
    assert told == {"finish_planning": "finish_planning", "start_execute": "executing", "all_job_done": "success"}
    assert len({hook.plan["instance_code"] for hook in receiver.requests}) == 3
    assert len({hook.headers["x-zadig-event-uuid"] for hook in receiver.requests}) == 3


async def test_an_endpoint_gets_the_events_that_it_asked_for_and_a_disabled_one_gets_none(house: Hooked) -> None:
    await house.dispatch()
    async with Receiver() as receiver, Receiver() as silent:
        await house.endpoint("some", receiver.url, events=("all_job_done",))
        await house.endpoint("off", silent.url, enabled=False)
        await (await house.plan()).run_to_the_end()
        (row,) = await house.delivered()
    assert row["event"] == "all_job_done"
    assert [hook.plan["event_name"] for hook in receiver.requests] == ["all_job_done"]
    assert silent.requests == []


async def test_a_gate_that_was_added_by_an_edit_is_asked_and_one_that_was_taken_away_is_told(house: Hooked) -> None:
    await house.dispatch()
    async with Receiver() as receiver:
        await house.endpoint("board", receiver.url, events=("start_execute",))
        plan = await house.plan()
        gates = Gates(start_execute=GateRule())
        await house.tell(plan.stream, PlanEdited(changes=Changes(gates=gates)), seal_of(plan.content, {}))
        await house.tell(plan.stream, StartRequested(by="owner"))
        (gated,) = await house.delivered()
        await house.tell(plan.stream, PlanEdited(changes=Changes(gates=Gates())), ExecutionStarted(seal="0" * 64))
        _, told = await house.delivered(count=2)
    assert (gated["round"], told["round"]) == (1, 0)


async def test_a_failing_receiver_gets_the_same_hook_again_under_the_same_id(house: Hooked) -> None:
    await house.dispatch()
    async with Receiver(500, {"status": 503, "Retry-After": "0"}, 200) as receiver:
        await house.endpoint("board", receiver.url, events=("finish_planning",))
        await house.plan()
        (row,) = await house.delivered()
    assert (row["attempts"], row["last_status"]) == (3, 200)
    assert len(receiver.requests) == 3
    assert len({hook.id for hook in receiver.requests}) == 1
    assert len({hook.body for hook in receiver.requests}) == 1
    for hook in receiver.requests:
        Webhook(SECRET).verify(hook.body, dict(hook.headers))
    assert await house.types(f"delivery-{row['id']}") == [
        "delivery.created.v1",
        *["delivery.attempted.v1", "delivery.failed.v1"] * 2,
        "delivery.attempted.v1",
        "delivery.succeeded.v1",
    ]
    failed = [e for e in await house.events(f"delivery-{row['id']}") if isinstance(e, DeliveryFailed)]
    assert [(one.error, one.status) for one in failed] == [("status", 500), ("status", 503)]
    assert failed[0].detail == "told to answer 500"


async def test_a_receiver_that_hangs_is_given_up_on_and_tried_again(house: Hooked) -> None:
    await house.dispatch(hook_timeout_seconds=0.2, hook_schedule_seconds=(0.0, *[0.05] * 50))
    async with Receiver(*["hang"] * 50) as receiver:
        await house.endpoint("board", receiver.url, events=("finish_planning",))
        await house.plan()
        await eventually(lambda: len(receiver.requests) >= 2, what="it is tried again")
        (row,) = await house.deliveries()
        failed = [e for e in await house.events(f"delivery-{row['id']}") if isinstance(e, DeliveryFailed)]
    assert {one.error for one in failed} == {"timeout"}
    assert {hook.id for hook in receiver.requests} == {row["id"]}


async def test_a_hook_that_nobody_takes_ends_as_a_dead_delivery_with_its_reason(house: Hooked) -> None:
    await house.dispatch(hook_schedule_seconds=(0.0, 0.01))
    with socket.socket() as deaf:  # bound, so that nobody else is given the port, and never listening
        deaf.bind(("127.0.0.1", 0))
        await house.endpoint("nobody", f"http://127.0.0.1:{deaf.getsockname()[1]}/", events=("finish_planning",))
        await house.plan()
        (row,) = await house.delivered("dead")
    assert (row["attempts"], row["last_error"]) == (2, "refused: nobody listens there")
    assert (await house.types(f"delivery-{row['id']}"))[-2:] == ["delivery.failed.v1", "delivery.died.v1"]


async def test_a_receiver_that_is_gone_is_not_asked_twice(house: Hooked) -> None:
    await house.dispatch()
    async with Receiver(410) as receiver:
        await house.endpoint("gone", receiver.url, events=("finish_planning",))
        await house.plan()
        await house.delivered("dead")
    assert len(receiver.requests) == 1


async def test_a_redirect_is_a_failure_and_is_not_followed(house: Hooked) -> None:
    await house.dispatch(hook_schedule_seconds=(0.0,))
    async with Receiver() as elsewhere, Receiver({"status": 307, "Location": "/other"}) as receiver:
        receiver.answers[0] = {"status": 307, "Location": elsewhere.url}
        await house.endpoint("board", receiver.url, events=("finish_planning",))
        await house.plan()
        (row,) = await house.delivered("dead")
    assert row["last_status"] == 307
    assert elsewhere.requests == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"])
async def test_an_inner_address_is_refused_before_anything_is_sent(house: Hooked, host: str) -> None:
    await house.dispatch(hook_allow=(), hook_schedule_seconds=(0.0,))
    async with Receiver() as receiver:
        await house.endpoint("inner", receiver.url.replace("127.0.0.1", host), events=("finish_planning",))
        await house.plan()
        (row,) = await house.delivered("dead")
    assert row["last_error"].startswith("blocked_address")
    assert receiver.requests == []


async def test_a_receiver_whose_certificate_nobody_vouches_for_gets_nothing(house: Hooked, tmp_path: Path) -> None:
    await house.dispatch(hook_schedule_seconds=(0.0,))
    async with Receiver(tls=self_signed(tmp_path)) as receiver:
        await house.endpoint("board", receiver.url, events=("finish_planning",))
        await house.plan()
        (row,) = await house.delivered("dead")
    assert row["last_error"] == "tls: no trusted connection"
    assert receiver.requests == []


async def test_a_host_without_an_address_is_told_as_such(house: Hooked) -> None:
    await house.dispatch(hook_schedule_seconds=(0.0,))
    await house.endpoint("board", "https://receiver.invalid/", events=("finish_planning",))
    await house.plan()
    (row,) = await house.delivered("dead")
    assert row["last_error"] == "name: the host has no address"


async def test_a_missing_secret_is_told_and_nothing_goes_out_unsigned(house: Hooked) -> None:
    await house.dispatch(hook_schedule_seconds=(0.0,))
    async with Receiver() as receiver:
        await house.endpoint("board", receiver.url, secret="whsec_not base64", events=("finish_planning",))
        await house.plan()
        (row,) = await house.delivered("dead")
    assert row["last_error"] == "secret: its signing secret cannot be used"
    assert receiver.requests == []


async def test_a_plain_secret_signs_with_its_own_bytes(house: Hooked) -> None:
    await house.dispatch()
    async with Receiver() as receiver:
        await house.endpoint("board", receiver.url, secret="open sesame", events=("finish_planning",))
        await house.plan()
        await house.delivered()
    (hook,) = receiver.requests
    Webhook(b"open sesame").verify(hook.body, dict(hook.headers))


async def test_hooks_that_were_raised_while_nobody_dispatched_go_out_afterwards(house: Hooked) -> None:
    async with Receiver() as receiver:
        first = await house.dispatch()
        await house.endpoint("board", receiver.url, events=("finish_planning",))
        await first.stop_work()
        await house.plan()
        await house.plan(gates=Gates(finish_planning=GateRule()))
        await house.dispatch()
        await house.delivered(count=2)
    assert len({hook.id for hook in receiver.requests}) == 2


async def test_an_endpoint_gets_no_hook_that_was_raised_before_it_was_there(house: Hooked) -> None:
    await house.dispatch()
    async with Receiver() as receiver:
        plan = await house.plan()
        await house.endpoint("board", receiver.url)
        await plan.run_to_the_end()
        rows = await house.delivered(count=2)
    assert {row["event"] for row in rows} == {"start_execute", "all_job_done"}


async def test_an_endpoint_that_is_switched_off_ends_what_is_on_its_way_to_it(house: Hooked) -> None:
    await house.dispatch(hook_schedule_seconds=(0.0, 3_600.0))
    async with Receiver(500) as receiver:
        await house.endpoint("board", receiver.url, events=("finish_planning",))
        await house.plan()
        (row,) = await house.delivered("retrying")
        await house.endpoint("board", receiver.url, events=("finish_planning",), enabled=False)
        await house.apps.accepted(ResendDelivery(delivery=row["id"]), OLIVIA, at=house.clock.now())
        await house.delivered("dead")
    assert len(receiver.requests) == 1


async def test_several_dispatchers_make_each_attempt_once(house: Hooked) -> None:
    for _ in range(3):
        await house.dispatch()
    async with Receiver() as receiver, Receiver() as other:
        await house.endpoint("one", receiver.url)
        await house.endpoint("two", other.url)
        plans = [await house.plan(gates=Gates(finish_planning=GateRule())) for _ in range(6)]
        await house.delivered(count=12)
        rounds = [await house.types(plan.stream) for plan in plans]
    assert [types.count("gate.opened.v1") for types in rounds] == [1] * 6
    assert [len({hook.id for hook in one.requests}) for one in (receiver, other)] == [6, 6]
    assert [len(one.requests) for one in (receiver, other)] == [6, 6]


async def test_one_receiver_that_hangs_does_not_hold_up_the_others(house: Hooked) -> None:
    await house.dispatch(hook_concurrency=5)
    async with Receiver(*["hang"] * 20) as stuck, Receiver() as quick:
        await house.endpoint("stuck", stuck.url, events=("finish_planning",))
        for _ in range(8):
            await house.plan()
        await eventually(lambda: len(stuck.requests) == 4)
        await house.endpoint("quick", quick.url, events=("finish_planning",))
        await house.plan()
        await eventually(lambda: len(quick.requests) == 1)
    assert len(stuck.requests) == 4


async def test_the_next_hook_of_an_endpoint_does_not_wait_until_the_last_ones_outcome_is_recorded(
    house: Hooked, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground = await house.dispatch()
    append, may_go_on = ground.log.append, asyncio.Event()

    async def later(command: Append) -> Outcome:
        if any(draft.type == "delivery.succeeded.v1" for draft in command.events):
            await may_go_on.wait()
        return await append(command)

    monkeypatch.setattr(ground.log, "append", later)
    async with Receiver() as receiver:
        await house.endpoint("board", receiver.url, events=("finish_planning",), concurrency=1)
        for _ in range(3):
            await house.plan()
        await eventually(lambda: len(receiver.requests) == 3)
        may_go_on.set()
        await house.delivered(count=3)
        assert len(receiver.requests) == 3


async def test_a_dispatcher_that_is_killed_between_intent_and_outcome_loses_nothing(house: Hooked) -> None:
    starter = await house.dispatch()
    async with Receiver("hang", 204) as receiver:
        await house.endpoint("board", receiver.url, events=("finish_planning",))
        await starter.stop_work()
        settings = house.apps.settings("hook_dispatcher", PlannerSettings)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.hook_dispatcher",
            env={
                **os.environ,
                "GONOGO_DATABASE_URL": settings.database_url.reveal(),
                "GONOGO_NATS_URL": settings.nats_url,
                "GONOGO_NATS_USER": settings.nats_user,
                "GONOGO_NATS_PASSWORD": settings.nats_password.reveal(),
                "GONOGO_MASTER_KEY": MASTER,
                "GONOGO_HOOK_ALLOW": "127.0.0.0/8",
                "GONOGO_HOOK_PORTS": "1-65535",
                "GONOGO_HOOK_TIMEOUT_SECONDS": "60",
                "GONOGO_LOG_LEVEL": "error",
            },
        )
        try:
            await house.plan()
            await eventually(lambda: receiver.requests)
        finally:
            process.kill()
            await process.wait()
        (sent,) = receiver.requests
        assert (await house.types(f"delivery-{sent.id}"))[-1] == "delivery.attempted.v1"
        house.clock.advance(120)  # the killed one may have been about to succeed until its time was up
        await house.dispatch()
        (row,) = await house.delivered()
    assert len({hook.id for hook in receiver.requests}) == 1
    assert len(receiver.requests) == 2
    failed = [e for e in await house.events(f"delivery-{row['id']}") if isinstance(e, DeliveryFailed)]
    assert [one.error for one in failed] == ["interrupted"]


async def test_a_dispatcher_that_is_stopped_hands_its_attempt_back(house: Hooked) -> None:
    first = await house.dispatch()
    async with Receiver("hang", 204) as receiver:
        await house.endpoint("board", receiver.url, events=("finish_planning",))
        await house.plan()
        await eventually(lambda: receiver.requests)
        await first.stop_work()
        await house.dispatch()
        (row,) = await house.delivered()
    events = await house.events(f"delivery-{row['id']}")
    assert [type(one).__name__ for one in events[1:3]] == ["DeliveryAttempted", "DeliveryFailed"]


async def test_an_owner_that_was_away_too_long_cannot_record_its_outcome(house: Hooked) -> None:
    await house.dispatch()
    async with Receiver() as other:
        async with Receiver("hang") as receiver:
            await house.endpoint("board", receiver.url, events=("finish_planning",))
            await house.plan()
            await eventually(lambda: receiver.requests)
            (row,) = await house.delivered("sending")
            stream = f"delivery-{row['id']}"
            far = house.clock.now() + 3_600_000_000
            await house.tell(stream, DeliveryFailed(attempt=1, error="interrupted", next_at=far))
        # Its connection broke, so the first owner has an outcome now. It looks at the delivery again only after that.
        await house.endpoint("board", other.url, events=("finish_planning",))
        await house.apps.accepted(ResendDelivery(delivery=row["id"]), OLIVIA, at=house.clock.now())
        await house.delivered()
    assert await house.types(stream) == [
        *["delivery.created.v1", "delivery.attempted.v1", "delivery.failed.v1", "delivery.resent.v1"],
        *["delivery.attempted.v1", "delivery.succeeded.v1"],
    ]


async def test_a_dead_delivery_is_resent_under_its_id_when_its_owner_asks(house: Hooked) -> None:
    await house.dispatch(hook_schedule_seconds=(0.0,))
    async with Receiver(500) as receiver:
        await house.endpoint("board", receiver.url, events=("finish_planning",))
        await house.plan()
        (row,) = await house.delivered("dead")
        command = ResendDelivery(delivery=row["id"])
        denied = await house.apps.refused(command, MALLORY, at=house.clock.now())
        assert denied.code == "forbidden"
        await house.apps.accepted(command, OLIVIA, at=house.clock.now())
        (row,) = await house.delivered()
        unknown = await house.apps.refused(ResendDelivery(delivery="f" * 24), ADA, at=house.clock.now())
        assert unknown.code == "delivery_not_found"
    assert len(receiver.requests) == 2
    assert len({hook.id for hook in receiver.requests}) == 1


async def test_live_tables_equal_rebuilt_ones(house: Hooked) -> None:
    ground = await house.dispatch(hook_schedule_seconds=(0.0, 0.01))
    async with Receiver(500, 204, 404) as receiver:
        await house.endpoint("board", receiver.url)
        await (await house.plan()).run_to_the_end()
        gated = await house.plan(gates=Gates(finish_planning=GateRule()))
        await gated.event(GateOpened)
        await gated.run_to_the_end()
        await eventually(lambda: _ended(house, 6))
        await ground.stop_work()
        live = await _tables(house)
        await rebuild(ground.log, Hooks(ground.log.read_stream), limit=7)
    assert await _tables(house) == live
    assert len(live["delivery"]) == 6


async def _ended(house: Hooked, count: int) -> bool:
    return [row["state"] in {"delivered", "dead"} for row in await house.deliveries()] == [True] * count


async def _tables(house: Hooked) -> dict[str, Any]:
    found = {}
    for table in ("endpoint", "delivery"):
        rows = await house.log.pool.fetch(f"select * from view.{table} order by id")
        found[table] = [dict(row) for row in rows]
    return found


async def test_the_body_of_a_delivery_is_that_of_the_moment_when_it_was_raised(house: Hooked) -> None:
    first = await house.dispatch(hook_schedule_seconds=(0.0, 3_600.0))
    async with Receiver(500, 204) as receiver:
        await house.endpoint("board", receiver.url, events=("finish_planning",))
        plan = await house.plan()
        (row,) = await house.delivered("retrying")
        await house.tell(plan.stream, PlanEdited(changes=Changes(name="Another name")))
        await first.stop_work()
        await house.dispatch()  # one that remembers nothing
        await house.apps.accepted(ResendDelivery(delivery=row["id"]), OLIVIA, at=house.clock.now())
        await house.delivered()
    before, again = receiver.requests
    assert before.body == again.body
    (created,) = [e for e in await house.events(f"delivery-{row['id']}") if isinstance(e, DeliveryCreated)]
    assert created.size == len(before.body)


async def test_the_intent_says_until_when_its_outcome_may_come(house: Hooked) -> None:
    await house.dispatch(SetClock(house.clock.now()), hook_timeout_seconds=7.0)
    async with Receiver() as receiver:
        await house.endpoint("board", receiver.url, events=("finish_planning",))
        await house.plan()
        (row,) = await house.delivered()
    facts = await house.facts(f"delivery-{row['id']}")
    intent = next(
        (fact, event)
        for fact, event in zip(facts, await house.events(f"delivery-{row['id']}"), strict=True)
        if isinstance(event, DeliveryAttempted)
    )
    assert 7_000_000 < intent[1].until - intent[0].at < 10_000_000
    raised = row["raised_by"]
    assert [fact.cause for fact in facts] == [raised, raised, *[fact.position for fact in facts[1:-1]]]


async def test_a_gates_deadline_ends_its_waiting(house: Hooked) -> None:
    await house.apps.start("planner", PlannerSettings, planner)
    await house.dispatch()
    plan = await house.plan(gates=Gates(finish_planning=GateRule(deadline_seconds=1)))
    opened = await plan.event(GateOpened)

    async def expired() -> Any:
        return [fact for fact in await house.facts(plan.stream) if fact.type == "gate.expired.v1"]

    (fact,) = await eventually(expired)
    assert fact.at >= opened.deadline
    command = OverrideGate(plan=plan.id, gate="finish_planning", reason="we know")
    await house.apps.accepted(command, OLIVIA, at=house.clock.now())
    assert (await house.types(plan.stream))[-1] == "gate.overridden.v1"
