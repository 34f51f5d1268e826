"""The live feed over HTTP: server-sent events as the WHATWG format has them, resumable by `Last-Event-ID`."""

import asyncio

from aiohttp import web
from aiohttp.client_exceptions import ClientConnectionResetError

from contracts import http as h
from contracts.refusals import Fault, Refused
from services.gateway.bodies import Query
from services.gateway.feed import Feed, Listener
from services.gateway.frames import Frame
from services.gateway.metrics import Metrics
from services.gateway.route import Call, Route

HEARTBEAT_SECONDS = 10.0
_WRITE_SECONDS = 20.0
_RETRY_MILLISECONDS = 1_000
_HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_LARGEST_WRITE_BYTES = 256 * 1024


def feed_routes(feed: Feed, metrics: Metrics) -> list[Route]:
    """The one route of the live feed."""
    return [
        Route(
            method="GET",
            path="/api/v1/feed",
            handler=LiveFeed(feed, metrics).serve,
            name="feed",
            summary="Every event as it happens, by server-sent events. `id` is the log position; resume by Last-Event-ID.",
            tag="feed",
            answer=h.FeedEvent,
            answer_media="text/event-stream",
            query=h.FeedQuery,
            headers=("Last-Event-ID",),
        )
    ]


class LiveFeed:
    """Serves one client after the other."""

    def __init__(self, feed: Feed, metrics: Metrics) -> None:
        self._feed = feed
        self._metrics = metrics
        self._query = Query(h.FeedQuery)

    async def serve(self, call: Call) -> web.StreamResponse:
        query = self._query.read(call.request)
        after = await self._start(call, query)
        response = web.StreamResponse(headers=_HEADERS)
        await response.prepare(call.request)
        await response.write(b"retry: %d\n\n" % _RETRY_MILLISECONDS)
        self._metrics.listeners.inc()
        try:
            await self._stream(call.request, response, after, query.plan)
        except (ClientConnectionResetError, ConnectionError, TimeoutError):
            pass  # the client went away, or was cut off; it comes back with its last id
        finally:
            self._metrics.listeners.dec()
        return response

    async def _start(self, call: Call, query: h.FeedQuery) -> int:
        """After which position. Raises Refused for one that the log does not have yet: it is from another log."""
        given = call.request.headers.get("Last-Event-ID", "").strip()
        if given:
            if not given.isascii() or not given.isdigit() or len(given) > 18:
                raise Refused(
                    "invalid_parameter", "Last-Event-ID must be a log position.", [Fault("Last-Event-ID", "")]
                )
            after = int(given)
        elif query.after is not None:
            after = query.after
        else:
            return await self._feed.end_of_log()
        if after > self._feed.position and after > (end := await self._feed.end_of_log()):
            detail = f"The log is only at position {end}; the position that you have is of another log."
            raise Refused("invalid_parameter", detail, [Fault("Last-Event-ID", "is beyond the log")], position=end)
        return after

    async def _stream(self, request: web.Request, response: web.StreamResponse, after: int, plan: str | None) -> None:
        feed = self._feed
        until = feed.position
        async for frames in feed.past(after, until, plan):
            await _send(response, frames)
            if feed.draining:
                break
        after = max(after, until)

        def cut_off() -> None:
            self._metrics.cut_off.inc()
            if request.transport is not None:
                request.transport.abort()

        with feed.listening(plan, cut_off) as listener:
            async for frames in feed.past(after, listener.since, plan):  # what came while we caught up
                await _send(response, frames)
            await self._live(response, listener, max(after, listener.since))

    async def _live(self, response: web.StreamResponse, listener: Listener, after: int) -> None:
        while not self._feed.draining and not listener.too_slow:
            frames = await listener.wait(HEARTBEAT_SECONDS)
            if frames:
                await _send(response, [frame for frame in frames if frame.position > after])
            elif not self._feed.draining:
                await _write(response, b": alive\n\n")
        if not listener.too_slow:
            await _write(response, b"event: drain\ndata: {}\n\n")


async def _send(response: web.StreamResponse, frames: list[Frame]) -> None:
    """Write frames in few pieces."""
    piece = bytearray()
    for frame in frames:
        piece += frame.text
        if len(piece) > _LARGEST_WRITE_BYTES:
            await _write(response, bytes(piece))
            piece.clear()
    if piece:
        await _write(response, bytes(piece))


async def _write(response: web.StreamResponse, text: bytes) -> None:
    async with asyncio.timeout(_WRITE_SECONDS):
        await response.write(text)
