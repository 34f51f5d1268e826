"""The relay on real servers: sequence equals position, whatever is deleted, killed, restored or doubled meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
import nats as nats_client
import pytest
import pytest_asyncio
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from contracts.public import public_form
from contracts.registry import EVENTS
from contracts.subjects import EVENTS as EVENTS_SUBJECT
from contracts.subjects import STREAM, WAKE, category_of, event_subject
from infra.bus import Bus
from infra.bus.mirror import Mirror
from infra.eventlog import Draft, EventLog
from infra.ids import random_id
from infra.relay import STANDING_BY, LogWatch, Relay
from infra.tail import Wake
from tests.support.asyncapi import FILE, SAMPLES
from tests.support.facts import append, change, command, cut
from tests.support.listening import Described
from tests.support.servers import Dsns, Nats, Postgres
from tests.support.wait import PATIENCE_SECONDS, ended, eventually

Start = Callable[..., Awaitable[Relay]]


@pytest_asyncio.fixture
async def dsns(postgres: Postgres) -> Dsns:
    return await postgres.fresh_database()


@pytest_asyncio.fixture
async def log(dsns: Dsns) -> AsyncIterator[EventLog]:
    log = await EventLog.open(dsns.admin, any_history=True)
    yield log
    await log.close()


@pytest_asyncio.fixture
async def observer(nats: Nats) -> AsyncIterator[JetStreamContext]:
    """JetStream with the relay's rights, on a server without streams."""
    await nats.fresh()

    async def quiet(_: Exception) -> None:
        """Servers are killed on purpose here."""

    connection = await nats_client.connect(
        nats.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1, error_cb=quiet, **nats.login("relay")
    )
    yield connection.jetstream(timeout=10)
    await connection.close()


@pytest_asyncio.fixture
async def start(dsns: Dsns, nats: Nats, observer: JetStreamContext) -> AsyncIterator[Start]:
    """Starts relays, each with its own connections, as in a process of its own. `alone=False` takes the lock away."""
    async with asyncio.TaskGroup() as tasks:
        running: list[asyncio.Task[None]] = []
        opened: list[Any] = []

        async def start(*, alone: bool = True) -> Relay:
            bus = Bus(nats.url, name="relay", **nats.login("relay"))
            await bus.start()
            source = await EventLog.open(dsns.of("relay"), any_history=True)
            wake, leading = Wake(), asyncio.Event()
            own_leading = leading
            if not alone:
                own_leading = asyncio.Event()
                own_leading.set()
            relay = Relay(source, Mirror(bus), wake, own_leading, poll_seconds=0.05, check_seconds=0.2)
            running.append(tasks.create_task(LogWatch(dsns.of("relay"), wake, leading).run()))
            running.append(tasks.create_task(relay.run()))
            opened.extend((bus.stop, source.close))
            return relay

        yield start
        await ended(*running)
        await asyncio.gather(*(close() for close in opened))


async def last(observer: JetStreamContext) -> int:
    try:
        return int((await observer.stream_info(STREAM)).state.last_seq)
    except (NotFoundError, TimeoutError, nats_client.errors.Error):
        return -1


async def created(observer: JetStreamContext) -> datetime | None:
    try:
        return (await observer.stream_info(STREAM)).created
    except (NotFoundError, TimeoutError, nats_client.errors.Error):
        return None


async def mirrored(observer: JetStreamContext, log: EventLog) -> None:
    """Wait until the stream reaches the log's head, then compare every message with its event."""
    head = await log.head()

    async def there() -> bool:
        return await last(observer) == head.position and await epoch_of(observer) == head.epoch

    await eventually(there, what=f"the mirror at {head}")
    await equal(observer, log)


async def renewed(log: EventLog, epoch: str) -> None:
    """Wait until the log has another epoch than this."""

    async def another() -> bool:
        return (await log.head()).epoch != epoch

    await eventually(another, what="another epoch")


async def ids(observer: JetStreamContext) -> set[str]:
    """The `ce-id` of every message."""
    count = (await observer.stream_info(STREAM)).state.last_seq
    found = await asyncio.gather(*(observer.get_msg(STREAM, n) for n in range(1, count + 1)))
    return {(message.headers or {})["ce-id"] for message in found}


async def epoch_of(observer: JetStreamContext) -> str:
    try:
        return str(((await observer.stream_info(STREAM)).config.metadata or {})["gonogo_epoch"])
    except (NotFoundError, TimeoutError, nats_client.errors.Error):
        return ""


