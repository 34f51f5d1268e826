"""Spans on their way to the collector: a bounded queue that a thread of its own empties in batches.

Whoever ends a span never waits. Spans that find no room, and batches that the collector does not take, are lost; that is
told when it begins and when it is over, with the count, not for each. The library's own queue can do neither.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import structlog
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

log = structlog.get_logger(__name__)

ROOM = 4_096
BATCH = 512
_GATHER_SECONDS = 1.0
FLUSH_SECONDS = 2.0
"""A service that ends waits no longer than this for its last spans to be taken."""


class Outbox(SpanProcessor):
    """`close` sends what is left, as far as that goes in two seconds."""

    def __init__(self, exporter: SpanExporter, *, room: int = ROOM, gather_seconds: float = _GATHER_SECONDS) -> None:
        self._exporter = exporter
        self._room = room
        self._gather_seconds = gather_seconds
        self._queue: deque[ReadableSpan] = deque()
        self._bell = threading.Event()
        self._ending = False
        self._lost = 0
        self._told = False
        self._on_ended: Callable[[], None] = lambda: None
        # A daemon: a collector that does not answer must not keep the process.
        self._thread = threading.Thread(target=self._run, name="spans", daemon=True)
        self._thread.start()

    def on_end(self, span: ReadableSpan) -> None:
        """Takes a span that has ended, or drops it. Called in the loop's thread: it does nothing else."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        if len(self._queue) >= self._room or self._ending:
            self._lost += 1
            return
        self._queue.append(span)
        if len(self._queue) >= BATCH:
            self._bell.set()

    async def close(self, within_seconds: float | None = None) -> None:
        """No more spans are taken; those there are sent, until the time is over. Never raises."""
        ended, loop = asyncio.Event(), asyncio.get_running_loop()

        def tell() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(ended.set)

        within_seconds = FLUSH_SECONDS if within_seconds is None else within_seconds
        self._on_ended = tell
        self._ending = True
        self._bell.set()
        if self._thread.is_alive():
            try:
                async with asyncio.timeout(within_seconds):
                    await ended.wait()
            except TimeoutError:
                log.warning("spans_not_flushed", left=len(self._queue), after_seconds=within_seconds)
        with suppress(Exception):
            self._exporter.shutdown()  # also wakes a thread that waits to try again

    def _run(self) -> None:
        try:
            while not self._ending:
                self._bell.wait(self._gather_seconds)
                self._bell.clear()
                while self._queue and self._sent([self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]):
                    pass
            self._tell_end()
        finally:
            self._on_ended()

    def _sent(self, batch: list[ReadableSpan]) -> bool:
        before = self._lost
        try:
            taken = self._exporter.export(batch) is SpanExportResult.SUCCESS
        except Exception as error:
            log.warning("spans_not_encoded", error=type(error).__name__)
            taken = False
        self._lost += 0 if taken else len(batch)
        if self._lost and not self._told:
            self._told = True
            log.warning("spans_lost", why="no room" if taken else "the collector does not take them")
        elif self._told and taken and self._lost == before:
            log.info("spans_taken_again", lost=self._lost)
            self._told, self._lost = False, 0
        return taken

    def _tell_end(self) -> None:
        self._lost += len(self._queue)
        if self._lost:
            log.warning("spans_lost_at_the_end", lost=self._lost)
