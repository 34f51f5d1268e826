"""The bus on a real server: a reply on every path, requests sent again, servers that go and come back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import pytest
import pytest_asyncio

from contracts.commands import Denied, Failed
from contracts.subjects import WAKE
from infra.bus import Bus
from infra.bus.answer import Handler
from infra.errors import Unavailable
from infra.requests import decode_reply
from tests.support.servers import Nats
from tests.support.wait import PATIENCE_SECONDS, eventually

Make = Callable[..., Awaitable[Bus]]


@pytest_asyncio.fixture
async def bus(nats: Nats) -> AsyncIterator[Make]:
    """Makes started buses: `await bus("planner", handler)` serves, `await bus("gateway")` only asks."""
    made: list[Bus] = []

    async def make(user: str, handler: Handler | None = None, **options: object) -> Bus:
        bus = Bus(nats.url, name=user, **nats.login(user), **options)  # type: ignore[arg-type]
        made.append(bus)
        if handler:
            bus.serve(user, handler)
        await bus.start()
        await bus.wait_connected(PATIENCE_SECONDS)
        return bus

    yield make
    await asyncio.gather(*(each.stop(0.1) for each in made))


async def echo(body: bytes) -> bytes:
    return b"answer to " + body


async def test_a_request_gets_the_handlers_reply_whatever_its_bytes(bus: Make) -> None:
    await bus("planner", echo)
    gateway = await bus("gateway")
    for body in (b"hello", b"1", b"", b"\x00\xff", b'{"a": 1}', b"x" * 1_000_000):
        assert await gateway.request("planner", body, attempts=60) == b"answer to " + body


@pytest.mark.parametrize("middlewares", [False, True])
async def test_every_way_to_fail_is_answered_and_not_left_to_a_timeout(bus: Make, middlewares: bool) -> None:
    class Command(msgspec.Struct):
        number: int

    async def handler(body: bytes) -> bytes:
        command = msgspec.json.decode(body, type=Command)
        if command.number == 1:
            raise Unavailable("log")
        if command.number == 2:
            raise KeyError("a bug")
        return b"done"

    await bus("planner", handler, middlewares=(_through,) if middlewares else ())
    gateway = await bus("gateway")

    async def ask(body: bytes) -> bytes:
        return await gateway.request("planner", body, timeout=PATIENCE_SECONDS, attempts=1)

    for unreadable in (b"not json", b'{"number": "one"}', b"", b"\xff"):
        refused = decode_reply(await ask(unreadable))
        assert isinstance(refused, Denied)
        assert refused.code == "malformed_body"
    assert decode_reply(await ask(b'{"number": 1}')) == Failed("log is not available")
    broken = decode_reply(await ask(b'{"number": 2}'))
    assert isinstance(broken, Failed)
    assert "a bug" not in broken.detail
    assert await ask(b'{"number": 3}') == b"done"


def _through(message: object, /, *, context: object) -> object:
    """The least FastStream middleware: its presence alone sends messages the long way."""
    from faststream import BaseMiddleware

    return BaseMiddleware(message, context=context)  # type: ignore[arg-type]


async def test_one_slow_command_does_not_hold_up_the_others(bus: Make) -> None:
    release = asyncio.Event()

    async def handler(body: bytes) -> bytes:
        if body == b"slow":
            await release.wait()
        return body

    await bus("planner", handler)
    gateway = await bus("gateway")
    slow = asyncio.create_task(gateway.request("planner", b"slow", timeout=PATIENCE_SECONDS, attempts=1))
    assert await gateway.request("planner", b"quick", attempts=60) == b"quick"
    release.set()
    assert await slow == b"slow"


async def test_no_more_commands_run_at_once_than_there_are_workers_and_all_are_answered(bus: Make) -> None:
    running = most = 0

    async def handler(body: bytes) -> bytes:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return body

    await bus("planner", handler, max_workers=3)
    gateway = await bus("gateway")
    bodies = [str(number).encode() for number in range(50)]
    assert await asyncio.gather(*(gateway.request("planner", body, attempts=60) for body in bodies)) == bodies
    assert most == 3


async def test_a_request_without_an_answer_is_sent_again_with_the_same_bytes(bus: Make) -> None:
    bodies: list[bytes] = []

    async def handler(body: bytes) -> bytes:
        bodies.append(body)
        if len(bodies) < 3:
            await asyncio.Event().wait()
        return b"third"

    await bus("planner", handler)
    gateway = await bus("gateway")
    # An answer may be later than that, wherever the machine stands still: then it is asked for once more.
    assert await gateway.request("planner", b"once", timeout=0.1, attempts=600) == b"third"
    assert len(bodies) >= 3
    assert set(bodies) == {b"once"}


async def test_a_late_reply_to_the_first_sending_counts_though_the_request_was_sent_again(bus: Make) -> None:
    sendings, second = 0, asyncio.Event()

    async def slow(body: bytes) -> bytes:
        nonlocal sendings
        sendings += 1
        if sendings > 1:
            second.set()
            await asyncio.Event().wait()  # only the first sending is answered, when it has been sent once more
        await second.wait()
        return b"to the first"

    await bus("planner", slow)
    gateway = await bus("gateway")
    assert await gateway.request("planner", b"x", timeout=0.1, attempts=600) == b"to the first"
    assert sendings > 1


async def test_a_service_that_nobody_runs_is_unavailable_after_the_deadline(bus: Make) -> None:
    gateway = await bus("gateway")
    with pytest.raises(Unavailable, match="approval"):
        await gateway.request("approval", b"x", timeout=0.1, attempts=2)


async def test_a_service_that_comes_within_the_deadline_still_answers(bus: Make) -> None:
    gateway = await bus("gateway")
    asked = asyncio.create_task(gateway.request("approval", b"x", attempts=60))
    await bus("approval", echo)
    assert await asked == b"answer to x"


async def test_commands_are_shared_by_the_processes_of_a_service_and_each_is_taken_once(bus: Make) -> None:
    taken: list[tuple[int, bytes]] = []

    def process(number: int) -> Handler:
        async def handler(body: bytes) -> bytes:
            taken.append((number, body))
            return body

        return handler

    await bus("planner", process(1))
    await bus("planner", process(2))
    gateway = await bus("gateway")
    bodies = [str(number).encode() for number in range(60)]
    # Once: where an answer is waited for so long, no stall has a request sent again.
    once = {"timeout": PATIENCE_SECONDS, "attempts": 1}
    await asyncio.gather(*(gateway.request("planner", body, **once) for body in bodies))
    assert sorted(body for _, body in taken) == sorted(bodies)
    assert {number for number, _ in taken} == {1, 2}


async def test_a_stopping_service_answers_what_it_took_and_what_it_must_give_up(bus: Make) -> None:
    started: list[bytes] = []
    release = asyncio.Event()

    async def handler(body: bytes) -> bytes:
        started.append(body)
        await (asyncio.Event().wait() if body == b"never" else release.wait())
        return body

    planner = await bus("planner", handler, max_workers=2)
    gateway = await bus("gateway")
    asked = {
        body: asyncio.create_task(gateway.request("planner", body, timeout=PATIENCE_SECONDS, attempts=1))
        for body in (b"never", b"soon", b"queued")
    }
    await eventually(lambda: len(started) == 2)
    stopping = asyncio.create_task(planner.stop(PATIENCE_SECONDS))
    release.set()
    assert await asked[b"soon"] == b"soon"
    assert await asked[b"queued"] == b"queued"
    assert not stopping.done()
    await planner.stop(0)  # its grace is over
    await stopping
    assert isinstance(decode_reply(await asked[b"never"]), Failed)


async def test_a_wake_rings_every_listener(bus: Make, nats: Nats) -> None:
    rings = [0, 0]
    buses = []
    for number, user in enumerate(("planner", "executor")):
        listener = Bus(nats.url, name=user, **nats.login(user))

        def ring(number: int = number) -> None:
            rings[number] += 1

        listener.on_wake(ring)
        await listener.start()
        await listener.wait_connected(PATIENCE_SECONDS)
        buses.append(listener)
    before = list(rings)
    relay = await bus("relay")
    await relay.publish(WAKE, b"7")
    await eventually(lambda: rings == [count + 1 for count in before])
    await asyncio.gather(*(listener.stop(0) for listener in buses))


async def test_a_service_starts_without_nats_and_serves_when_it_comes(bus: Make, nats: Nats) -> None:
    await nats.kill()
    try:
        planner = Bus(nats.url, name="planner", **nats.login("planner"))
        planner.serve("planner", echo)
        await planner.start()
        assert not planner.connected
        with pytest.raises(Unavailable):
            await planner.publish(WAKE, b"1")
        with pytest.raises(Unavailable):
            await planner.request("planner", b"x", timeout=0.05, attempts=2)
    finally:
        await nats.start()
    await eventually(lambda: planner.connected)
    gateway = await bus("gateway")
    assert await gateway.request("planner", b"x", attempts=60) == b"answer to x"
    await planner.stop(0)


async def test_a_service_whose_nats_was_killed_serves_again_and_the_asker_waits_for_it(bus: Make, nats: Nats) -> None:
    planner = await bus("planner", echo)
    gateway = await bus("gateway")
    await nats.kill()
    await eventually(lambda: not planner.connected and not gateway.connected)
    asked = asyncio.create_task(gateway.request("planner", b"x", timeout=5, attempts=12))
    await nats.start()
    assert await asked == b"answer to x"


async def test_a_bus_stops_cleanly_while_nats_is_away(bus: Make, nats: Nats) -> None:
    planner = await bus("planner", echo)
    await nats.kill()
    await eventually(lambda: not planner.connected)
    await asyncio.wait_for(planner.stop(1), PATIENCE_SECONDS)
    await nats.start()


@pytest.mark.parametrize("serves", [False, True])
async def test_a_refused_login_is_told_and_never_shows_the_password(
    nats: Nats, capsys: pytest.CaptureFixture[str], serves: bool
) -> None:
    if not nats.users:
        pytest.skip("the server named in the environment lets everybody in")
    stranger = Bus(nats.url, name="stranger", user="planner", password="wrong-and-secret")
    if serves:
        stranger.serve("planner", echo)
    await stranger.start()
    seen = ""

    def told() -> bool:
        nonlocal seen
        captured = capsys.readouterr()
        seen += captured.out + captured.err
        return "Authorization" in seen

    await eventually(told)
    assert not stranger.connected
    assert "wrong-and-secret" not in seen + repr(stranger) + repr(vars(stranger)) + repr(
        getattr(stranger._link, "__dict__", "")
    )
    await stranger.stop(0)


async def test_only_the_relay_may_publish_events(nats: Nats) -> None:
    if not nats.users:
        pytest.skip("the server named in the environment lets everybody publish")
    import nats as client

    errors: list[Exception] = []

    async def on_error(error: Exception) -> None:
        errors.append(error)

    for user in sorted(set(nats.users) - {"relay"}):
        connection = await client.connect(nats.url, error_cb=on_error, **nats.login(user))
        await connection.publish("gonogo.v1.evt.plan.0a.plan.sealed.v1", b"{}")
        await eventually(lambda: len(errors) == 1, what=f"{user} is refused")
        assert "permissions violation" in str(errors.pop()).lower()
        await connection.close()