async def equal(observer: JetStreamContext, log: EventLog) -> None:
    head = await log.head()
    info = await observer.stream_info(STREAM)
    assert (info.state.first_seq, info.state.messages) in {(1, head.position), (0, 0)}
    assert await epoch_of(observer) == head.epoch
    subscription = await observer.subscribe("gonogo.v1.evt.>", ordered_consumer=True)
    try:
        position = 0
        while position < head.position:
            for fact in await log.read_after(position):
                message = await subscription.next_msg(timeout=PATIENCE_SECONDS)
                position = fact.position
                assert message.metadata.sequence.stream == position
                assert message.subject == event_subject(fact.stream, fact.type)
                assert message.data == public_form(fact.type, fact.payload)
                headers = message.headers or {}
                assert headers["ce-leafhash"] == fact.leaf.hex()
                assert headers["ce-id"] == f"{head.epoch}/{position}"
    finally:
        await subscription.unsubscribe()


@asynccontextmanager
async def load(log: EventLog) -> AsyncIterator[None]:
    """Appends without pause while the body runs."""
    running = True

    async def work() -> None:
        while running:
            await append(log, 7)

    task = asyncio.create_task(work())
    yield
    running = False
    await task


async def test_every_event_is_the_message_of_its_position_singly_and_in_batches(
    start: Start, log: EventLog, observer: JetStreamContext
) -> None:
    await append(log, 1_300)
    await start()
    await mirrored(observer, log)
    for count in (1, 2, 32, 33, 700):
        await append(log, count)
        await mirrored(observer, log)


async def test_large_events_are_cut_into_batches_that_the_server_takes(
    start: Start, log: EventLog, observer: JetStreamContext
) -> None:
    await append(log, 120, size=50_000)
    await start()
    await mirrored(observer, log)


async def test_a_message_carries_the_cloudevent_headers_of_its_event(
    start: Start, log: EventLog, observer: JetStreamContext
) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    await log.append(command("plan-0a", 0, [b'{"name":"first"}']))
    await log.append(command("plan-0a", 1, [b'{"name":"second"}'], cause=1, trace=trace))
    await start()
    await mirrored(observer, log)
    epoch = (await log.head()).epoch
    message = await observer.get_msg(STREAM, 2)
    headers = message.headers or {}
    assert headers["ce-specversion"] == "1.0"
    assert headers["ce-id"] == f"{epoch}/2"
    assert headers["ce-source"] == "/gonogo/log"
    assert headers["ce-type"] == "plan.created.v1"
    assert headers["ce-subject"] == "plan-0a"
    assert headers["ce-time"] == "2023-11-14T22:13:20.123456Z"
    assert int(headers["ce-sequence"]) == 2
    assert headers["ce-causationid"] == f"{epoch}/1"
    assert headers["traceparent"] == headers["ce-traceparent"] == trace
    assert headers["content-type"] == "application/json"
    assert headers["Nats-Expected-Last-Sequence"] == "1"
    assert "ce-traceparent" not in ((await observer.get_msg(STREAM, 1)).headers or {})


async def test_every_type_of_event_is_published_as_the_asyncapi_document_describes_it(
    start: Start, log: EventLog, observer: JetStreamContext
) -> None:
    described = Described(msgspec.json.decode(FILE.read_bytes()))

    async def samples() -> None:
        for name in EVENTS:
            sample = Draft(name, (SAMPLES / f"{name}.json").read_bytes().strip())
            order = command(f"{category_of(name)}-{random_id()}", 0, [], cause=(await log.head()).position or None)
            await log.append(msgspec.structs.replace(order, events=(sample,)))

    await samples()  # published in batches, since the relay finds them all at once
    relay = await start()
    await mirrored(observer, log)
    await eventually(lambda: relay.obstacle is None)
    await samples()  # singly, or few together
    await mirrored(observer, log)
    for fact in await log.read_after(0):
        message = await observer.get_msg(STREAM, fact.position)
        payload = msgspec.json.decode(message.data or b"")
        assert described.faults(fact.type, message.subject or "", message.headers or {}, payload) == []


