"""The live feed over HTTP: server-sent events as the WHATWG format has them, resumable by `Last-Event-ID`."""

import asyncio

import structlog
from aiohttp import web
from aiohttp.client_exceptions import ClientConnectionResetError

from contracts import http as h
from contracts.refusals import Fault, Refused
from infra.eventlog import Head
from services.gateway.bodies import Query
from services.gateway.door import Authenticates
from services.gateway.feed import Feed, Listener
from services.gateway.frames import Frame, presence_frame
from services.gateway.metrics import Metrics
from services.gateway.presence import Presences
from services.gateway.route import Call, Route
from services.gateway.staying import Staying

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 10.0
_WRITE_SECONDS = 20.0
RETRY = b"retry: 1000\n\n"
HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
DRAIN = b"event: drain\ndata: {}\n\n"
_LARGEST_WRITE_BYTES = 256 * 1024


def feed_routes(feed: Feed, metrics: Metrics, presences: Presences, people: Authenticates) -> list[Route]:
    """The one route of the live feed."""
    return [
        Route(
            method="GET",
            path="/api/v1/feed",
            handler=LiveFeed(feed, metrics, presences, people).serve,
            name="feed",
            summary="Every event as it happens, by server-sent events. `id` is the log position; resume by Last-Event-ID. "
            "A position that the log does not have is refused (`another_log`): it was restored from a backup, begin anew. "
            "With `plan` also the event `presence`, without an id. What only administrators may read has no data for others.",
            tag="feed",
            answer=h.FeedEvent,
            answer_media="text/event-stream",
            query=h.FeedQuery,
            headers=("Last-Event-ID",),
            codes=("another_log",),
        )
    ]


class LiveFeed:
    """Serves one client after the other."""

    def __init__(self, feed: Feed, metrics: Metrics, presences: Presences, people: Authenticates) -> None:
        self._people = people
        self._feed = feed
        self._presences = presences
        self._metrics = metrics
        self._query = Query(h.FeedQuery)

    async def serve(self, call: Call) -> web.StreamResponse:
        query = self._query.read(call.request)
        head = await self._feed.head()
        end, after = head.position, _start(call, query, head)
        response = web.StreamResponse(headers={**HEADERS, "Gonogo-Epoch": head.epoch})
        await response.prepare(call.request)
        await response.write(RETRY)
        self._metrics.listeners.inc()
        try:
            await self._stream(call, response, after, end, query.plan)
        except (ClientConnectionResetError, ConnectionError, TimeoutError):
            pass  # the client went away, or was cut off; it comes back with its last id
        except Exception as error:
            # The answer has begun, so it cannot become a problem any more: it ends, and the client comes back.
            log.warning("feed_broken", error=repr(error), trace_id=call.trace.id)
        finally:
            self._metrics.listeners.dec()
        return response

    async def _stream(self, call: Call, response: web.StreamResponse, after: int, end: int, plan: str | None) -> None:
        request, staying = call.request, Staying(self._people, call)
        async for frames in self._feed.past(after, end, plan):
            await _send(response, frames, staying)
            # What came later must not be sent now: the client would go on after it.
            if self._feed.draining or not await staying.may():
                await write(response, DRAIN)
                return

        def cut_off() -> None:
            self._metrics.cut_off.inc()
            if request.transport is not None:
                request.transport.abort()

        async with self._feed.listening(plan, cut_off) as listener:
            async for frames in self._feed.past(end, listener.since, plan):  # what came while we caught up
                await _send(response, frames, staying)
            if plan is not None and (page := self._presences.page(plan)).present:
                await _send(response, [presence_frame(page)], staying)
            await self._live(response, listener, max(end, listener.since), staying)

    async def _live(self, response: web.StreamResponse, listener: Listener, after: int, staying: Staying) -> None:
        """Until the gateway drains, the client is too slow, or it may follow no longer and is told to come back."""
        while not self._feed.draining and not listener.too_slow:
            frames = await listener.wait(HEARTBEAT_SECONDS)
            if not await staying.may():
                break
            if frames:
                new = [frame for frame in frames if frame.position > after or not frame.position]
                await _send(response, new, staying)
            elif not self._feed.draining:
                await write(response, b": alive\n\n")
        if not listener.too_slow:
            await write(response, DRAIN)


def _start(call: Call, query: h.FeedQuery, head: Head) -> int:
    """After which position. Raises Refused for one of another log: of another epoch, or one that this log does not have yet."""
    end = head.position
    if query.epoch is not None and query.epoch != head.epoch:
        detail = f"The log was restored from a backup and has the epoch {head.epoch} now; begin anew."
        raise Refused("another_log", detail, [Fault("epoch", "is another log's")], epoch=head.epoch, position=end)
    given = call.request.headers.get("Last-Event-ID", "").strip()
    if given:
        if not given.isascii() or not given.isdigit() or len(given) > 18:
            fault = Fault("Last-Event-ID", "is not a log position")
            raise Refused("invalid_parameter", "Last-Event-ID must be a log position.", [fault])
        after = int(given)
    else:
        after = end if query.after is None else query.after
    if after > end:
        detail = f"The log is only at position {end}, so the position that you have is of another log; begin anew."
        fault = Fault("Last-Event-ID" if given else "after", "is beyond the log")
        raise Refused("another_log", detail, [fault], epoch=head.epoch, position=end)
    return after


async def _send(response: web.StreamResponse, frames: list[Frame], staying: Staying) -> None:
    """Write frames in few pieces, each as this reader may see it."""
    piece = bytearray()
    administrator = staying.actor.administrator
    for frame in frames:
        piece += frame.shown(administrator=administrator)
        if len(piece) > _LARGEST_WRITE_BYTES:
            await write(response, bytes(piece))
            piece.clear()
    if piece:
        await write(response, bytes(piece))


async def write(response: web.StreamResponse, text: bytes) -> None:
    """Raises TimeoutError for a client that takes nothing."""
    async with asyncio.timeout(_WRITE_SECONDS):
        await response.write(text)
