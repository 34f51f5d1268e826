"""The door: every request passes here once, in and out.

In: who asks, by which channel, may they. Out: refusals and failures become problems, the request is counted and told in
one line of log, which has the path but never the query or a header. An unexpected fault shows its trace id and nothing else.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

import structlog
from aiohttp import HttpVersion11, web
from aiohttp.typedefs import Middleware
from msgspec.structs import replace

from contracts.commands import Actor
from contracts.refusals import Refused
from services.gateway import problems
from services.gateway.bodies import LARGEST_BODY_BYTES
from services.gateway.metrics import Metrics
from services.gateway.route import Call, Route
from services.gateway.trace import Trace
from services.gateway.tracing import answered, served

if TYPE_CHECKING:
    from infra.telemetry.tracing import Tracing

log = structlog.get_logger(__name__)

NOBODY = Actor(id="")
SIGNATURE = "webhook-signature"
"""The header of a request that is signed instead of bringing a token."""
_CHANNELS = frozenset({"cli"})
_TRACE = web.RequestKey("trace", Trace)
_ACTOR = web.RequestKey("actor", str)
_PLAN = "/api/v1/plans/{plan}"
_MOST_ASKED = (
    f"{_PLAN}/items/{{item}}/complete",
    _PLAN,
    f"{_PLAN}/items/{{item}}/execute",
    f"{_PLAN}/items/{{item}}/tick",
)
"""aiohttp tries the addresses that begin alike one after the other, and those of plans are fifty."""
_STREAM = "text/event-stream"
"""What has no end has no HEAD; everything else that can be read has one (RFC 9110, section 9.1)."""
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked every few seconds by machines; not worth a line each."""


Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Authenticates(Protocol):
    """Knows people. `infra.identity.Identities` does; it raises Unavailable when it cannot say."""

    async def authenticate(self, bearer: str) -> Actor | None: ...


class Door:
    """Makes the web application of a table of routes."""

    def __init__(
        self, routes: Sequence[Route], people: Authenticates, metrics: Metrics, tracing: "Tracing | None" = None
    ) -> None:
        self._routes = routes
        self._people = people
        self._metrics = metrics
        self._tracing = tracing

    def application(self) -> web.Application:
        """One per running gateway."""

        @web.middleware
        async def door(request: web.Request, handler: Serve) -> web.StreamResponse:
            return await self._pass(request, handler, Trace.of(request.headers.get("traceparent")))

        middleware = door if self._tracing is None else self._traced(self._tracing)
        app = web.Application(middlewares=[middleware], client_max_size=LARGEST_BODY_BYTES)
        for route in sorted(self._routes, key=_as_tried):
            serve = partial(self._serve, route)
            app.router.add_route(route.method, route.path, serve, expect_handler=_expectation)
            if route.method == "GET" and route.answer_media != _STREAM:
                app.router.add_route("HEAD", route.path, serve)
        return app

    def _traced(self, tracing: "Tracing") -> Middleware:
        """The door with a span around each request that is worth a line of log."""

        @web.middleware
        async def door(request: web.Request, handler: Serve) -> web.StreamResponse:
            resource = request.match_info.route.resource
            if resource is not None and resource.canonical in _QUIET:
                return await self._pass(request, handler, Trace.of(None))
            with served(tracing, request) as (span, trace):
                response = await self._pass(request, handler, trace)
                answered(span, response.status)
                return response

        return door

    async def _pass(self, request: web.Request, handler: Serve, trace: Trace) -> web.StreamResponse:
        started = perf_counter()
        request[_TRACE] = trace
        status = 499  # the client went away before there was an answer
        try:
            try:
                response = await handler(request)
            except Exception as error:
                response = _problem(error, request, trace)
            status = response.status
            return response
        finally:
            # Counted and told when the answer is on its way: the asker need not wait for our log.
            seconds = perf_counter() - started
            asyncio.get_running_loop().call_soon(self._tell, request, status, seconds, trace)

    async def _serve(self, route: Route, request: web.Request) -> web.StreamResponse:
        actor = NOBODY
        if route.access == "signed" and "Authorization" not in request.headers and SIGNATURE in request.headers:
            actor = replace(NOBODY, channel=route.channel)
        elif route.access != "open":
            actor = await self._actor(route, request.headers)
            request[_ACTOR] = actor.id
            if route.access == "administrator" and not actor.administrator:
                raise Refused("forbidden", f"{actor.id} is not an administrator.")
        return await route.handler(Call(request, route, actor, request[_TRACE]))

    async def _actor(self, route: Route, headers: Mapping[str, str]) -> Actor:
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refused("unauthenticated", "Say who you are: Authorization: Bearer with your token.")
        actor = await self._people.authenticate(token.strip())
        if actor is None:
            detail = "This token is not known, or no longer. Ask an administrator for a new one."
            raise Refused("unauthenticated", detail, invalid_token=True)
        channel = route.channel
        if channel == "http" and headers.get("Gonogo-Channel") in _CHANNELS:
            channel = headers["Gonogo-Channel"]
        return actor if actor.channel == channel else replace(actor, channel=channel)

    def _tell(self, request: web.Request, status: int, seconds: float, trace: Trace) -> None:
        resource = request.match_info.route.resource
        template = resource.canonical if resource is not None else "unknown"
        method = request.method if resource is not None else "any"
        self._metrics.count(method, template, status, seconds)
        if template in _QUIET:
            return
        log.info(
            "http_request",
            method=request.method,
            route=template,
            path=request.path,
            status=status,
            milliseconds=round(seconds * 1_000, 2),
            actor=request.get(_ACTOR, ""),
            trace_id=trace.id,
        )


async def _expectation(request: web.Request) -> None:
    """Whoever waits for our word before sending the body gets it; what else is expected is ignored (RFC 9110 10.1.1)."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.version == HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # else an answer in place of the body's would count as a second one


def _as_tried(route: Route) -> tuple[int, str]:
    """What is asked most comes first; methods of one address stand together, so that it is tried once."""
    rank = _MOST_ASKED.index(route.path) if route.path in _MOST_ASKED else len(_MOST_ASKED)
    return rank, route.path


def _problem(error: Exception, request: web.Request, trace: Trace) -> web.Response:
    where = request.path
    if isinstance(error, Refused):
        return problems.refusal(error, instance=where, trace_id=trace.id)
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        detail = f"{request.method} is not possible here; possible: {allowed}."
        return problems.problem(
            "method_not_allowed", detail, instance=where, trace_id=trace.id, headers={"Allow": allowed}
        )
    if isinstance(error, web.HTTPNotFound):
        return problems.problem("not_found", "Nothing has this address.", instance=where, trace_id=trace.id)
    failure = problems.failure(error, instance=where, trace_id=trace.id)
    if failure is not None:
        log.warning("request_not_done", path=where, error=repr(error), trace_id=trace.id)
        return failure
    log.error("request_failed", path=where, trace_id=trace.id, exc_info=error)
    return problems.unexpected(instance=where, trace_id=trace.id)
