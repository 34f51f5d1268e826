"""What a run prints, live, over server-sent events: `id` is the byte in the log after what the event shows.

The path is the file. The executor writes what a step says, masked, into the blob folder that executors and gateways
share; the gateway follows that file at a short, growing interval and holds none of it. No message has to arrive for a line
to be shown, none can be lost, and a viewer costs the executor nothing. The last event says how the attempt ended. Who
comes back with `Last-Event-ID` goes on at that byte; what was dropped and is being written anew by an executor that took
the step over is the same bytes again, so a place in it stays right.
"""

import asyncio
import codecs
from collections.abc import AsyncIterator, Callable

import msgspec
import structlog
from aiohttp import web
from aiohttp.client_exceptions import ClientConnectionResetError

from contracts import http as h
from contracts.plan import Attempt, Plan
from contracts.refusals import Fault, Refused
from infra.blobs import Blobs
from infra.commands import Desk
from services.gateway.bodies import Query
from services.gateway.door import Authenticates
from services.gateway.names import item_of, plan_of
from services.gateway.route import Call, Route
from services.gateway.routes.feed import DRAIN, HEADERS, HEARTBEAT_SECONDS, RETRY, write
from services.gateway.routes.logs import attempt_of, demand_kept
from services.gateway.routes.reading import existing_plan
from services.gateway.staying import Staying

log = structlog.get_logger(__name__)

_FIRST_LOOK_SECONDS = 0.05
_LONGEST_LOOK_SECONDS = 0.4


def log_stream_routes(
    desk: Desk[Plan], blobs: Blobs, draining: Callable[[], bool], people: Authenticates
) -> list[Route]:
    """The one route of live logs."""
    return [
        Route(
            method="GET",
            path="/api/v1/plans/{plan}/items/{item}/log/stream",
            handler=LiveLogs(desk, blobs, draining, people).serve,
            name="follow_item_log",
            summary="What an attempt prints, as it prints it, by server-sent events. `id` is a byte; resume by Last-Event-ID.",
            tag="runs",
            answer=h.LogEvent,
            answer_media="text/event-stream",
            query=h.LogQuery,
            headers=("Last-Event-ID",),
            codes=("plan_not_found", "item_not_found", "run_not_found", "log_gone", "another_log"),
        )
    ]


class LiveLogs:
    """Serves one viewer after the other. `draining` says that the gateway is about to end."""

    def __init__(self, desk: Desk[Plan], blobs: Blobs, draining: Callable[[], bool], people: Authenticates) -> None:
        self._people = people
        self._desk = desk
        self._blobs = blobs
        self._draining = draining
        self._query = Query(h.LogQuery)

    async def _demand_reached(self, attempt: Attempt, offset: int) -> None:
        """Raises Refused for a byte beyond a log that is complete. One that is being written may be about to get there."""
        if not offset or not attempt.outcome or not attempt.log:
            return
        kept = await asyncio.to_thread(self._blobs.of_run, attempt.run)
        size = sum(one.size for one in kept)
        if kept and offset > size:
            fault = Fault("Last-Event-ID", "is beyond the log")
            detail = (
                f"The log of this attempt has {size} bytes, so the byte that you have is of another one; begin anew."
            )
            raise Refused("another_log", detail, [fault], size=size)

    async def serve(self, call: Call) -> web.StreamResponse:
        query = self._query.read(call.request)
        plan, item = plan_of(call), item_of(call)
        attempt = attempt_of(await existing_plan(self._desk, plan), item, query.attempt)
        offset = _start(call, query)
        await self._demand_reached(attempt, offset)
        await demand_kept(self._blobs, attempt)  # what cannot be read becomes a problem, not half an answer
        response = web.StreamResponse(headers=HEADERS)
        await response.prepare(call.request)
        await response.write(RETRY)
        try:
            async for event in self._events(plan, item, attempt, offset, Staying(self._people, call)):
                await write(response, event)
        except (ClientConnectionResetError, ConnectionError, TimeoutError):
            pass  # the viewer went away, or was cut off; it comes back with its last id
        except Exception as error:
            # The answer has begun, so it cannot become a problem any more: it ends, and the viewer comes back.
            log.warning("log_stream_broken", error=repr(error), trace_id=call.trace.id)
        return response

    async def _events(
        self, plan: str, item: str, attempt: Attempt, offset: int, staying: Staying
    ) -> AsyncIterator[bytes]:
        """Pieces of text as long as there are more, a sign of life now and then, the outcome at the end."""
        text = codecs.getincrementaldecoder("utf-8")("replace")
        pause, quiet = _FIRST_LOOK_SECONDS, 0.0
        while not self._draining() and await staying.may():
            attempt = attempt_of(await existing_plan(self._desk, plan), item, attempt.number)
            read = 0
            pieces = self._blobs.read_run(attempt.run, offset)  # asked for the end before: all of it is there by then
            while piece := await asyncio.to_thread(next, pieces, b""):
                read += len(piece)
                shown = text.decode(piece)
                yield _event(attempt, offset + read - len(text.getstate()[0]), shown)
                if self._draining():
                    break
            else:
                offset += read
                if attempt.outcome:
                    yield _event(attempt, offset, text.decode(b"", final=True), ended=True)
                    return
                pause = _FIRST_LOOK_SECONDS if read else min(pause * 1.5, _LONGEST_LOOK_SECONDS)
                quiet = 0.0 if read else quiet + pause
                if quiet > HEARTBEAT_SECONDS:
                    yield b": alive\n\n"
                    quiet = 0.0
                await asyncio.sleep(pause)
        yield DRAIN


def _start(call: Call, query: h.LogQuery) -> int:
    """From which byte on."""
    given = call.request.headers.get("Last-Event-ID", "").strip()
    if not given:
        return query.offset
    if not given.isascii() or not given.isdigit() or len(given) > 18:
        fault = Fault("Last-Event-ID", "is not a byte of a log")
        raise Refused("invalid_parameter", "Last-Event-ID must be a byte of this log.", [fault])
    return int(given)


def _event(attempt: Attempt, offset: int, text: str, *, ended: bool = False) -> bytes:
    event = h.LogEvent(
        attempt=attempt.number,
        run=attempt.run,
        offset=offset,
        text=text,
        ended=ended,
        outcome=attempt.outcome if ended else "",
        error=attempt.error if ended else "",
    )
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (offset, b"end" if ended else b"log", msgspec.json.encode(event))
