"""The parts of the demonstration that can be wrong by themselves: the signature, the outside world, the final checks."""

import base64
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from standardwebhooks import Webhook

from contracts.moments import moment
from infra.clock import SetClock
from services.cli.demo import checks, content
from services.cli.demo.cast import DemoFailed
from services.cli.demo.receiver import World
from services.cli.feed import Event
from services.cli.hooks.signature import signature_fault
from tests.support.wait import eventually

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
NOW_SECONDS = 1_800_000_000
BODY = b'{"release_plan":{"id":"p","event_name":"finish_planning","instance_code":"c","status":"s"}}'


def signed(body: bytes = BODY, secret: str = SECRET, delivery: str = "msg_1") -> dict[str, str]:
    signature = Webhook(secret).sign(delivery, moment(NOW_SECONDS * 1_000_000), body.decode())
    return {"webhook-id": delivery, "webhook-timestamp": str(NOW_SECONDS), "webhook-signature": signature}


def test_a_hook_signed_by_the_reference_implementation_is_believed() -> None:
    assert signature_fault(SECRET, signed(), BODY, NOW_SECONDS) is None


@pytest.mark.parametrize(
    ("headers", "body", "now_seconds"),
    [
        (signed(), BODY + b" ", NOW_SECONDS),
        ({**signed(), "webhook-id": "msg_2"}, BODY, NOW_SECONDS),
        (signed(), BODY, NOW_SECONDS + 301),
        ({**signed(), "webhook-signature": "v1,"}, BODY, NOW_SECONDS),
        ({**signed(), "webhook-signature": "nonsense"}, BODY, NOW_SECONDS),
        ({}, BODY, NOW_SECONDS),
    ],
)
def test_any_other_hook_is_not(headers: dict[str, str], body: bytes, now_seconds: int) -> None:
    assert signature_fault(SECRET, headers, body, now_seconds) is not None


async def test_the_receiver_takes_a_delivery_once_and_says_executing_then_success() -> None:
    said: list[str] = []

    async def answer(body: dict[str, Any]) -> None:
        said.append(body["result"])

    async with World(SECRET, answer, SetClock(NOW_SECONDS * 1_000_000)) as world, ClientSession() as session:
        for _ in range(2):
            async with session.post(f"{world.url}/hooks", data=BODY, headers=signed()) as response:
                assert response.status == 204
        await eventually(lambda: world.answered == {"finish_planning": 1})
    assert said == ["executing", "success"]
    assert len(world.hooks) == 1


async def test_the_receiver_refuses_a_forged_hook_and_calls_nobody_back() -> None:
    async def answer(body: dict[str, Any]) -> None:
        raise AssertionError(body)

    async with World(SECRET, answer, SetClock(NOW_SECONDS * 1_000_000)) as world, ClientSession() as session:
        forged = signed(secret="whsec_" + base64.b64encode(b"x" * 32).decode())
        async with session.post(f"{world.url}/hooks", data=BODY, headers=forged) as response:
            assert response.status == 401
    assert not world.hooks
    assert world.refused


async def test_the_target_does_a_deployment_once_per_key() -> None:
    async def answer(body: dict[str, Any]) -> None: ...

    async with World(SECRET, answer) as world, ClientSession() as session:
        async with session.get(f"{world.url}/target/staging/health") as response:
            assert response.status == 503
        for version in ("1", "2"):
            headers = {"Idempotency-Key": "k"}
            url = f"{world.url}/target/staging"
            async with session.put(url, json={"version": version}, headers=headers) as response:
                assert response.status == 200
        async with session.get(f"{world.url}/target/staging/health") as response:
            assert await response.json() == {"version": "1"}


def fed(*versions: int) -> list[Event]:
    return [Event(10 * v, "x", {"stream": "plan-p", "version": v}) for v in versions]


PLAN = {"id": "p", "version": 3}


def test_a_complete_feed_passes() -> None:
    checks.check_feed(fed(1, 2, 3), PLAN)


@pytest.mark.parametrize("seen", [fed(1, 3), fed(1, 2), fed(1, 1, 2, 3), fed(2, 1, 3)])
def test_a_feed_that_leaves_out_doubles_or_reorders_is_found(seen: list[Event]) -> None:
    with pytest.raises(DemoFailed):
        checks.check_feed(seen, PLAN)


def test_a_record_out_of_order_short_or_without_actor_is_found() -> None:
    good: list[dict[str, object]] = [{"position": i, "actor": "user:ana"} for i in (1, 2, 5)]
    checks.check_record(good, PLAN)
    for bad in (good[:2], good[::-1], [*good[:2], {"position": 5, "actor": ""}]):
        with pytest.raises(DemoFailed):
            checks.check_record(bad, PLAN)


def run_of(run: str, attempts: int = 1) -> dict[str, Any]:
    return {"id": run, "steps": [{"name": name, "attempt": attempts, "state": "passed"} for name in ("pack", "check")]}


@pytest.mark.parametrize(
    ("noted", "said"),
    [
        ("pack r/0/1\ncheck r/1/1\npack r/0/1\n", "pack ran 2 times under the key r/0/1"),
        ("pack r/0/1\ncheck r/1/1\npack r/0/2\n", "pack ran 2 times and was started 1 times"),
        ("pack other/0/1\ncheck r/1/1\n", "unknown key"),
        ("pack r/0/1\n", "check never ran"),
    ],
)
def test_a_step_that_ran_other_than_the_log_says_is_found(noted: str, said: str, tmp_path: Path) -> None:
    async def answer(body: dict[str, Any]) -> None: ...

    world = World(SECRET, answer)
    world.deployed = {"staging": content.VERSION, "production": content.VERSION}
    (tmp_path / "ran").write_text("pack r/0/1\ncheck r/1/1\n")
    assert checks.check_steps(tmp_path, world, [run_of("r")]) == {"pack": 1, "check": 1}
    (tmp_path / "ran").write_text(noted)
    with pytest.raises(DemoFailed, match=said):
        checks.check_steps(tmp_path, world, [run_of("r")])


def item_view(item: str, status: str) -> dict[str, Any]:
    return {"item": {"id": item, "spec": {"type": "text"}}, "status": status, "ticked": []}


def plan_view(
    status: str = "done", gate: str = "passed", voters: tuple[str, ...] = ("user:ana", "user:ben")
) -> dict[str, Any]:
    votes = [{"by": voter, "vote": "approve", "counts": True} for voter in voters]
    return {
        "items": [item_view("a", status), item_view("b", "skipped")],
        "gates": {name: {"state": gate} for name in checks.GATES},
        "approval": {"votes": votes},
    }


def test_a_plan_with_an_open_item_a_gate_not_passed_or_a_missing_vote_is_found() -> None:
    checks.check_plan(plan_view(), "b")
    for bad in (plan_view(status="waived"), plan_view(gate="overridden"), plan_view(voters=("user:ana",))):
        with pytest.raises(DemoFailed):
            checks.check_plan(bad, "b")
    with pytest.raises(DemoFailed):
        checks.check_plan(plan_view(), "")
