"""The span of a request, where traces are kept: its trace id is the one that problems and log lines quote.

Named by the route's template, never by what was asked for: a path may hold anything where no route has it, and a query
anything everywhere.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aiohttp import web

from services.gateway.trace import Trace

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from infra.telemetry.tracing import Tracing

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@contextmanager
def served(tracing: "Tracing", request: web.Request) -> "Iterator[tuple[Span, Trace]]":
    """Around all that is done for a request: its span, and the trace that goes on with its command."""
    from infra.telemetry.tracing import trace_id_of, traceparent_of

    resource = request.match_info.route.resource
    method = request.method if request.method in _METHODS else "_OTHER"
    attributes: dict[str, str | int | list[str]] = {"http.request.method": method, "url.scheme": request.scheme}
    if resource is not None:
        attributes |= {"http.route": resource.canonical, "url.path": request.path}
    name = f"{method} {resource.canonical}" if resource is not None else method
    parent = request.headers.get("traceparent", "")
    with tracing.span(name, "server", attributes, parent=parent) as span:
        yield span, Trace(trace_id_of(span), traceparent_of(span))


def answered(span: "Span", status: int) -> None:
    """What the asker got. A refusal is the asker's; only a fault of ours is one of the span's."""
    from infra.telemetry.tracing import fail

    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        fail(span, str(status))
