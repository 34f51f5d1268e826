"""A receiver of hooks that does as it is told: answers with given statuses, hangs, sends elsewhere."""

import asyncio
from collections.abc import Mapping
from typing import Any, Self

import msgspec
from aiohttp import web


class Received(msgspec.Struct, frozen=True):
    """A request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def plan(self) -> dict[str, Any]:
        body: dict[str, Any] = msgspec.json.decode(self.body)
        plan: dict[str, Any] = body["release_plan"]
        return plan


class Receiver:
    """Listens on loopback. `answers` are used one after the other; when they are used up, 204.

    A number is a status, `hang` never answers (until the client goes), a mapping is `{"status": ..., **headers}`.
    """

    def __init__(self, *answers: int | str | Mapping[str, Any]) -> None:
        self.answers = list(answers)
        self.requests: list[Received] = []
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}/hooks"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.requests.append(Received(request.path, {k.lower(): v for k, v in request.headers.items()}, body))
        answer = self.answers.pop(0) if self.answers else 204
        if answer == "hang":
            await asyncio.Event().wait()
        if isinstance(answer, Mapping):
            headers = {name: str(value) for name, value in answer.items() if name != "status"}
            return web.Response(status=answer["status"], headers=headers, text="as told")
        assert isinstance(answer, int)
        return web.Response(status=answer, text=f"told to answer {answer}" if answer != 204 else None)
