"""Spans on their way: never waited for, bounded, and what is lost is told when it begins and when it ends."""

import threading
from collections.abc import Sequence

import structlog
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from infra.telemetry.outbox import Outbox
from tests.support.wait import PATIENCE_SECONDS, eventually


class Taking(SpanExporter):
    """A collector. It stands still while `open` is not set, refuses while `refuses`, fails outright while `breaks`.

    `begun` and `done` count batches.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.begun = self.done = 0
        self.open = threading.Event()
        self.open.set()
        self.refuses = self.breaks = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.begun += 1
        self.open.wait()
        try:
            if self.breaks:
                raise ValueError("hush")
            if self.refuses:
                return SpanExportResult.FAILURE
            self.names += [span.name for span in spans]
            return SpanExportResult.SUCCESS
        finally:
            self.done += 1

    def shutdown(self) -> None:
        self.open.set()
        self.refuses = True


def ended(outbox: Outbox, *names: str) -> None:
    """These spans, made and ended."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(outbox)
    for name in names:
        provider.get_tracer("test").start_span(name).end()


async def test_spans_are_sent_in_batches_and_those_left_when_it_is_closed() -> None:
    taking = Taking()
    outbox = Outbox(taking, gather_seconds=0.001)
    ended(outbox, "one", "two")
    await eventually(lambda: taking.names == ["one", "two"])
    slow = Outbox(taking, gather_seconds=PATIENCE_SECONDS)
    ended(slow, "three")
    await slow.close(PATIENCE_SECONDS)
    await outbox.close(PATIENCE_SECONDS)
    assert taking.names == ["one", "two", "three"]


async def test_what_finds_no_room_is_lost_and_told_once() -> None:
    taking = Taking()
    taking.open.clear()
    with structlog.testing.capture_logs() as logs:
        outbox = Outbox(taking, room=3, gather_seconds=0.001)
        ended(outbox, "first")
        await eventually(lambda: taking.begun == 1, what="it stands still with the first")
        ended(outbox, *(str(number) for number in range(10)))
        taking.open.set()
        await eventually(lambda: len(taking.names) == 4)
        ended(outbox, "later")
        await outbox.close(PATIENCE_SECONDS)
    assert taking.names == ["first", "0", "1", "2", "later"]
    assert [(line["event"], line.get("lost")) for line in logs] == [("spans_lost", None), ("spans_taken_again", 7)]


async def test_a_collector_that_refuses_is_told_once_and_again_when_it_takes() -> None:
    taking = Taking()
    taking.refuses = True
    with structlog.testing.capture_logs() as logs:
        outbox = Outbox(taking, gather_seconds=0.001)
        for number in range(3):
            ended(outbox, str(number))
            await eventually(lambda wanted=number + 1: taking.done == wanted)
        taking.refuses = False
        ended(outbox, "taken")
        await outbox.close(PATIENCE_SECONDS)
    assert taking.names == ["taken"]
    assert [(line["event"], line.get("lost")) for line in logs] == [("spans_lost", None), ("spans_taken_again", 3)]


async def test_an_exporter_that_breaks_ends_neither_the_thread_nor_tells_its_words() -> None:
    taking = Taking()
    taking.breaks = True
    with structlog.testing.capture_logs() as logs:
        outbox = Outbox(taking, gather_seconds=0.001)
        ended(outbox, "lost")
        await eventually(lambda: taking.done == 1)
        taking.breaks = False
        ended(outbox, "taken")
        await outbox.close(PATIENCE_SECONDS)
    assert taking.names == ["taken"]
    assert "hush" not in str(logs)


async def test_closing_waits_no_longer_than_told_for_a_collector_that_stands_still() -> None:
    taking = Taking()
    taking.open.clear()
    with structlog.testing.capture_logs() as logs:
        outbox = Outbox(taking, gather_seconds=0.001)
        ended(outbox, "never")
        await eventually(lambda: taking.begun == 1)
        await outbox.close(0.01)
    assert "spans_not_flushed" in [line["event"] for line in logs]
    ended(outbox, "after the end")
    assert taking.names == []
