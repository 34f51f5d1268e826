"""The client of the gateway: what it sends, when it sends again, when it gives up."""

import socket
from collections.abc import AsyncIterator

import msgspec
import pytest
from aiohttp import web

from infra.config import Secret
from services.cli.client import Gateway
from services.cli.exits import Exit
from services.cli.feed import Event
from services.cli.problems import Away, Problem
from tests.unit.cli.conftest import FakeGateway


def gateway(fake: FakeGateway, notices: list[str] | None = None, patience_seconds: float = 5.0):  # type: ignore[no-untyped-def]  # an async context manager
    said = notices if notices is not None else []
    return Gateway.open(fake.url, Secret("gng_token"), patience_seconds=patience_seconds, notice=said.append)


async def test_a_write_that_meets_503_is_sent_again_with_the_same_key_and_says_so_once(fake: FakeGateway) -> None:
    fake.refuse(503, "unavailable", "The database is away.")
    fake.refuse(503, "unavailable", "The database is away.")
    fake.answer(200, {"id": "a", "version": 2})
    notices: list[str] = []
    async with gateway(fake, notices) as connection:
        answer = await connection.send("POST", "/api/v1/plans/a/seal", if_match='"1"')
    keys = {asked.headers["Idempotency-Key"] for asked in fake.asked}
    assert answer.json() == {"id": "a", "version": 2}
    assert len(fake.asked) == 3
    assert len(keys) == 1
    assert {asked.headers["If-Match"] for asked in fake.asked} == {'"1"'}
    assert len(notices) == 1
    assert "The database is away" in notices[0]


async def test_a_gateway_without_tls_behind_an_https_address_is_told_as_that(fake: FakeGateway) -> None:
    async with Gateway.open(
        fake.url.replace("http:", "https:"), Secret("gng_token"), patience_seconds=0.0
    ) as connection:
        with pytest.raises(Away, match=r"it does not speak TLS\.$"):
            await connection.get("/a")


async def test_two_writes_have_two_keys(fake: FakeGateway) -> None:
    fake.answer(200, {})
    async with gateway(fake) as connection:
        await connection.send("POST", "/a")
        await connection.send("POST", "/a")
    first, second = fake.asked
    assert first.headers["Idempotency-Key"] != second.headers["Idempotency-Key"]


async def test_a_broken_connection_is_tried_again_under_the_same_key(fake: FakeGateway) -> None:
    async def hang_up(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    fake.answers.append(hang_up)
    fake.answer(200, {"done": True})
    async with gateway(fake) as connection:
        assert (await connection.send("POST", "/a")).json() == {"done": True}
    first, second = fake.asked
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]


async def test_a_gateway_that_stays_away_ends_in_a_sentence_that_names_the_key(fake: FakeGateway) -> None:
    fake.refuse(503, "unavailable", "The database is away.")
    async with gateway(fake, patience_seconds=0.2) as connection:
        with pytest.raises(Away) as caught:
            await connection.send("POST", "/a", key="my-key")
    assert caught.value.exit_code == Exit.AWAY
    assert "--key my-key" in caught.value.sentence
    assert len(fake.asked) > 1


async def test_when_nothing_listens_nothing_can_have_been_done_and_no_key_is_named() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        async with Gateway.open(url, Secret(""), patience_seconds=0.2) as connection:
            with pytest.raises(Away) as caught:
                await connection.send("POST", "/a")
    assert "connection refused" in caught.value.sentence
    assert "--key" not in caught.value.sentence


async def test_a_refusal_is_not_sent_again_and_carries_every_fault(fake: FakeGateway) -> None:
    fake.refuse(
        422, "not_sealable", "Two problems.", ("/items/0/needs/0", "there is no item x"), ("/owner", "names nobody")
    )
    async with gateway(fake) as connection:
        with pytest.raises(Problem) as caught:
            await connection.send("POST", "/a")
    assert len(fake.asked) == 1
    assert caught.value.lines() == [
        "Two problems. (not_sealable)",
        "  /items/0/needs/0: there is no item x",
        "  /owner: names nobody",
    ]


async def test_a_redirect_is_not_followed_so_the_token_goes_nowhere_else(fake: FakeGateway) -> None:
    fake.answer(302, b"", Location=f"{fake.url}/elsewhere")
    async with gateway(fake) as connection:
        with pytest.raises(Problem):
            await connection.get("/a")
    assert [asked.path for asked in fake.asked] == ["/a"]


async def test_a_page_of_something_else_is_not_taken_for_a_gateway(fake: FakeGateway) -> None:
    fake.answer(200, b"<html>hello</html>")
    async with gateway(fake) as connection:
        with pytest.raises(Problem, match="no GoNoGo gateway"):
            (await connection.get("/a")).json()


async def test_a_path_segment_cannot_leave_its_place(fake: FakeGateway) -> None:
    from services.cli.options import segment

    fake.answer(200, {})
    async with gateway(fake) as connection:
        await connection.get(f"/api/v1/plans/{segment('../me?x=1#y')}")
    assert fake.asked[0].path == "/api/v1/plans/../me?x=1#y"
    assert fake.asked[0].query == {}


def frame(position: int, event_type: str = "plan.edited.v1") -> bytes:
    data = msgspec.json.encode({"position": position, "type": event_type})
    return f"id: {position}\nevent: {event_type}\ndata: ".encode() + data + b"\n\n"


def stream_of(*parts: bytes):  # type: ignore[no-untyped-def]  # a handler
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for part in parts:
            await response.write(part)
        return response

    return handle


async def take(events: AsyncIterator[Event], count: int) -> list[int]:
    positions = []
    async for event in events:
        positions.append(event.position)
        if len(positions) == count:
            break
    return positions


async def test_the_feed_resumes_after_the_last_event_when_it_is_cut_off(fake: FakeGateway) -> None:
    fake.answers.append(stream_of(b": hello\n\n", frame(3), frame(5), b"id: 6\nevent: x\nda"))
    fake.answers.append(stream_of(frame(6), frame(9)))
    async with gateway(fake) as connection:
        assert await take(connection.feed("abc", None), 4) == [3, 5, 6, 9]
    first, second = fake.asked
    assert "Last-Event-ID" not in first.headers
    assert second.headers["Last-Event-ID"] == "5"
    assert second.query == {"plan": "abc"}


async def test_a_feed_that_is_refused_is_not_asked_for_again(fake: FakeGateway) -> None:
    fake.refuse(401, "unauthenticated", "Show a token.")
    async with gateway(fake) as connection:
        with pytest.raises(Problem) as caught:
            await take(connection.feed(None, None), 1)
    assert caught.value.exit_code == Exit.NOT_ALLOWED
    assert len(fake.asked) == 1
