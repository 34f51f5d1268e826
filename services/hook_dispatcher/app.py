"""Wires the hook dispatcher: commands in, gates opened and ended, hooks brought to their receivers."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from contracts.commands import (
    AnswerGate,
    OverrideGate,
    PutEndpoint,
    RecheckGate,
    ResendDelivery,
)
from contracts.endpoint_state import fold_endpoint
from contracts.envelope import Fact
from contracts.evolve import fold
from contracts.hook_commands import DisableEndpoint, EnableEndpoint, RotateEndpoint, SendTest, ShowHook
from infra.addresses import reach_of
from infra.checkpoint import Projection
from infra.clock import Clock
from infra.commands import Desk
from infra.eventlog import EventLog
from infra.ground import GATHER_SECONDS, Ground, open_ground
from infra.keystore import KeyStore, master_key_of
from infra.remembered import by_items
from infra.requests import Requests
from infra.timers import TimerLoop
from services.hook_dispatcher.adapters import Sender
from services.hook_dispatcher.config import Settings
from services.hook_dispatcher.handlers.breakers import Breakers
from services.hook_dispatcher.handlers.callbacks import Proofs
from services.hook_dispatcher.handlers.commands import Commands
from services.hook_dispatcher.handlers.courier import Courier
from services.hook_dispatcher.handlers.endpoints import Endpoints
from services.hook_dispatcher.handlers.gatekeeper import SERVICE, Gatekeeper
from services.hook_dispatcher.handlers.keys import Keys
from services.hook_dispatcher.handlers.recorded import Recorded
from services.hook_dispatcher.handlers.work import Work
from services.hook_dispatcher.projections import UNHURRIED, Hooks
from services.hook_dispatcher.views.delivery import fold_delivery

if TYPE_CHECKING:
    from services.hook_dispatcher.handlers.spans import HookSpans

_ENDPOINTS = 2_048
"""States of endpoints that are remembered: every delivery needs its endpoint's."""


def projections(log: EventLog) -> Sequence[Projection]:
    """What this service keeps in tables."""
    return (Hooks(log.read_stream),)


@asynccontextmanager
async def build(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Ground]:
    """The running hook dispatcher. Raises Misconfigured for networks, ports or a master key that make no sense."""
    sender = Sender(
        reach=reach_of(settings.hook_allow, settings.hook_ports),
        timeout_seconds=settings.hook_timeout_seconds,
        connect_seconds=settings.hook_connect_seconds,
        instance_url=settings.instance_url,
    )
    master_key = master_key_of(settings.master_key) if settings.master_key else None
    try:
        async with open_ground(SERVICE, settings, clock) as ground:
            key_store = KeyStore(ground.log.pool, master_key) if master_key else None
            _wire(ground, settings, sender, key_store)
            await ground.bus.start()
            yield ground
    finally:
        await sender.close()


def _spans(log: EventLog) -> "HookSpans | None":
    if log.tracing is None:
        return None
    from services.hook_dispatcher.handlers.spans import HookSpans

    return HookSpans(log, log.tracing)


def _wire(ground: Ground, settings: Settings, sender: Sender, key_store: KeyStore | None) -> None:
    log, clock = ground.log, ground.clock
    plans, deliveries, endpoints = (
        Desk(log, fold, weigh=by_items),
        Desk(log, fold_delivery),
        Desk(log, fold_endpoint, remember=_ENDPOINTS),
    )
    keys = Keys(key_store, clock)
    commands = Commands(log, plans, deliveries, Proofs(deliveries, endpoints, keys))
    of_endpoints = Endpoints(endpoints, clock, ground.wake.set)
    breakers = Breakers(
        failures=settings.hook_breaker_failures,
        seconds=settings.hook_breaker_seconds,
        probe_seconds=settings.hook_timeout_seconds + 5,
    )
    courier = Courier(
        log,
        (deliveries, endpoints),
        keys,
        sender,
        clock,
        change_endpoint=of_endpoints.change,
        breakers=breakers,
        patience=settings.patience(),
        timeout_seconds=settings.hook_timeout_seconds,
        concurrency=settings.hook_concurrency,
        spans=_spans(log),
    )

    def observe(facts: list[Fact]) -> None:
        plans.observe(facts)
        endpoints.observe(facts)

    gatekeeper = Gatekeeper(plans, clock, ground.wake.set)
    work = Work(
        log,
        ground.tail(),
        clock,
        gatekeeper,
        courier,
        observe=observe,
    )
    hooks = Hooks(log.read_stream)
    timers = TimerLoop(log.pool, SERVICE, clock, work.fire, wake=ground.wake)
    ground.project(
        (hooks,), gather_seconds=GATHER_SECONDS, may_wait=UNHURRIED, on_folded=lambda: work.raised(hooks.raised)
    )
    ground.run(work.run(), "work of the hook dispatcher")
    ground.run(timers.run(), "timers of the hook dispatcher")
    ground.bus.serve(
        SERVICE,
        Requests(
            SERVICE,
            {
                AnswerGate: commands.answer_gate,
                RecheckGate: commands.recheck_gate,
                OverrideGate: commands.override_gate,
                PutEndpoint: of_endpoints.put,
                RotateEndpoint: of_endpoints.rotate,
                EnableEndpoint: of_endpoints.enable,
                DisableEndpoint: of_endpoints.disable,
                SendTest: of_endpoints.send_test,
                ResendDelivery: commands.resend_delivery,
                ShowHook: Recorded(log, deliveries, settings.instance_url).show,
            },
        ),
    )
