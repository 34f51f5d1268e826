"""The outside world of the demonstration, on loopback: a receiver of hooks that answers by callback, and the machine to
which the release is deployed.

The receiver believes only signed hooks, takes each delivery once, says `executing` and then `success`. The target does
each deployment once per Idempotency-Key.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Self

import msgspec
from aiohttp import web

from infra.clock import Clock, SystemClock
from services.cli.hooks.signature import signature_fault
from services.cli.problems import Problem

Answer = Callable[[dict[str, Any]], Awaitable[Any]]
"""Sends one callback body to the gateway."""


class Hook(msgspec.Struct, frozen=True):
    """A genuine hook as it came, by its delivery."""

    delivery: str
    event: str
    code: str
    plan: str
    status: str
    manager: str


class World:
    """Listens on a free port until it is closed. `hooks` are in order of arrival, one per delivery."""

    def __init__(self, secret: str, answer: Answer, clock: Clock | None = None) -> None:
        self._secret = secret
        self._answer = answer
        self._clock = clock or SystemClock()
        self._runner: web.AppRunner | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""
        self.hooks: dict[str, Hook] = {}
        self.refused: list[str] = []
        self.answered: dict[str, int] = {}
        self.deployed: dict[str, str] = {}
        self.deployments: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/hooks", self._hook)
        app.router.add_put("/target/{environment}", self._deploy)
        app.router.add_get("/target/{environment}/health", self._health)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()

    async def _hook(self, request: web.Request) -> web.Response:
        body = await request.read()
        fault = signature_fault(self._secret, request.headers, body, self._clock.now() / 1e6)
        if fault is not None:
            self.refused.append(fault)
            return web.Response(status=401, text=fault)
        hook = _read(request.headers["webhook-id"], msgspec.json.decode(body))
        if hook.delivery not in self.hooks:
            self.hooks[hook.delivery] = hook
            task = asyncio.create_task(self._call_back(hook))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return web.Response(status=204)

    async def _call_back(self, hook: Hook) -> None:
        body = {"hook_event": hook.event, "release_plan_id": hook.plan, "instance_code": hook.code}
        try:
            await self._answer({**body, "result": "executing", "description": "the outside system is checking"})
            await self._answer({**body, "result": "success", "failed_reason": ""})
        except Problem as problem:
            self.refused.append(f"the callback for {hook.event} was refused: {problem.sentence}")
            return
        self.answered[hook.event] = self.answered.get(hook.event, 0) + 1

    async def _deploy(self, request: web.Request) -> web.Response:
        body = msgspec.json.decode(await request.read())
        key = request.headers.get("Idempotency-Key", "")
        if not key:
            return web.Response(status=400, text="no Idempotency-Key")
        if key not in self.deployments:
            self.deployed[request.match_info["environment"]] = body["version"]
        self.deployments[key] = self.deployments.get(key, 0) + 1
        return web.json_response({"environment": request.match_info["environment"], "version": body["version"]})

    async def _health(self, request: web.Request) -> web.Response:
        version = self.deployed.get(request.match_info["environment"])
        return web.json_response({"version": version}, status=503 if version is None else 200)


def _read(delivery: str, body: dict[str, Any]) -> Hook:
    plan = body.get("release_plan", body)
    return Hook(
        delivery=delivery,
        event=plan["event_name"],
        code=plan["instance_code"],
        plan=plan["id"],
        status=plan["status"],
        manager=plan.get("manager", ""),
    )
