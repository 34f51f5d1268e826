"""Wires the gateway: what it stands on, its routes, the listening socket, and the order in which it ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import structlog
from aiohttp import web

from contracts.evolve import fold
from contracts.plan import Plan
from contracts.subjects import PRESENCE
from infra.blobs import Blobs
from infra.clock import Clock
from infra.commands import Desk
from infra.errors import Misconfigured
from infra.freezes import Freezes
from infra.ground import Ground, open_ground
from infra.identity import Identities
from infra.keystore import KeyStore, master_key_of
from infra.remembered import by_items
from infra.tail import Tail
from services.gateway.calendar import Calendar
from services.gateway.config import GatewaySettings
from services.gateway.door import Door
from services.gateway.doorstep import doorstep
from services.gateway.feed import Feed
from services.gateway.frames import presence_frame
from services.gateway.health import Health
from services.gateway.listing import Listing
from services.gateway.metrics import Metrics
from services.gateway.orders import Orders
from services.gateway.presence import Presences
from services.gateway.readers import Readers
from services.gateway.route import Route
from services.gateway.routes.approval import approval_routes
from services.gateway.routes.calendar import calendar_routes
from services.gateway.routes.callback import callback_routes
from services.gateway.routes.deliveries import delivery_routes
from services.gateway.routes.editing import editing_routes
from services.gateway.routes.endpoints import endpoint_routes
from services.gateway.routes.feed import feed_routes
from services.gateway.routes.files import file_routes
from services.gateway.routes.foresight import foresight_routes
from services.gateway.routes.freezes import freeze_routes
from services.gateway.routes.gates import gate_routes
from services.gateway.routes.inbox import inbox_routes
from services.gateway.routes.items import gate_orders, item_orders
from services.gateway.routes.lists import list_routes
from services.gateway.routes.log_stream import log_stream_routes
from services.gateway.routes.logs import log_routes
from services.gateway.routes.people import people_routes
from services.gateway.routes.plans import plan_orders
from services.gateway.routes.presence import presence_routes
from services.gateway.routes.progress import progress_routes
from services.gateway.routes.reading import reading_routes
from services.gateway.routes.recorded_hooks import recorded_hook_routes
from services.gateway.routes.setting_up import setting_up_routes
from services.gateway.routes.system import Description, system_routes
from services.gateway.routes.templates import template_routes
from services.gateway.routes.versions import version_routes
from services.gateway.telling import Telling

log = structlog.get_logger(__name__)

_REMEMBERED_PLANS = 256
_LINGERING_SECONDS = 2.0
_PATIENCE_SECONDS = 8.0
"""With a database that says nothing; then a request is a 503. Those who ask have timeouts of their own."""
_GATHER_SECONDS = 0.002
"""The feed waits this long after a wake-up: what comes together is read together."""


class Parts(NamedTuple):
    """What the routes are made of."""

    ground: Ground
    identities: Identities
    key_store: KeyStore | None
    feed: Feed
    health: Health
    metrics: Metrics
    blobs: Blobs
    presences: Presences


class Gateway:
    """The running gateway. Has what `infra.process` asks of a service: `ready()` and `failed`."""

    def __init__(self, ground: Ground, health: Health, port: int) -> None:
        self._health = health
        self.failed = ground.failed
        self.port = port

    def ready(self) -> str | None:
        """None when work may be sent, else why not."""
        return "; ".join(self._health.reasons) or None


@asynccontextmanager
async def build(settings: GatewaySettings, clock: Clock | None = None) -> AsyncIterator[Gateway]:
    """The running gateway. On leaving it says that it is not ready, ends the feeds, finishes what it has begun."""
    async with open_ground("gateway", settings, clock, patience_seconds=_PATIENCE_SECONDS) as ground:
        parts = _parts(ground, settings)
        ground.run(parts.feed.run(), "live feed")
        ground.run(parts.health.run(), "health")
        await ground.bus.start()
        ground.run(parts.presences.run(), "presence")
        app = Door(routes_of(parts), parts.identities, parts.metrics, ground.tracing).application()
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=settings.drain_seconds)
        listener = None
        try:
            listener = await _listen(runner, parts.metrics, settings)
            yield Gateway(ground, parts.health, _port_of(listener))
        finally:
            parts.health.draining = True
            parts.feed.drain()
            if listener is not None:
                listener.close()
            await runner.cleanup()


def _parts(ground: Ground, settings: GatewaySettings) -> Parts:
    pool = ground.log.pool
    feed = Feed(ground.log, Tail(ground.log, ground.wake, gather_seconds=_GATHER_SECONDS))
    return Parts(
        ground=ground,
        identities=Identities(pool, settings.jwt(), remember_seconds=settings.token_cache_seconds),
        key_store=KeyStore(pool, master_key_of(settings.master_key)) if settings.master_key else None,
        feed=feed,
        health=Health(pool, ground.bus, settings.most_lag_events),
        metrics=Metrics(),
        blobs=Blobs(settings.data / "blobs"),
        presences=_presences(ground, feed, settings.presence_seconds),
    )


def _presences(ground: Ground, feed: Feed, ttl_seconds: float) -> Presences:
    async def publish(body: bytes) -> None:
        await ground.bus.publish(PRESENCE, body)

    presences = Presences(ground.clock, publish, ttl_seconds)
    presences.tell = lambda plan: feed.tell(presence_frame(presences.page(plan)))
    ground.bus.on_message(PRESENCE, presences.heard)
    return presences


def routes_of(parts: Parts) -> list[Route]:
    """The whole table."""
    ground, description = parts.ground, Description()
    orders = Orders(ground.bus, ground.clock)
    desk: Desk[Plan] = Desk(ground.log, fold, remember=_REMEMBERED_PLANS, weigh=by_items)
    readers = Readers(ground.log, parts.identities, ground.clock)
    listing, freezes = Listing(ground.log.pool), Freezes(ground.log.fetch)
    calendar = Calendar(ground.log.pool, listing, freezes, ground.clock)
    routes = [
        *plan_orders(orders),
        *editing_routes(orders),
        *version_routes(ground.log),
        *file_routes(orders),
        *foresight_routes(orders),
        *approval_routes(orders, ground.log, readers),
        *template_routes(orders, ground.log, desk),
        *item_orders(orders),
        *gate_orders(orders),
        *reading_routes(ground.log, desk, listing),
        *log_routes(desk, parts.blobs),
        *progress_routes(ground.log, desk, ground.clock),
        *log_stream_routes(desk, parts.blobs, lambda: parts.feed.draining, parts.identities),
        *feed_routes(parts.feed, parts.metrics, parts.presences, parts.identities),
        *presence_routes(desk, parts.presences),
        *callback_routes(orders),
        *delivery_routes(orders, ground.log, desk),
        *recorded_hook_routes(orders),
        *gate_routes(orders, ground.log, desk),
        *list_routes(orders, ground.log),
        *freeze_routes(orders, freezes, ground.clock),
        *inbox_routes(ground.log, desk, listing, readers),
        *calendar_routes(orders, desk, calendar),
        *setting_up_routes(orders),
        *endpoint_routes(orders, ground.log, parts.key_store, ground.clock),
        *people_routes(parts.identities, parts.key_store, Telling(ground.log, ground.clock)),
        *system_routes(parts.health, parts.metrics, description),
    ]
    description.routes = routes
    return routes


async def _listen(runner: web.AppRunner, metrics: Metrics, settings: GatewaySettings) -> asyncio.Server:
    """The listening sockets. Raises Misconfigured when the address cannot be used."""
    await runner.setup()
    assert runner.server is not None, "setting up makes it"
    connection = doorstep(runner.server, metrics, lingering_seconds=_LINGERING_SECONDS)
    try:
        listener = await asyncio.get_running_loop().create_server(
            connection, settings.http_host, settings.http_port, backlog=512
        )
    except OSError as error:
        where = f"{settings.http_host}:{settings.http_port}"
        raise Misconfigured(f"the HTTP address {where} cannot be used: {error.strerror}") from None
    port = _port_of(listener)
    if settings.http_port_file is not None:
        await asyncio.to_thread(_write_whole, settings.http_port_file, f"{port}\n")
    log.info("http_listening", host=settings.http_host, port=port)
    return listener


def _port_of(listener: asyncio.Server) -> int:
    """The one that was taken."""
    return int(listener.sockets[0].getsockname()[1])


def _write_whole(file: Path, text: str) -> None:
    """In one step, so that nobody reads half a number."""
    fresh = file.with_name(f"{file.name}.new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    fresh.write_text(text)
    fresh.rename(file)
