"""Callbacks on real servers: matched, repeated, late, foreign; every refused one in the record."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from msgspec.structs import replace

from contracts.commands import Actor, AnswerGate, PutEndpoint, RecheckGate
from contracts.delivery import CallbackRefused, CallbackRepeated
from contracts.hook_commands import Proof
from contracts.plan_events import GateFailed, GateOpened, GatePassed, PlanReopened
from contracts.seal import seal_of
from contracts.values import GateRule, Gates
from infra.ids import derived_id
from infra.signing import SigningKey
from tests.support.builders import ADA, MALLORY, OLIVIA
from tests.support.hooked import SECRET, Hooked, PlanStory, open_hooked
from tests.support.receiver import Receiver
from tests.support.servers import Nats, Postgres

GATES = Gates(finish_planning=GateRule())


@pytest_asyncio.fixture(loop_scope="session")
async def house(postgres: Postgres, nats: Nats, tmp_path: Path) -> AsyncIterator[Hooked]:
    async with open_hooked(postgres, nats, tmp_path) as house:
        await house.dispatch()
        yield house


def answer(plan: PlanStory, code: str, result: str = "success", text: str = "") -> AnswerGate:
    return AnswerGate(plan=plan.id, gate="finish_planning", instance_code=code, result=result, text=text)  # type: ignore[arg-type]  # parametrised


async def test_an_answer_passes_the_gate_once_and_again_changes_nothing(house: Hooked) -> None:
    plan = await house.plan(gates=GATES)
    code = (await plan.event(GateOpened)).instance_code
    first = await house.apps.accepted(answer(plan, code), MALLORY, at=house.clock.now())
    again = await house.apps.accepted(answer(plan, code), MALLORY, at=house.clock.now())
    assert first.body == again.body == {"id": plan.id}
    assert (await house.types(plan.stream))[2:] == ["gate.opened.v1", "gate.passed.v1"]
    assert again.version == first.version


async def test_the_same_request_twice_is_answered_alike(house: Hooked) -> None:
    plan = await house.plan(gates=GATES)
    code = (await plan.event(GateOpened)).instance_code
    first = await house.apps.accepted(answer(plan, code), OLIVIA, at=1, key="same")
    again = await house.apps.accepted(answer(plan, code), OLIVIA, at=2, key="same")
    assert (first.position, again.repeated) == (again.position, True)


async def test_refused_callbacks_are_in_the_record_and_leave_the_plan_alone(house: Hooked) -> None:
    plan = await house.plan(gates=GATES)
    code = (await plan.event(GateOpened)).instance_code
    await house.apps.accepted(answer(plan, code), OLIVIA, at=house.clock.now())
    version = len(await house.facts(plan.stream))
    contradiction = await house.apps.refused(answer(plan, code, "failed"), OLIVIA, at=house.clock.now())
    unknown = await house.apps.refused(answer(plan, "0" * 16), MALLORY, at=house.clock.now(), key="once")
    repeated = await house.apps.refused(answer(plan, "0" * 16), MALLORY, at=house.clock.now(), key="once")
    assert [contradiction.code, unknown.code, repeated.code] == [
        "answer_contradicts",
        *["instance_code_unknown"] * 2,
    ]
    kept = await house.events(f"callback-{plan.id}")
    assert kept == [
        CallbackRefused(gate="finish_planning", instance_code=code, result="failed", code="answer_contradicts"),
        CallbackRefused(gate="finish_planning", instance_code="0" * 16, result="success", code="instance_code_unknown"),
    ]
    assert [fact.actor for fact in await house.facts(f"callback-{plan.id}")] == ["user:olivia", "user:mallory"]
    assert len(await house.facts(plan.stream)) == version


async def test_a_recheck_asks_with_a_new_code_and_the_old_one_is_stale(house: Hooked) -> None:
    async with Receiver() as receiver:
        await house.endpoint("board", receiver.url)
        plan = await house.plan(gates=GATES)
        old = (await plan.event(GateOpened)).instance_code
        await house.apps.accepted(answer(plan, old, "failed", "not yet"), OLIVIA, at=house.clock.now())
        assert (await plan.event(GateFailed)).reason == "not yet"
        await house.apps.accepted(RecheckGate(plan=plan.id, gate="finish_planning"), OLIVIA, at=house.clock.now())
        new = (await plan.event(GateOpened, 2)).instance_code
        stale = await house.apps.refused(answer(plan, old), OLIVIA, at=house.clock.now())
        await house.delivered(count=2)
        await house.apps.accepted(answer(plan, new), OLIVIA, at=house.clock.now())
    assert stale.code == "instance_code_stale"
    assert [hook.plan["instance_code"] for hook in receiver.requests] == [old, new]
    assert (await plan.event(GatePassed)).round == 2


async def test_a_reopened_plan_asks_again_after_it_is_sealed_anew(house: Hooked) -> None:
    plan = await house.plan(gates=GATES)
    first = await plan.event(GateOpened)
    await house.tell(plan.stream, PlanReopened())
    late = await house.apps.refused(answer(plan, first.instance_code), OLIVIA, at=house.clock.now())
    await house.tell(plan.stream, seal_of(plan.content, {}))
    second = await plan.event(GateOpened, 2)
    assert late.code == "gate_not_open"
    assert (second.round, second.instance_code != first.instance_code) == (2, True)


async def test_a_callback_for_no_plan_leaves_no_trace(house: Hooked) -> None:
    command = AnswerGate(plan="f" * 24, gate="finish_planning", instance_code="0" * 16, result="success")
    assert (await house.apps.refused(command, OLIVIA, at=house.clock.now())).code == "plan_not_found"
    assert await house.facts("callback-" + "f" * 24) == []


async def test_who_may_not_put_an_endpoint_puts_none(house: Hooked) -> None:
    endpoint = derived_id("endpoint", "x")
    command = PutEndpoint(endpoint=endpoint, url="https://e.org/", secret_ref="")
    assert (await house.apps.refused(command, OLIVIA, at=house.clock.now())).code == "forbidden"
    wrong = PutEndpoint(endpoint=endpoint, url="http://a:b@e.org/", secret_ref="")
    assert (await house.apps.refused(wrong, ADA, at=house.clock.now())).code == "invalid_endpoint"
    assert await house.facts(f"endpoint-{endpoint}") == []


def signed(house: Hooked, command: AnswerGate, webhook_id: str, *, secret: str = SECRET, late: int = 0) -> AnswerGate:
    """The command as the gateway sends it for a callback without a token."""
    body, at = b'{"any":"bytes"}', house.clock.now() // 1_000_000 - late
    signature = SigningKey.of(secret).sign(webhook_id, at, body)
    proof = Proof(webhook_id=webhook_id, timestamp=str(at), signature=f"v1,AAAA {signature}", body=body)
    return replace(command, proof=proof)


async def test_the_secret_of_the_endpoint_that_got_the_hook_proves_who_answers(house: Hooked) -> None:
    async with Receiver() as receiver:
        await house.endpoint("board", receiver.url)
        plan = await house.plan(gates=Gates(finish_planning=GateRule(systems=("endpoint:board",))))
        code = (await plan.event(GateOpened)).instance_code
        (row,) = await house.delivered()
    nobody, command, now = Actor(""), answer(plan, code), house.clock.now
    forged = [
        signed(house, command, row["id"], secret="whsec_AAAA"),
        signed(house, command, row["id"], late=301),
        signed(house, command, "f" * 24),
        signed(house, command, "../x"),
        command,
    ]
    refused = [(await house.apps.refused(one, nobody, at=now())).code for one in forged]
    assert refused == ["unauthenticated"] * 5
    assert (await house.apps.refused(command, OLIVIA, at=now())).code == "system_not_asked"
    await house.apps.accepted(signed(house, command, row["id"]), nobody, at=now())
    passed = (await house.facts(plan.stream))[-1]
    assert (passed.type, passed.actor) == ("gate.passed.v1", "endpoint:board")


async def test_an_endpoint_answers_only_for_plans_in_its_scope(house: Hooked) -> None:
    await house.endpoint("api", "http://127.0.0.1:9/", project="api")
    plan = await house.plan(gates=GATES)
    code = (await plan.event(GateOpened)).instance_code
    command = signed(house, answer(plan, code), "any-id")
    assert command.proof is not None
    command = replace(command, proof=replace(command.proof, endpoint="api"))
    assert (await house.apps.refused(command, Actor(""), at=house.clock.now())).code == "system_not_asked"
    assert [
        event.code for event in await house.events(f"callback-{plan.id}") if isinstance(event, CallbackRefused)
    ] == ["system_not_asked"]


async def test_a_repeated_verdict_is_in_the_record_once(house: Hooked) -> None:
    plan = await house.plan(gates=GATES)
    code = (await plan.event(GateOpened)).instance_code
    for result in ("success", "success", "success", "executing"):
        await house.apps.accepted(answer(plan, code, result), OLIVIA, at=house.clock.now())
    assert await house.events(f"callback-{plan.id}") == [
        CallbackRepeated(gate="finish_planning", instance_code=code, result="success")
    ]
