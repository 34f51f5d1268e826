"""The live feed over HTTP: server-sent events as the WHATWG format has them, resumable by `Last-Event-ID`."""

import asyncio

import structlog
from aiohttp import web
from aiohttp.client_exceptions import ClientConnectionResetError

from contracts import http as h
from contracts.refusals import Fault, Refused
from services.gateway.bodies import Query
from services.gateway.feed import Feed, Listener
from services.gateway.frames import Frame, presence_frame
from services.gateway.metrics import Metrics
from services.gateway.presence import Presences
from services.gateway.route import Call, Route

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 10.0
_WRITE_SECONDS = 20.0
RETRY = b"retry: 1000\n\n"
HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
DRAIN = b"event: drain\ndata: {}\n\n"
_LARGEST_WRITE_BYTES = 256 * 1024


def feed_routes(feed: Feed, metrics: Metrics, presences: Presences) -> list[Route]:
    """The one route of the live feed."""
    return [
        Route(
            method="GET",
            path="/api/v1/feed",
            handler=LiveFeed(feed, metrics, presences).serve,
            name="feed",
            summary="Every event as it happens, by server-sent events. `id` is the log position; resume by Last-Event-ID. "
            "With `plan` also the event `presence`, without an id.",
            tag="feed",
            answer=h.FeedEvent,
            answer_media="text/event-stream",
            query=h.FeedQuery,
            headers=("Last-Event-ID",),
        )
    ]


class LiveFeed:
    """Serves one client after the other."""

    def __init__(self, feed: Feed, metrics: Metrics, presences: Presences) -> None:
        self._feed = feed
        self._presences = presences
        self._metrics = metrics
        self._query = Query(h.FeedQuery)

    async def serve(self, call: Call) -> web.StreamResponse:
        query = self._query.read(call.request)
        end = await self._feed.end_of_log()
        after = _start(call, query, end)
        response = web.StreamResponse(headers=HEADERS)
        await response.prepare(call.request)
        await response.write(RETRY)
        self._metrics.listeners.inc()
        try:
            await self._stream(call.request, response, after, end, query.plan)
        except (ClientConnectionResetError, ConnectionError, TimeoutError):
            pass  # the client went away, or was cut off; it comes back with its last id
        except Exception as error:
            # The answer has begun, so it cannot become a problem any more: it ends, and the client comes back.
            log.warning("feed_broken", error=repr(error), trace_id=call.trace.id)
        finally:
            self._metrics.listeners.dec()
        return response

    async def _stream(
        self, request: web.Request, response: web.StreamResponse, after: int, end: int, plan: str | None
    ) -> None:
        async for frames in self._feed.past(after, end, plan):
            await _send(response, frames)
            if self._feed.draining:  # what came later must not be sent now: the client would go on after it
                await write(response, DRAIN)
                return

        def cut_off() -> None:
            self._metrics.cut_off.inc()
            if request.transport is not None:
                request.transport.abort()

        async with self._feed.listening(plan, cut_off) as listener:
            async for frames in self._feed.past(end, listener.since, plan):  # what came while we caught up
                await _send(response, frames)
            if plan is not None and (page := self._presences.page(plan)).present:
                await _send(response, [presence_frame(page)])
            await self._live(response, listener, max(end, listener.since))

    async def _live(self, response: web.StreamResponse, listener: Listener, after: int) -> None:
        while not self._feed.draining and not listener.too_slow:
            frames = await listener.wait(HEARTBEAT_SECONDS)
            if frames:
                await _send(response, [frame for frame in frames if frame.position > after or not frame.position])
            elif not self._feed.draining:
                await write(response, b": alive\n\n")
        if not listener.too_slow:
            await write(response, DRAIN)


def _start(call: Call, query: h.FeedQuery, end: int) -> int:
    """After which position. Raises Refused for one that the log does not have yet: it is from another log."""
    given = call.request.headers.get("Last-Event-ID", "").strip()
    if given:
        if not given.isascii() or not given.isdigit() or len(given) > 18:
            fault = Fault("Last-Event-ID", "is not a log position")
            raise Refused("invalid_parameter", "Last-Event-ID must be a log position.", [fault])
        after = int(given)
    else:
        after = end if query.after is None else query.after
    if after > end:
        detail = f"The log is only at position {end}; the position that you have is of another log."
        raise Refused("invalid_parameter", detail, [Fault("Last-Event-ID", "is beyond the log")], position=end)
    return after


async def _send(response: web.StreamResponse, frames: list[Frame]) -> None:
    """Write frames in few pieces."""
    piece = bytearray()
    for frame in frames:
        piece += frame.text
        if len(piece) > _LARGEST_WRITE_BYTES:
            await write(response, bytes(piece))
            piece.clear()
    if piece:
        await write(response, bytes(piece))


async def write(response: web.StreamResponse, text: bytes) -> None:
    """Raises TimeoutError for a client that takes nothing."""
    async with asyncio.timeout(_WRITE_SECONDS):
        await response.write(text)
