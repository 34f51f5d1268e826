"""Looks at a delivery and brings it on: makes the attempt that is due, records what came of it.

An attempt is intent, request, outcome. The version of the delivery's stream is the fence: whoever appends the intent
makes the attempt, and an owner that was away too long cannot append its outcome. At least once, under one id. Before an
attempt come four questions that only delay it: the hook before it, the host's breaker, the endpoint's lanes and rate.
"""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import structlog
from msgspec.structs import replace

from contracts.delivery import DeliveryCreated
from contracts.endpoint import EndpointChallenged, EndpointDisabled, EndpointVerified
from contracts.endpoint_state import Endpoint
from contracts.envelope import stream_id
from contracts.plan_events import Event
from contracts.registry import encode
from infra.asked_once import AskedOnce
from infra.clock import Clock
from infra.commands import Desk
from infra.errors import Misconfigured
from infra.eventlog import Append, Appended, Draft, EventLog, Seen
from infra.ids import derived_id, random_id
from infra.postgres import load_sql
from infra.requests import fingerprint_of
from services.hook_dispatcher.adapters import Hook, Sender
from services.hook_dispatcher.decider import deliveries
from services.hook_dispatcher.decider.deliveries import Patience, Sent, next_step
from services.hook_dispatcher.handlers.alarms import Alarms, Lanes, Turns
from services.hook_dispatcher.handlers.breakers import Breakers, Rates, host_of
from services.hook_dispatcher.handlers.keys import Keys
from services.hook_dispatcher.handlers.rendering import Body, Hooked, Rendering
from services.hook_dispatcher.views.delivery import Delivery, after
from services.hook_dispatcher.views.hooks import OWN
from services.hook_dispatcher.views.rows import DeliveryRow, unbegun

if TYPE_CHECKING:
    from services.hook_dispatcher.handlers.spans import HookSpans

log = structlog.get_logger(__name__)

_ACTOR = "service:hook_dispatcher"
_PACKAGE = "services.hook_dispatcher"
_MARGIN_SECONDS = 2.0  # from the request's time limit to the end of the attempt: time to append the outcome
_MOST_RAISED = 4_000
"""Deliveries that are remembered from when they were raised until their stream begins; others are read."""
_PREPARED = 200
"""Endpoints that are read before there is a hook for them."""
_CHALLENGED = "endpoint.challenged.v1"
_GONE = "the receiver says that it is gone (410)"

Change = Callable[[Endpoint], tuple[Event, ...]]


