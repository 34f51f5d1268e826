"""Receivers that misbehave: each has its outcome, in bounded time and memory, and none disturbs the next hook."""

import asyncio
import gzip
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from infra.addresses import reach_of
from services.hook_dispatcher.adapters import Hook, Sender
from tests.support.receiver import self_signed
from tests.support.unruly import Behaviour, Unruly, hangs, request, resets, says, without_end

TIMEOUT_SECONDS = 0.3


@pytest_asyncio.fixture(loop_scope="session")
async def sender() -> AsyncIterator[Sender]:
    sender = Sender(reach=reach_of(("127.0.0.0/8",), ("1-65535",)), timeout_seconds=TIMEOUT_SECONDS, instance_url="us")
    yield sender
    await sender.close()


def hook(url: str, delivery: str = "d") -> Hook:
    return Hook(delivery=delivery, raised="r", url=url, body=b'{"a":1}' * 1_000, sent_at=1_800_000_000)


async def slams(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Closes without a word."""
    await request(reader)


async def banner(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")
    await hangs(_, writer)


HEAD_500 = b"HTTP/1.1 500 Internal Server Error\r\n"
CHUNKED_500 = HEAD_500 + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNK = b"400\r\n" + b"x" * 1_024 + b"\r\n"


@pytest.mark.parametrize(
    ("behaviour", "error", "status"),
    [
        pytest.param(hangs, "timeout", None, id="hangs"),
        pytest.param(says(then=hangs), "timeout", None, id="reads and hangs"),
        pytest.param(resets, "connection", None, id="resets at once"),
        pytest.param(says(then=resets), "connection", None, id="reads and resets"),
        pytest.param(slams, "connection", None, id="closes without a word"),
        pytest.param(says(b"HTTP/1.1 2", then=resets), "connection", None, id="resets within the status"),
        pytest.param(
            says(then=without_end(b"H", pause_seconds=0.01)), "connection", None, id="no status line, byte by byte"
        ),
        pytest.param(
            says(b"HTTP/1.1 204 No Content\r\n", then=without_end(b"X", pause_seconds=0.01)),
            "timeout",
            None,
            id="slow headers without end",
        ),
        pytest.param(
            says(b"HTTP/1.1 204 No Content\r\n", then=without_end(b"X-A: " + b"a" * 1_000 + b"\r\n")),
            "connection",
            None,
            id="headers without end",
        ),
        pytest.param(
            says(b"HTTP/1.1 204 No Content\r\nX-A: " + b"a" * 100_000 + b"\r\n\r\n"),
            "connection",
            None,
            id="huge header",
        ),
        pytest.param(
            says(then=without_end(b"HTTP/1.1 100 Continue\r\n\r\n", pause_seconds=0.005)),
            "timeout",
            None,
            id="continue without end",
        ),
        pytest.param(says(b"nonsense\r\n\r\n"), "connection", None, id="no HTTP"),
        pytest.param(says(CHUNKED_500, then=without_end(CHUNK)), None, 500, id="chunked without end"),
        pytest.param(
            says(HEAD_500 + b"Content-Length: 99999999999\r\n\r\n", then=without_end(CHUNK)), None, 500, id="huge body"
        ),
        pytest.param(
            says(HEAD_500 + b"Content-Length: 10\r\n\r\nab", then=resets), None, 500, id="resets within the body"
        ),
        pytest.param(says(HEAD_500 + b"Content-Length: 10\r\n\r\n", then=hangs), None, 500, id="hangs before the body"),
        pytest.param(
            says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", then=without_end(CHUNK)),
            None,
            200,
            id="chunked without end, and well",
        ),
        pytest.param(
            says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", then=hangs), None, 200, id="well, then hangs"
        ),
        pytest.param(says(b"HTTP/1.1 302 Found\r\nLocation: /hooks\r\n\r\n"), None, 302, id="sends round in circles"),
    ],
)
async def test_each_misbehaviour_has_its_outcome(
    sender: Sender, behaviour: Behaviour, error: str | None, status: int | None
) -> None:
    async with Unruly(behaviour) as receiver, asyncio.timeout(5):
        sent = await sender.send(hook(receiver.url))
    assert (sent.error, sent.status) == (error, status)
    assert len(sent.detail) <= 200
    assert sent.detail.isprintable()


async def test_a_flood_of_bytes_costs_no_memory(sender: Sender) -> None:
    async with Unruly(says(CHUNKED_500, then=without_end(b"10000\r\n" + b"x" * 65_536 + b"\r\n"))) as receiver:
        await sender.send(hook(receiver.url))
        tracemalloc.start()
        try:
            await asyncio.gather(*(sender.send(hook(receiver.url)) for _ in range(8)))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 8 * 1024 * 1024


async def test_an_answer_that_is_packed_stays_packed(sender: Sender) -> None:
    packed = gzip.compress(b"x" * 50_000_000)
    head = HEAD_500 + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    async with Unruly(says(head + packed)) as receiver:
        sent = await sender.send(hook(receiver.url))
    assert (sent.status, "xxx" in sent.detail) == (500, False)


async def test_an_answer_after_the_timeout_counts_for_nothing_and_for_no_other_hook(sender: Sender) -> None:
    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        if receiver.connections == 1:
            await reader.read()  # until the sender has given up and closed
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()

    async with Unruly(late) as receiver:
        first = await sender.send(hook(receiver.url))
        second = await sender.send(hook(receiver.url))
        assert receiver.connections == 2
    assert (first.error, second.status) == ("timeout", 204)


async def test_a_second_answer_is_not_taken_for_the_answer_to_the_next_hook(sender: Sender) -> None:
    """Twice in one piece, and the second one later on: a connection with something in it is not used again."""
    answer = b"HTTP/1.1 204 No Content\r\n\r\n"
    again = asyncio.Event()

    async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = receiver.connections
        if number > 2:
            await says(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")(reader, writer)
            return
        await says(answer * 2 if number == 1 else answer)(reader, writer)
        if number == 2:
            again.set()
            writer.write(answer)
        await hangs(reader, writer)

    async with Unruly(twice) as receiver:
        first = await sender.send(hook(receiver.url, "a"))
        second = await sender.send(hook(receiver.url, "b"))
        await again.wait()
        for _ in range(5):
            await asyncio.sleep(0)
        third = await sender.send(hook(receiver.url, "c"))
    assert (first.status, second.status, third.status) == (204, 204, 500)


async def test_a_connection_that_was_closed_meanwhile_does_not_cost_an_attempt(sender: Sender) -> None:
    answer = b"HTTP/1.1 204 No Content\r\n\r\n"
    async with Unruly(says(answer)) as receiver:
        sent = [await sender.send(hook(receiver.url)) for _ in range(3)]
    assert [one.status for one in sent] == [204, 204, 204]


async def test_a_new_connection_that_breaks_is_a_failure_and_is_not_made_again_at_once(sender: Sender) -> None:
    async with Unruly(says(then=resets)) as receiver:
        sent = await sender.send(hook(receiver.url))
        assert (sent.error, receiver.connections) == ("connection", 1)


async def test_too_many_requests_with_a_date_is_asked_again_then(sender: Sender) -> None:
    head = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n"
    dated = b"Date: Wed, 21 Oct 2026 07:27:00 GMT\r\nRetry-After: Wed, 21 Oct 2026 07:28:30 GMT\r\n\r\n"
    async with Unruly(says(head + dated)) as receiver:
        sent = await sender.send(hook(receiver.url))
    assert (sent.status, sent.retry_after_seconds) == (429, 90.0)


async def test_what_a_receiver_says_cannot_draw_on_a_terminal(sender: Sender) -> None:
    text = "no\x1b[2J\r\n\x00\u202eevil\x9b".encode()
    async with Unruly(says(HEAD_500 + b"Content-Length: %d\r\n\r\n" % len(text) + text)) as receiver:
        sent = await sender.send(hook(receiver.url))
    assert sent.detail == "no [2J evil"


async def test_no_hook_goes_over_a_connection_that_nobody_vouches_for(sender: Sender, tmp_path: Path) -> None:
    read: list[bytes] = []

    async def reads(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        read.append(await reader.read(1))

    async with Unruly(reads, tls=self_signed(tmp_path)) as vouched_by_nobody, Unruly(banner) as no_tls:
        first = await sender.send(hook(vouched_by_nobody.url))
        second = await sender.send(hook(no_tls.url.replace("http:", "https:")))
    assert (first.error, second.error) == ("tls", "tls")
    assert read in ([], [b""])


async def test_those_that_hang_hold_up_no_other(sender: Sender) -> None:
    async with Unruly(hangs) as bad, Unruly(says(b"HTTP/1.1 204 No Content\r\n\r\n")) as good:
        hanging = [asyncio.create_task(sender.send(hook(bad.url))) for _ in range(8)]
        sent = await sender.send(hook(good.url))
        assert not any(task.done() for task in hanging)
        await asyncio.gather(*hanging)
    assert sent.status == 204