async def test_a_listener_whose_stream_was_made_anew_goes_on_after_its_checkpoint(
    start: Start, log: EventLog, observer: JetStreamContext
) -> None:
    await append(log, 20)
    await start()
    await mirrored(observer, log)
    before = await created(observer)
    await observer.pull_subscribe(EVENTS_SUBJECT, durable="reports", stream=STREAM)
    await observer.delete_stream(STREAM)

    async def is_new() -> bool:
        return await created(observer) not in {None, before}

    await eventually(is_new)
    await mirrored(observer, log)
    assert "reports" not in {consumer.name for consumer in await observer.consumers_info(STREAM)}
    checkpoint = 15
    again = ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=checkpoint + 1)
    listener = await observer.pull_subscribe(EVENTS_SUBJECT, durable="reports", stream=STREAM, config=again)
    (message,) = await listener.fetch(1, timeout=PATIENCE_SECONDS)
    assert message.metadata.sequence.stream == checkpoint + 1


async def test_a_service_is_rung_when_an_event_is_appended(
    start: Start, log: EventLog, observer: JetStreamContext, nats: Nats
) -> None:
    rings: list[bytes] = []

    async def ring(message: Any) -> None:
        rings.append(message.data)

    relay = await start()
    await eventually(lambda: relay.obstacle is None)
    connection = await nats_client.connect(nats.url, **nats.login("planner"))
    await connection.subscribe(WAKE, cb=ring)
    await connection.flush()
    position = await append(log, 1)
    await eventually(lambda: str(position).encode() in rings)
    await connection.close()


async def test_two_relays_without_a_lock_never_interleave(
    start: Start, log: EventLog, observer: JetStreamContext
) -> None:
    await asyncio.gather(start(alone=False), start(alone=False))
    for _ in range(15):
        await append(log, 40)
    await append(log, 900)
    await mirrored(observer, log)


async def test_of_two_relays_one_leads_and_the_other_takes_over_when_its_session_ends(
    start: Start, log: EventLog, observer: JetStreamContext, dsns: Dsns
) -> None:
    first = await start()
    await eventually(lambda: first.obstacle is None)
    second = await start()
    await append(log, 10)
    await mirrored(observer, log)
    await eventually(lambda: first.position == 10)
    assert second.obstacle == STANDING_BY
    admin = await asyncpg.connect(dsns.admin)

    async def takes_over() -> bool:
        # Either may win the race for the free lock, so the leading session is ended until the other one leads.
        await admin.execute(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objid = $1::bigint::oid",
            7165066907192 & 0xFFFFFFFF,
        )
        return second.obstacle is None

    await eventually(takes_over)
    await admin.close()
    await append(log, 10)
    await mirrored(observer, log)


async def test_a_deleted_stream_is_built_again_under_load(
    start: Start, log: EventLog, observer: JetStreamContext
) -> None:
    await append(log, 500)
    relay = await start()
    async with load(log):
        for _ in range(3):
            await eventually(lambda: relay.obstacle is None and relay.position > 500)
            before = await created(observer)
            await observer.delete_stream(STREAM)

            async def is_new(before: Any = before) -> bool:
                return await last(observer) > 500 and await created(observer) not in {None, before}

            await eventually(is_new)
    await mirrored(observer, log)


async def test_a_stream_deleted_while_nothing_happens_is_built_again_unasked(
    start: Start, log: EventLog, observer: JetStreamContext
) -> None:
    await append(log, 60)
    await start()
    await mirrored(observer, log)
    await observer.delete_stream(STREAM)
    await mirrored(observer, log)


async def test_a_killed_nats_loses_no_event_and_doubles_none(
    start: Start, log: EventLog, observer: JetStreamContext, nats: Nats
) -> None:
    relay = await start()
    async with load(log):
        for _ in range(3):
            position = relay.position
            await eventually(lambda position=position: relay.position > position)
            await nats.kill()
            await append(log, 10)
            await nats.start()
    await mirrored(observer, log)


async def test_a_lost_jetstream_store_is_built_again(
    start: Start, log: EventLog, observer: JetStreamContext, nats: Nats
) -> None:
    await append(log, 100)
    await start()
    await mirrored(observer, log)
    await nats.lose()
    await nats.start()
    await mirrored(observer, log)


async def test_a_database_that_is_away_is_waited_for(
    start: Start, log: EventLog, observer: JetStreamContext, postgres: Postgres
) -> None:
    await append(log, 10)
    relay = await start()
    await mirrored(observer, log)
    await postgres.kill()
    await eventually(lambda: relay.obstacle is not None)
    await postgres.start()
    await append(log, 10)
    await mirrored(observer, log)
    await eventually(lambda: relay.obstacle is None)


