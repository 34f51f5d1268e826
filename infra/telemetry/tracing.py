"""Makes spans, each the child of what goes on in this task, of a `traceparent` that came from elsewhere, or a root.

A failure is told by the class of its exception alone: its text may hold anything.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

import structlog
from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from infra.telemetry.lazy import LazySpan
from infra.telemetry.outbox import Outbox

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Attributes = Mapping[str, str | int | list[str]]

_PROPAGATOR = TraceContextTextMapPropagator()
_LAZY = context.create_key("gonogo-lazy-span")


class Tracing:
    """The spans of one service. One per process; where several services share one, one each."""

    def __init__(self, tracer: Tracer, outbox: Outbox) -> None:
        self._tracer = tracer
        self._outbox = outbox

    @contextmanager
    def span(self, name: str, kind: Kind, attributes: Attributes, *, parent: str | None = None) -> Iterator[Span]:
        """What happens inside is this span. `parent` is a `traceparent`; of one that is none, or empty, comes a root.

        With None the parent is the span that this task, or the one that made it, is in.
        """
        around = context.get_current() if parent is None else context_of(parent)
        if isinstance(lazy := context.get_value(_LAZY, around), LazySpan):
            lazy.keep()
        span = self._tracer.start_span(name, around, SpanKind[kind.upper()], attributes)
        with _inside(trace.set_span_in_context(span, around)):
            try:
                yield span
            except Exception as error:
                fail(span, type(error).__name__)
                raise
            finally:
                span.end()

    @contextmanager
    def perhaps(self, name: str, attributes: Attributes, causes: Iterable[str]) -> Iterator[LazySpan]:
        """As `span`, but kept only when a span is made inside it: looking whether something is due is not worth one.

        It goes on with the last of its causes and is linked to the others. Without causes it is as with `span`.
        """
        contexts = [context_of(cause) for cause in causes]
        around = contexts[-1] if contexts else context.get_current()
        if isinstance(outer := context.get_value(_LAZY, around), LazySpan) and not outer.kept:
            around = outer.around  # a look that leads to another look did nothing itself
        links = [Link(trace.get_current_span(one).get_span_context()) for one in contexts[:-1]]
        span = self._tracer.start_span(name, around, SpanKind.CONSUMER, attributes, links)
        lazy = LazySpan(span, around)
        with _inside(context.set_value(_LAZY, lazy, trace.set_span_in_context(span, around))):
            try:
                yield lazy
            except Exception as error:
                fail(span, type(error).__name__)
                lazy.keep()
                raise
            finally:
                lazy.leave()

    async def close(self) -> None:
        """Sends what is left, within a bound."""
        await self._outbox.close()


def here() -> bool:
    """Whether this task is inside a span."""
    return trace.get_current_span().get_span_context().is_valid


def context_of(traceparent: str) -> Context:
    """The place that a `traceparent` names; an empty one where it names none."""
    return _PROPAGATOR.extract({"traceparent": traceparent}, Context())


def traceparent_of(span: Span) -> str:
    """What goes along with whatever this span sends."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, trace.set_span_in_context(span, Context()))
    return carrier.get("traceparent", "")


def along() -> Mapping[str, str]:
    """The headers that go with whatever this task sends now."""
    return {"traceparent": traceparent_of(trace.get_current_span())}


def trace_id_of(span: Span) -> str:
    """The 32 digits that people quote."""
    return trace.format_trace_id(span.get_span_context().trace_id)


def fail(span: Span, kind: str) -> None:
    """Marks a span as failed. `kind` is a word or a class, never a sentence."""
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR))


@contextmanager
def _inside(place: Context) -> Iterator[None]:
    """Spans and log lines in here belong to this place."""
    id_ = trace_id_of(trace.get_current_span(place))
    token = context.attach(place)
    try:
        with structlog.contextvars.bound_contextvars(trace_id=id_):
            yield
    finally:
        context.detach(token)
