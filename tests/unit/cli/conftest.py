"""A stand-in for the gateway: it answers what a test lays out, in order, and remembers what it was asked."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest_asyncio
from aiohttp import web

Handler = Callable[[web.Request], Any]


class Asked(msgspec.Struct):
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class FakeGateway:
    """`answers` are taken one by one; the last one stays. An answer is (status, body, headers) or a handler."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self.answers: list[Any] = []

    def answer(self, status: int, body: Any = None, **headers: str) -> None:
        self.answers.append((status, body, headers))

    def refuse(self, status: int, code: str, detail: str, *faults: tuple[str, str]) -> None:
        body = {"code": code, "detail": detail, "faults": [{"path": path, "detail": what} for path, what in faults]}
        self.answer(status, body)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = dict(request.headers)
        query = dict(request.query)
        self.asked.append(Asked(request.method, request.path, query, headers, await request.read()))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            response: web.StreamResponse = await answer(request)
            return response
        status, body, more = answer
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return web.Response(body=data, status=status, headers={"Content-Type": "application/json", **more})


@pytest_asyncio.fixture(loop_scope="session")
async def fake() -> AsyncIterator[FakeGateway]:
    gateway = FakeGateway()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", gateway.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    gateway.url = f"http://{host}:{port}"
    yield gateway
    await runner.cleanup()