async def test_a_stream_of_another_epoch_is_thrown_away_and_not_continued(
    start: Start, log: EventLog, observer: JetStreamContext, dsns: Dsns
) -> None:
    await append(log, 20)
    await start()
    await mirrored(observer, log)
    await change(dsns, "update log.head set epoch = 'another'")
    await append(log, 5)
    await mirrored(observer, log)


async def test_a_log_restored_to_an_earlier_state_is_not_mixed_with_the_newer_stream(
    start: Start, log: EventLog, observer: JetStreamContext, dsns: Dsns
) -> None:
    await append(log, 80)
    await start()
    await mirrored(observer, log)
    before = await ids(observer)
    await cut(dsns, 30)
    await renewed(log, next(iter(before)).partition("/")[0])
    await mirrored(observer, log)
    await append(log, 60)
    await mirrored(observer, log)
    assert len(before) == 80
    assert not before & await ids(observer)


async def test_a_restored_log_that_has_already_passed_the_stream_is_recognised_by_the_leaf(
    start: Start, log: EventLog, observer: JetStreamContext, dsns: Dsns, nats: Nats
) -> None:
    await append(log, 80)
    await start()
    await mirrored(observer, log)
    epoch = (await log.head()).epoch
    await nats.kill()  # the relay sees nothing of what happens now
    await cut(dsns, 30)
    await append(log, 100, size=21)
    await nats.start()
    await renewed(log, epoch)
    await mirrored(observer, log)


async def test_two_relays_renew_the_epoch_of_a_restored_log_once(
    start: Start, log: EventLog, observer: JetStreamContext, dsns: Dsns
) -> None:
    head = await log.head()
    await append(log, 20)
    await start(alone=False)
    await start(alone=False)
    await mirrored(observer, log)
    fact = (await log.read_after(19))[0]
    await cut(dsns, 10)
    await renewed(log, head.epoch)
    relay = await EventLog.open(dsns.of("relay"))
    try:
        assert await relay.renew_epoch(head.epoch, 20, fact.leaf) is None
        now = (await relay.head()).epoch
        there = (await relay.read_after(9))[0]
        assert await relay.renew_epoch(now, there.position, there.leaf) is None  # it is in the log: no proof
    finally:
        await relay.close()
    await append(log, 30)
    await mirrored(observer, log)
    assert (await log.head()).epoch == now


async def test_a_relay_that_may_not_renew_the_epoch_leaves_the_mirror_as_it_is(
    start: Start, log: EventLog, observer: JetStreamContext, dsns: Dsns
) -> None:
    await append(log, 20)
    relay = await start()
    await mirrored(observer, log)
    stream, epoch = await created(observer), (await log.head()).epoch
    await change(dsns, "revoke execute on function log.renew_epoch from gonogo_relay")
    await cut(dsns, 10)
    await eventually(lambda: "a new epoch of the log" in (relay.obstacle or ""))
    assert (await created(observer), await last(observer)) == (stream, 20)
    await change(dsns, "grant execute on function log.renew_epoch to gonogo_relay")
    await renewed(log, epoch)
    await mirrored(observer, log)


async def test_a_running_relay_sees_that_the_log_changed_under_its_feet(
    start: Start, log: EventLog, observer: JetStreamContext, dsns: Dsns
) -> None:
    await append(log, 80)
    await start()
    await mirrored(observer, log)
    epoch = (await log.head()).epoch
    await cut(dsns, 30, then=60)
    await renewed(log, epoch)
    await mirrored(observer, log)


async def test_a_refused_publisher_changes_nothing_and_is_refused_by_sequence(
    start: Start, log: EventLog, observer: JetStreamContext
) -> None:
    await append(log, 5)
    await start()
    await mirrored(observer, log)
    from nats.js.errors import APIError

    with pytest.raises(APIError) as refused:
        await observer.publish(
            event_subject("plan-0a", "plan.created.v1"), b"{}", headers={"Nats-Expected-Last-Sequence": "3"}
        )
    assert refused.value.err_code == 10071
    await equal(observer, log)


async def test_a_foreign_message_in_the_stream_does_not_stop_the_relay_for_ever(
    start: Start, log: EventLog, observer: JetStreamContext
) -> None:
    await append(log, 5)
    await start()
    await mirrored(observer, log)
    before, epoch = await created(observer), (await log.head()).epoch
    await observer.publish(event_subject("plan-0a", "plan.created.v1"), b"{}")
    await append(log, 5)

    async def is_new() -> bool:
        return await created(observer) not in {None, before}

    await eventually(is_new)
    await mirrored(observer, log)
    assert (await log.head()).epoch == epoch  # it proves nothing about the log
