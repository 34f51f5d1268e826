"""A collector of traces on loopback that speaks OTLP over HTTP, and what it was sent."""

import asyncio
from typing import Any, Self

import msgspec
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Told(msgspec.Struct, frozen=True):
    """A span as it came. Ids in hexadecimal; `parent` is empty for a root."""

    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    links: tuple[str, ...]
    failed: bool
    attributes: dict[str, Any]

    @property
    def place(self) -> tuple[str, str]:
        """Trace and span."""
        return self.trace, self.id


def place(traceparent: str) -> tuple[str, str]:
    """Trace and span of a header, without its flags."""
    _, trace, span, _ = traceparent.split("-")
    return trace, span


class Collector:
    """Takes spans while it is open. While `hold` is set to an event, answers wait for it; `status` is the answer."""

    def __init__(self) -> None:
        self.spans: list[Told] = []
        self.raw: list[bytes] = []
        self.hold: asyncio.Event | None = None
        self.status = 200
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/v1/traces", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def of(self, trace: str) -> list[Told]:
        """The spans of one trace."""
        return [span for span in self.spans if span.trace == trace]

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.hold is not None:
            await self.hold.wait()
        if self.status == 200:
            self.raw.append(body)
            self.spans += _spans(body)
        return web.Response(status=self.status, content_type="application/x-protobuf")


def _spans(body: bytes) -> list[Told]:
    found = []
    for by_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = {one.key: one.value.string_value for one in by_resource.resource.attributes}
        for by_scope in by_resource.scope_spans:
            for span in by_scope.spans:
                found.append(
                    Told(
                        resource["service.name"],
                        span.name,
                        span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
                        span.trace_id.hex(),
                        span.span_id.hex(),
                        span.parent_span_id.hex(),
                        tuple(link.span_id.hex() for link in span.links),
                        span.status.code == 2,
                        {one.key: _value(one.value) for one in span.attributes},
                    )
                )
    return found


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind)
