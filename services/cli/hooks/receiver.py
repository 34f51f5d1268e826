"""A receiver of hooks: listens, checks each one, hands it on, and takes it once however often it comes.

It answers the request at once, as a receiver should; what is to be said to the plan is said afterwards, by callback.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, Self

import msgspec
from aiohttp import web

from infra.clock import Clock
from services.cli.hooks.signature import signature_fault
from services.cli.hooks.told import Told, told_of
from services.cli.problems import usage

Verdict = Literal["genuine", "forged", "not checked"]
_LARGEST_BYTES = 16 * 1024 * 1024


class Hook(msgspec.Struct, frozen=True):
    """A request as it came. `times`: how often this delivery has come by now. `at` in Unix microseconds."""

    at: int
    delivery: str
    times: int
    verdict: Verdict
    fault: str
    told: Told
    headers: Mapping[str, str]
    body: bytes


class Receiver:
    """Listens until it is closed. `take` sees every hook, in order of arrival, before it is answered with `status`."""

    def __init__(
        self,
        take: Callable[[Hook], Awaitable[None]],
        clock: Clock,
        *,
        secrets: Sequence[str] = (),
        status: int = 204,
    ) -> None:
        self._take = take
        self._clock = clock
        self._secrets = tuple(secrets)
        self._status = status
        self._times: dict[str, int] = {}
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def open(self, host: str, port: int) -> Self:
        """Raises Problem when it cannot listen there."""
        app = web.Application(client_max_size=_LARGEST_BYTES)
        app.router.add_post("/{path:.*}", self._receive)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as error:
            await self.close()
            raise usage(f"Nothing can listen on {host}:{port}: {(error.strerror or str(error)).lower()}.") from None
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._runner.addresses[0][1]}/"
        return self

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        hook = self._hook(request.headers, await request.read())
        await self._take(hook)
        if hook.verdict == "forged":
            return web.Response(status=401, text=hook.fault)
        if hook.told.challenge:
            return web.json_response({"challenge": hook.told.challenge})
        return web.Response(status=self._status)

    def _hook(self, headers: Mapping[str, str], body: bytes) -> Hook:
        now = self._clock.now()
        fault = signature_fault(self._secrets, headers, body, now / 1e6) if self._secrets else None
        delivery = headers.get("webhook-id", "")
        verdict: Verdict = "forged" if fault else "genuine" if self._secrets else "not checked"
        if verdict != "forged":
            self._times[delivery] = self._times.get(delivery, 0) + 1
        return Hook(
            at=now,
            delivery=delivery,
            times=self._times.get(delivery, 0),
            verdict=verdict,
            fault=fault or "",
            told=told_of(body),
            headers=dict(headers),
            body=body,
        )
