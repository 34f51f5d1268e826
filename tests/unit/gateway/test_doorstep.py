"""Requests that cannot be read: a problem as the answer, and nothing of what was sent in the log or in the answer."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest
import pytest_asyncio
import structlog
from aiohttp import web
from structlog.testing import capture_logs

from contracts.commands import Actor
from contracts.http import Nothing
from services.gateway.bodies import read_bytes
from services.gateway.door import Door
from services.gateway.doorstep import doorstep
from services.gateway.metrics import Metrics
from services.gateway.orders import json_answer, order_of
from services.gateway.route import Call, Route

SECRET = "gng_nobody-may-read-this"
Ask = Callable[[bytes], Awaitable[tuple[int, dict[str, str], Any]]]


class Everybody:
    async def authenticate(self, bearer: str) -> Actor | None:
        return Actor(id="user:olivia")


async def take(call: Call) -> web.Response:
    body = await read_bytes(call.request, "application/json")
    order_of(call, body)
    return json_answer({"bytes": len(body)})


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], Any]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    body = await reader.readexactly(int(headers["content-length"]))
    return int(head[0].split()[1]), headers, msgspec.json.decode(body)


@pytest_asyncio.fixture
async def ask() -> AsyncIterator[Ask]:
    common: dict[str, Any] = {"path": "/take", "name": "take", "summary": "Take.", "tag": "test"}
    route = Route(method="POST", handler=take, body=Nothing, writes=True, **common)
    metrics = Metrics()
    runner = web.AppRunner(Door([route], Everybody(), metrics).application(), handler_cancellation=True)
    await runner.setup()
    assert runner.server is not None
    connection = doorstep(runner.server, metrics, lingering_seconds=0.1)
    listener = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)

    async def send(request: bytes) -> tuple[int, dict[str, str], Any]:
        host, port = listener.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(request)
        try:
            return await answer_of(reader)
        finally:
            writer.close()

    yield send
    listener.close()
    await runner.cleanup()


def request(*headers: str, body: bytes = b"{}") -> bytes:
    usual = ("Host: test", "Authorization: Bearer x", "Content-Type: application/json", f"Content-Length: {len(body)}")
    return "\r\n".join(("POST /take HTTP/1.1", *usual, *headers, "", "")).encode() + body


UNREADABLE = {
    "a token with a carriage return": f"GET /take HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\r\n\r\n",
    "a token with a control character": f"GET /take HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\x01\r\n\r\n",
    "a token of ten thousand bytes": f"GET /take HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET * 500}\r\n\r\n",
    "a secret in an address": f"GET /take?token={SECRET}\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a word that is no method": f"{SECRET} /take HTTP/1.1\r\nHost: x\r\n\r\n",
    "two lengths": "POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "no host": "GET /take HTTP/1.1\r\n\r\n",
    "a coding that nobody knows": "POST /take HTTP/1.1\r\nHost: x\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx",
    "chunks that are none": "POST /take HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
}


@pytest.mark.parametrize("what", UNREADABLE)
async def test_what_is_no_http_gets_a_problem_and_is_quoted_nowhere(
    ask: Ask, what: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("services.gateway.doorstep.log", structlog.get_logger())
    with capture_logs() as logs:
        status, headers, problem = await ask(UNREADABLE[what].encode())
    assert (status, problem["code"], problem["status"]) == (400, "malformed_request", 400)
    assert headers["content-type"] == "application/problem+json"
    assert len(problem["detail"]) > 20
    assert [line["trace_id"] for line in logs if line["event"] == "http_request_unreadable"] == [problem["trace_id"]]
    for told in (problem["detail"], repr(logs), caplog.text):
        assert SECRET not in told
    assert not [record for record in caplog.records if record.name.startswith("aiohttp")]


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_body_that_is_not_encoded_as_it_says_is_malformed(ask: Ask, coding: str) -> None:
    status, _, problem = await ask(request(f"Content-Encoding: {coding}", body=b'{"not": "compressed"}'))
    assert status == 400
    assert problem["code"] in {"malformed_body", "malformed_request"}  # by how much has come when it is noticed
    assert "Content-Encoding" in problem["detail"]


async def test_a_compressed_body_is_read_and_an_unknown_coding_is_told_which_are(ask: Ask) -> None:
    status, _, answer = await ask(request("Content-Encoding: GZIP", body=gzip.compress(b"{}")))
    assert (status, answer) == (200, {"bytes": 2})
    status, _, problem = await ask(request("Content-Encoding: rot13"))
    assert (status, problem["code"]) == (415, "unsupported_media_type")
    assert "gzip or deflate" in problem["detail"]


@pytest.mark.parametrize("name", ["If-Match", "Idempotency-Key"])
async def test_a_header_that_may_stand_there_once_stands_there_once(ask: Ask, name: str) -> None:
    status, _, problem = await ask(request(f'{name}: "1"', f'{name}: "2"'))
    assert (status, problem["code"]) == (400, "invalid_parameter")
    assert problem["faults"][0]["path"] == name


async def test_an_expectation_that_nobody_knows_is_ignored(ask: Ask) -> None:
    assert (await ask(request("Expect: a-miracle")))[0] == 200
