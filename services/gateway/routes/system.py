"""What machines ask a gateway about itself: health, readiness, measurements, the description of its interface."""

from collections.abc import Sequence
from importlib.resources import files

from aiohttp import web

import contracts
from contracts import http as h
from services.gateway.health import Health
from services.gateway.metrics import CONTENT_TYPE, Metrics
from services.gateway.orders import json_answer
from services.gateway.route import Call, Route

_DOCUMENT = {"Content-Type": "application/json", "Cache-Control": "public, max-age=300"}


def system_routes(health: Health, metrics: Metrics, description: "Description") -> list[Route]:
    """Open to all: they show nothing about plans."""
    system = System(health, metrics, description)
    return [
        Route(
            method="GET",
            path="/healthz",
            handler=system.alive,
            name="healthz",
            summary="The process lives.",
            tag="system",
            answer=h.Health,
            access="open",
        ),
        Route(
            method="GET",
            path="/readyz",
            handler=system.ready,
            name="readyz",
            summary="200 when work may be sent here, else 503 with the reasons.",
            tag="system",
            answer=h.Health,
            access="open",
        ),
        Route(
            method="GET",
            path="/metrics",
            handler=system.measurements,
            name="metrics",
            summary="Measurements for Prometheus.",
            tag="system",
            answer=str,
            answer_media="text/plain",
            access="open",
        ),
        Route(
            method="GET",
            path="/openapi.json",
            handler=system.interface,
            name="openapi",
            summary="This document.",
            tag="system",
            answer=dict,
            access="open",
        ),
        Route(
            method="GET",
            path="/asyncapi.json",
            handler=system.events,
            name="asyncapi",
            summary="The AsyncAPI document of the events that can be listened to by NATS.",
            tag="system",
            answer=dict,
            access="open",
        ),
    ]


class Description:
    """The OpenAPI document of `routes`, made when it is first asked for: it is large, and few gateways are asked."""

    def __init__(self) -> None:
        self.routes: Sequence[Route] = ()
        self._text = b""

    @property
    def text(self) -> bytes:
        if not self._text:
            from services.gateway.openapi import document

            self._text = document(self.routes)
        return self._text


class System:
    """Serves health, measurements and description."""

    def __init__(self, health: Health, metrics: Metrics, description: Description) -> None:
        self._health = health
        self._metrics = metrics
        self._description = description

    async def alive(self, call: Call) -> web.StreamResponse:
        return json_answer(h.Health(state="alive"))

    async def ready(self, call: Call) -> web.StreamResponse:
        reasons = self._health.reasons
        if reasons:
            return json_answer(h.Health(state="not_ready", reasons=reasons), status=503, headers={"Retry-After": "1"})
        return json_answer(h.Health(state="ready"))

    async def measurements(self, call: Call) -> web.StreamResponse:
        return web.Response(body=self._metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def interface(self, call: Call) -> web.StreamResponse:
        return web.Response(body=self._description.text, headers=_DOCUMENT)

    async def events(self, call: Call) -> web.StreamResponse:
        return web.Response(body=files(contracts).joinpath("asyncapi.json").read_bytes(), headers=_DOCUMENT)
