"""Permissions on NATS: the stream of events has one writer, whatever others try."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from nats import connect
from nats.aio.client import Client
from nats.js.api import StreamConfig

from contracts.subjects import COMMANDS, EVENTS, STREAM, WAKE, command_subject
from infra.embedded.secrets import SERVICES
from infra.embedded.users import NATS_USERS, OBSERVER, OBSERVER_API, RELAY
from tests.support.servers import Nats
from tests.support.wait import PATIENCE_SECONDS, eventually

EVENT = "gonogo.v1.evt.plan.0a.plan.sealed.v1"
As = Callable[[str], Awaitable[Client]]


@pytest_asyncio.fixture
async def login(nats: Nats) -> AsyncIterator[As]:
    """Connections by user; the errors that the server sent are in `connection.refusals`."""
    if not nats.users:
        pytest.skip("the server named in the environment lets everybody do everything")
    await nats.fresh()
    opened: list[Client] = []

    async def login(user: str) -> Client:
        refusals: list[str] = []

        async def on_error(error: Exception) -> None:
            refusals.append(str(error))

        connection = await connect(nats.url, error_cb=on_error, **nats.login(user))
        connection.refusals = refusals  # type: ignore[attr-defined]
        opened.append(connection)
        return connection

    relay = await login(RELAY)
    await relay.jetstream().add_stream(StreamConfig(name=STREAM, subjects=[EVENTS], allow_direct=True))
    await relay.jetstream().publish(EVENT, b"{}")
    yield login
    for connection in opened:
        await connection.close()


async def stored(login: As) -> list[tuple[str, bytes]]:
    """What the stream holds, asked by a new connection, after everything that the others sent has been handled."""
    relay = (await login(RELAY)).jetstream()
    last = (await relay.stream_info(STREAM)).state.last_seq
    found = [await relay.get_msg(STREAM, number) for number in range(1, last + 1)]
    return [(message.subject or "", (message.data or b"")[:200]) for message in found]


@pytest.mark.parametrize("user", [user for user in NATS_USERS if user != RELAY])
async def test_no_user_but_the_relay_adds_to_the_stream_not_even_by_an_answer(login: As, user: str) -> None:
    connection, before = await login(user), await stored(login)
    refusals: list[str] = connection.refusals  # type: ignore[attr-defined]
    await connection.publish(EVENT, b"{}")
    for api in ("$JS.API", OBSERVER_API):
        # The server answers such a call itself, unbound by the caller's permissions.
        await connection.publish(f"{api}.STREAM.INFO.{STREAM}", b"", reply=EVENT)
        await connection.publish(f"{api}.DIRECT.GET.{STREAM}", b'{"seq":1}', reply=EVENT)
    await connection.flush()
    await eventually(lambda: any(EVENT in refusal for refusal in refusals), what="the refusal of the plain publish")
    assert await stored(login) == before != []


@pytest.mark.parametrize("call", ["STREAM.DELETE", "STREAM.PURGE", "STREAM.UPDATE", "STREAM.MSG.DELETE"])
@pytest.mark.parametrize("user", [user for user in NATS_USERS if user != RELAY])
async def test_no_user_but_the_relay_changes_the_stream(login: As, user: str, call: str) -> None:
    connection, before = await login(user), await stored(login)
    await connection.publish(f"$JS.API.{call}.{STREAM}", b"")
    await connection.publish(f"{OBSERVER_API}.{call}.{STREAM}", b"")
    await connection.flush()
    assert await stored(login) == before != []


async def test_an_observer_pulls_and_acknowledges_events(login: As) -> None:
    reading = (await login(OBSERVER)).jetstream(prefix=OBSERVER_API)
    subscription = await reading.pull_subscribe(EVENTS, durable="reports", stream=STREAM)
    (message,) = await subscription.fetch(1, timeout=PATIENCE_SECONDS)
    assert (message.subject, message.metadata.sequence.stream) == (EVENT, 1)
    await message.ack_sync()


async def test_an_observer_reads_by_position_without_a_consumer(login: As) -> None:
    answer = await (await login(OBSERVER)).request(
        f"{OBSERVER_API}.DIRECT.GET.{STREAM}", b'{"seq":1}', timeout=PATIENCE_SECONDS
    )
    assert (answer.headers or {})["Nats-Subject"] == EVENT


async def test_an_observer_hears_events_and_no_commands(login: As) -> None:
    observer = await login(OBSERVER)
    heard = await observer.subscribe(EVENTS)
    await observer.subscribe(COMMANDS)
    await observer.flush()
    await eventually(lambda: any(COMMANDS in refusal for refusal in observer.refusals), what="the refusal")  # type: ignore[attr-defined]
    relay = await login(RELAY)

    async def hears() -> bool:
        await relay.publish(EVENT, b"hint")
        await relay.flush()
        return heard.pending_msgs > 0

    await eventually(hears)


async def test_events_cannot_be_delivered_to_a_service_as_commands(login: As) -> None:
    observer, planner, relay = await login(OBSERVER), await login("planner"), await login(RELAY)
    inbox = await planner.subscribe(command_subject("planner"))
    await planner.flush()
    consumer = {"name": "deputy", "deliver_subject": command_subject("planner"), "ack_policy": "none"}
    body = json.dumps({"stream_name": STREAM, "config": consumer}).encode()
    await observer.request(f"{OBSERVER_API}.CONSUMER.CREATE.{STREAM}.deputy", body, timeout=PATIENCE_SECONDS)

    assert not (await relay.jetstream().consumer_info(STREAM, "deputy")).push_bound
    await planner.flush()
    assert inbox.pending_msgs == 0


async def test_services_ask_each_other_and_hear_the_relays_wake(login: As) -> None:
    gateway, planner, relay = await login("gateway"), await login("planner"), await login(RELAY)

    async def answer(message: object) -> None:
        await message.respond(b"done")  # type: ignore[attr-defined]

    await planner.subscribe(command_subject("planner"), cb=answer)
    woken = await gateway.subscribe(WAKE)
    await planner.flush()
    await gateway.flush()
    assert (await gateway.request(command_subject("planner"), b"do", timeout=PATIENCE_SECONDS)).data == b"done"

    async def wakes() -> bool:
        await relay.publish(WAKE, b"1")
        await relay.flush()
        return woken.pending_msgs > 0

    await eventually(wakes)


@pytest.mark.parametrize("user", [user for user in SERVICES if user not in (RELAY, "gateway")])
async def test_a_service_gives_no_command_and_hears_neither_others_commands_nor_their_answers(
    login: As, user: str
) -> None:
    connection = await login(user)
    other = command_subject("planner" if user != "planner" else "approval")
    for subject in (COMMANDS, other, "_INBOX.>"):
        await connection.subscribe(subject)
    await connection.publish(other, b"{}", reply="_INBOX.x")
    await connection.flush()
    refusals: list[str] = connection.refusals  # type: ignore[attr-defined]
    wanted = [f'subscription to "{subject}"' for subject in (COMMANDS, other, "_inbox.>")]
    wanted.append(f'publish to "{other}"')
    await eventually(
        lambda: all(any(one.lower() in refusal.lower() for refusal in refusals) for one in wanted),
        what="all four refusals",
    )


async def test_nobody_gets_in_without_a_password(nats: Nats, login: As) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(nats.url).port)
    writer.write(b"CONNECT {}\r\nPING\r\n")
    said = await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)
    writer.close()
    assert b"Authorization Violation" in said
    assert b"PONG" not in said