class Courier:
    """One look at a delivery. `look` returns when there is nothing to do just now."""

    def __init__(
        self,
        event_log: EventLog,
        desks: tuple[Desk[Delivery], Desk[Endpoint]],
        keys: Keys,
        sender: Sender,
        clock: Clock,
        *,
        change_endpoint: Callable[[str, str, Change], Awaitable[None]],
        breakers: Breakers,
        patience: Patience,
        timeout_seconds: float,
        concurrency: int,
        spans: "HookSpans | None" = None,
    ) -> None:
        """`change_endpoint(endpoint, key, change)` appends what `change` says of the endpoint as it is then."""
        self._log = event_log
        self._deliveries, self._endpoints = desks
        self._reading_endpoint = AskedOnce(self._endpoints.recall)
        self._keys = keys
        self._sender = sender
        self._clock = clock
        self._change_endpoint = change_endpoint
        self.breakers = breakers
        self._rates = Rates()
        self._patience = patience
        self._turns = Turns(concurrency)
        self._attempt_micros = int((timeout_seconds + _MARGIN_SECONDS) * 1_000_000)
        self._rendering = Rendering(event_log)
        self._read_rows = load_sql(_PACKAGE, "read_deliveries")
        self._read_endpoints = load_sql(_PACKAGE, "endpoints_on")
        self._before = load_sql(_PACKAGE, "delivery_before")
        self._next = load_sql(_PACKAGE, "delivery_next")
        self._owner = random_id()
        self._spans = spans
        self._raised: OrderedDict[str, Delivery] = OrderedDict()

    async def prepare(self) -> None:
        """Read what the first hooks will need, before there are any: the endpoints that are on, and their keys."""
        rows = await self._log.pool.fetch(self._read_endpoints, _PREPARED)
        found = await asyncio.gather(*(self._endpoint(f"endpoint-{row['id']}") for row in rows))
        for endpoint in found:
            if endpoint is not None and endpoint.active:
                with suppress(Misconfigured, ValueError):  # told when there is something to be sent
                    await self._keys.of(endpoint)

    async def look(self, stream: str, alarms: Alarms, lanes: Lanes) -> None:
        """Bring this delivery as far as it gets now."""
        while True:
            delivery = self._raised.get(stream) or await self._deliveries.read(stream) or await self._due(stream)
            if delivery is None:
                return
            now = self._clock.now()
            match next_step(delivery, now):
                case "nothing":
                    lanes.pass_on(delivery.created.endpoint)
                    return
                case "wait":
                    lanes.pass_on(delivery.created.endpoint)
                    alarms.set(stream, (delivery.next_at - now) / 1_000_000)
                    return
                case "interrupted":
                    await self._append(delivery, deliveries.interrupted(delivery, now, self._patience), "interrupted")
                case "try":
                    if self._spans is None:
                        again = await self._brought_on(delivery, stream, alarms, lanes)
                    else:
                        bring = partial(self._brought_on, delivery, stream, alarms, lanes)
                        again = await self._spans.delivered(delivery, bring)
                    if not again:
                        return

    def know(self, rows: Iterable[DeliveryRow]) -> None:
        """These were raised just now. What is known of them is not read again; that it still holds, the append checks."""
        for row in rows:
            self._raised[f"delivery-{row.id}"] = unbegun(row)
        while len(self._raised) > _MOST_RAISED:
            self._raised.popitem(last=False)

    async def _due(self, stream: str) -> Delivery | None:
        """A delivery whose stream is not begun, as its row has it: at version 0. None: there is no such row."""
        rows = await self._log.pool.fetch(self._read_rows, [stream_id(stream)])
        if not rows:
            return None
        return unbegun(DeliveryRow(**dict(rows[0])))

    async def _brought_on(self, delivery: Delivery, stream: str, alarms: Alarms, lanes: Lanes) -> bool:
        """Try, if nothing holds it back. False: it waits, and whatever it waits for wakes it."""
        created = delivery.created
        endpoint = await self._endpoint(f"endpoint-{created.endpoint}")
        if endpoint is None or not (endpoint.active or (created.event in OWN and endpoint.enabled)):
            await self._append(await self._begun(delivery), deliveries.no_endpoint(delivery), "off")
            return True
        if endpoint.ordered and created.plan and await self._waits_for_another(delivery):
            return False
        now, host = self._clock.now(), host_of(endpoint.url)
        until = self.breakers.held_until(host, now)
        if until and (died := deliveries.held_back(delivery, now, self._patience)):
            await self._append(await self._begun(delivery), died, "held")
            return True
        until = until or self._rates.free_at(endpoint.id, endpoint.rate_per_minute, now)
        if until:
            lanes.hold(endpoint.id, stream, lambda first: alarms.set(first, (until - now) / 1_000_000))
            return False
        if not lanes.enter(endpoint.id, stream, endpoint.concurrency):
            return False
        try:
            self._rates.count(endpoint.id, endpoint.rate_per_minute, now)
            self.breakers.enter(host, now)
            tried = await self._try(delivery, endpoint)
            well_again = tried is not None and self.breakers.heard(host, tried[1], self._clock.now())
        finally:
            lanes.leave(endpoint.id)  # there is room at the receiver, whenever the outcome is recorded
        if well_again:
            lanes.reopen(endpoint.id)
        sent = None if tried is None else await self._recorded(*tried)
        if endpoint.ordered and created.plan:
            await self._wake_next(delivery, alarms)
        return sent is None or not sent.taken

    async def _endpoint(self, stream: str) -> Endpoint | None:
        return self._endpoints.remembered(stream) or await self._reading_endpoint.get(stream)

    async def _waits_for_another(self, delivery: Delivery) -> bool:
        """Whether the hook of this plan before it, to the same endpoint, is still on its way."""
        created = delivery.created
        before = await self._log.pool.fetchval(
            self._before, created.endpoint, created.plan, created.raised_by, delivery.id
        )
        if before is None:
            return False
        state = await self._deliveries.read(f"delivery-{before}")
        return state is None or not state.ended

    async def _wake_next(self, delivery: Delivery, alarms: Alarms) -> None:
        created = delivery.created
        following = await self._log.pool.fetchval(
            self._next, created.endpoint, created.plan, created.raised_by, delivery.id
        )
        if following is not None:
            alarms.set(f"delivery-{following}", 0)

    async def _begun(self, delivery: Delivery) -> Delivery:
        """The delivery with a stream of its own, for facts other than an attempt."""
        if delivery.version:
            return delivery
        first = await self._first(delivery)
        await self._append(delivery, (first,), "created")
        return await self._deliveries.read(f"delivery-{delivery.id}") or delivery

    async def _first(self, delivery: Delivery) -> DeliveryCreated:
        body = await self._rendered(delivery)
        return replace(delivery.created, size=len(body.text), sha256=body.sha256)

    async def _try(self, delivery: Delivery, endpoint: Endpoint) -> tuple[Delivery, Sent] | None:
        """One attempt, if it is ours to make: the delivery with its intent, and what came of it. None where another one
        was first. The intent is recorded while it waits for its turn, so that a turn is for sending alone."""
        body = await self._body(delivery)
        async with self._turns.place() as place:
            begun = await self._intended(delivery)
            if begun is None:
                return None
            try:
                async with self._turns.one(place):
                    sent = await self._send(begun, endpoint, body)
            except asyncio.CancelledError:
                events = deliveries.interrupted(begun, self._clock.now(), self._patience)
                await asyncio.shield(self._append(begun, events, "outcome"))
                raise
        await self._tell_endpoint(begun, sent)
        return begun, sent

    async def _recorded(self, begun: Delivery, sent: Sent) -> Sent | None:
        """What came of the attempt, once that is in the log; None where it was too late for that."""
        events = deliveries.outcome(begun, sent, self._clock.now(), random.random(), self._patience)  # noqa: S311 - jitter
        if await self._append(begun, events, "outcome") is None:
            log.warning("outcome_too_late", delivery=begun.id, attempt=begun.attempts, status=sent.status)
            return None
        return sent

    async def _intended(self, delivery: Delivery) -> Delivery | None:
        """The delivery with the intent of an attempt, recorded; None where somebody else was first."""
        intent = deliveries.attempt(delivery, self._clock.now() + self._attempt_micros)
        first = () if delivery.version else (await self._first(delivery),)
        position = await self._append(delivery, (*first, *intent), "attempt")
        if position is None:
            return None
        begun = after(delivery, intent[0], self._clock.now())
        return replace(begun, version=delivery.version + len(first) + 1, position=position)

    async def _tell_endpoint(self, delivery: Delivery, sent: Sent) -> None:
        """What the answer says of the endpoint itself. Before the outcome is recorded: a crash between tries again."""
        created = delivery.created
        key = f"delivery-{delivery.id}/{delivery.attempts}"
        if sent.status == 410:
            await self._change_endpoint(
                created.endpoint, key, lambda now: (EndpointDisabled(reason=_GONE),) if now.enabled else ()
            )
        elif created.event == _CHALLENGED and sent.taken:
            challenge = await self._challenge(created.raised_by)
            await self._change_endpoint(
                created.endpoint,
                key,
                lambda now: (EndpointVerified(),) if now.challenge == challenge and not now.verified else (),
            )

    async def _send(self, delivery: Delivery, endpoint: Endpoint, body: Body) -> Sent:
        try:
            keys = await self._keys.of(endpoint)
        except (Misconfigured, ValueError) as error:
            log.error("hook_not_signed", delivery=delivery.id, endpoint=delivery.created.endpoint, reason=str(error))
            return Sent(error="secret", detail="its signing secret cannot be used")
        created = delivery.created
        hook = Hook(
            delivery=delivery.id,
            raised=derived_id("hook", created.plan, str(created.raised_by)),
            url=endpoint.url,
            body=body.text,
            sent_at=self._clock.now() // 1_000_000,
            keys=keys,
            format=created.format,
            challenge=await self._challenge(created.raised_by) if created.event == _CHALLENGED else "",
        )
        send = self._sender.send
        sent = await (send(hook) if self._spans is None else self._spans.sent(delivery, hook, send))
        log.info(
            "hook_sent",
            delivery=delivery.id,
            attempt=delivery.attempts,
            hook=created.event,
            status=sent.status,
            error=sent.error,
            latency_ms=sent.latency_ms,
        )
        return sent

    async def _challenge(self, position: int) -> str:
        event = await self._rendering.event(position)
        return event.challenge if isinstance(event, EndpointChallenged) else ""

    async def _rendered(self, delivery: Delivery) -> Body:
        created = delivery.created
        return await self._rendering.body(Hooked(created.plan, created.event, created.raised_by, created.format))

    async def _body(self, delivery: Delivery) -> Body:
        body = await self._rendered(delivery)
        if delivery.version and body.sha256 != delivery.created.sha256:
            # Only a release that renders differently can do this; the receiver is better told so than not at all.
            log.warning(
                "hook_body_differs", delivery=delivery.id, size=len(body.text), size_before=delivery.created.size
            )
        return body

    async def _append(self, delivery: Delivery, events: Sequence[Event], what: str) -> int | None:
        """The position of what we appended; None when somebody else was first. The key names this process, so another
        one's intent is never taken for ours."""
        stream = f"delivery-{delivery.id}"
        self._raised.pop(stream, None)
        key = f"{stream}/{delivery.version}/{what}/{self._owner}"
        outcome = await self._log.append(
            Append(
                stream=stream,
                expected=delivery.version,
                principal=_ACTOR,
                key=key,
                fingerprint=fingerprint_of(key),
                events=tuple(Draft(*encode(event)) for event in events),
                at=self._clock.now(),
                actor=_ACTOR,
                channel="system",
                cause=delivery.position,
            )
        )
        return outcome.last if isinstance(outcome, Appended | Seen) else None
