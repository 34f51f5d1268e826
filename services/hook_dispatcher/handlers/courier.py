"""Looks at a delivery and brings it on: begins its stream, makes the attempt that is due, records what came of it.

An attempt is intent, request, outcome. The version of the delivery's stream is the fence: whoever appends the intent
makes the attempt, and an owner that was away too long cannot append its outcome. At least once, under one id.
"""

import asyncio
import hashlib
import random
from collections.abc import Sequence

import structlog
from msgspec.structs import replace

from contracts.delivery import DeliveryCreated, EndpointPut
from contracts.envelope import stream_id
from contracts.plan_events import Event
from contracts.registry import encode
from contracts.webhooks import key_of
from infra.clock import Clock
from infra.commands import Desk
from infra.errors import Misconfigured
from infra.eventlog import Append, Appended, Draft, EventLog, Seen
from infra.ids import derived_id, random_id
from infra.keystore import KeyStore
from infra.postgres import load_sql
from infra.requests import fingerprint_of
from services.hook_dispatcher.adapters import Hook, Sender
from services.hook_dispatcher.decider import deliveries
from services.hook_dispatcher.decider.deliveries import Patience, Sent, next_step
from services.hook_dispatcher.handlers.alarms import Alarms, Lanes
from services.hook_dispatcher.handlers.rendering import Hooked, Rendering
from services.hook_dispatcher.views.delivery import Delivery
from services.hook_dispatcher.views.endpoint import Endpoint

log = structlog.get_logger(__name__)

_ACTOR = "service:hook_dispatcher"
_MARGIN_SECONDS = 2.0  # from the request's time limit to the end of the attempt: time to append the outcome


class Courier:
    """One look at a delivery. `look` returns when there is nothing to do just now."""

    def __init__(
        self,
        event_log: EventLog,
        desks: tuple[Desk[Delivery], Desk[Endpoint]],
        key_store: KeyStore | None,
        sender: Sender,
        clock: Clock,
        *,
        patience: Patience,
        timeout_seconds: float,
    ) -> None:
        self._log = event_log
        self._deliveries, self._endpoints = desks
        self._key_store = key_store
        self._sender = sender
        self._clock = clock
        self._patience = patience
        self._attempt_micros = int((timeout_seconds + _MARGIN_SECONDS) * 1_000_000)
        self._rendering = Rendering(event_log.read_stream)
        self._read_rows = load_sql("services.hook_dispatcher", "read_deliveries")
        self._owner = random_id()

    async def look(self, stream: str, alarms: Alarms, lanes: Lanes) -> None:
        """Bring this delivery as far as it gets now."""
        while True:
            delivery = await self._deliveries.read(stream)
            if delivery is None:
                if not await self._begin(stream):
                    return
                continue
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
                    if not lanes.enter(delivery.created.endpoint, stream):
                        return
                    try:
                        await self._try(delivery)
                    finally:
                        lanes.leave(delivery.created.endpoint)

    async def _begin(self, stream: str) -> bool:
        """The first fact of a delivery whose hook is due. False: it is not."""
        rows = await self._log.pool.fetch(self._read_rows, [stream_id(stream)])
        if not rows:
            return False
        row = rows[0]
        body = await self._rendering.body(Hooked(row["plan"], row["event"], row["raised_by"]))
        created = DeliveryCreated(
            plan=row["plan"],
            event=row["event"],
            round=row["round"],
            endpoint=row["endpoint"],
            raised_by=row["raised_by"],
            size=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
        )
        await self._log.append(self._command(stream, 0, (created,), f"{stream}/created", created.raised_by))
        return True

    async def _try(self, delivery: Delivery) -> None:
        """One attempt, if it is ours to make."""
        endpoint = await self._endpoints.read(f"endpoint-{delivery.created.endpoint}")
        if endpoint is None or not endpoint.put.enabled:
            await self._append(delivery, deliveries.no_endpoint(delivery), "off")
            return
        body = await self._body(delivery)
        intent = deliveries.attempt(delivery, self._clock.now() + self._attempt_micros)
        position = await self._append(delivery, intent, "attempt")
        if position is None:
            return
        begun = replace(
            delivery,
            attempts=delivery.attempts + 1,
            tries=delivery.tries + 1,
            version=delivery.version + 1,
            position=position,
        )
        try:
            sent = await self._send(begun, endpoint.put, body)
        except asyncio.CancelledError:
            events = deliveries.interrupted(begun, self._clock.now(), self._patience)
            await asyncio.shield(self._append(begun, events, "outcome"))
            raise
        events = deliveries.outcome(begun, sent, self._clock.now(), random.random(), self._patience)  # noqa: S311 - jitter
        if await self._append(begun, events, "outcome") is None:
            log.warning("outcome_too_late", delivery=delivery.id, attempt=begun.attempts, status=sent.status)

    async def _send(self, delivery: Delivery, endpoint: EndpointPut, body: bytes) -> Sent:
        try:
            key = await self._key(endpoint.secret_ref)
        except (Misconfigured, ValueError) as error:
            log.error("hook_not_signed", delivery=delivery.id, endpoint=delivery.created.endpoint, reason=str(error))
            return Sent(error="secret", detail="its signing secret cannot be used")
        created = delivery.created
        sent = await self._sender.send(
            Hook(
                delivery=delivery.id,
                raised=derived_id("hook", created.plan, str(created.raised_by)),
                url=endpoint.url,
                body=body,
                sent_at=self._clock.now() // 1_000_000,
                key=key,
            )
        )
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

    async def _key(self, secret_ref: str) -> bytes | None:
        """The signing key; None for an endpoint without a secret. Raises Misconfigured or ValueError."""
        if not secret_ref:
            return None
        if self._key_store is None:
            raise Misconfigured("there is no master key, so no hook can be signed")
        secret = await self._key_store.get(secret_ref)
        if secret is None:
            raise Misconfigured(f"there is no secret {secret_ref!r}")
        return key_of(secret.reveal())

    async def _body(self, delivery: Delivery) -> bytes:
        created = delivery.created
        body = await self._rendering.body(Hooked(created.plan, created.event, created.raised_by))
        if hashlib.sha256(body).hexdigest() != created.sha256:
            # Only a release that renders differently can do this; the receiver is better told so than not at all.
            log.warning("hook_body_differs", delivery=delivery.id, size=len(body), size_before=created.size)
        return body

    async def _append(self, delivery: Delivery, events: Sequence[Event], what: str) -> int | None:
        """The position of what we appended; None when somebody else was first. The key names this process, so another
        one's intent is never taken for ours."""
        stream = f"delivery-{delivery.id}"
        key = f"{stream}/{delivery.version}/{what}/{self._owner}"
        outcome = await self._log.append(self._command(stream, delivery.version, events, key, delivery.position))
        return outcome.last if isinstance(outcome, Appended | Seen) else None

    def _command(self, stream: str, expected: int, events: Sequence[Event], key: str, cause: int) -> Append:
        return Append(
            stream=stream,
            expected=expected,
            principal=_ACTOR,
            key=key,
            fingerprint=fingerprint_of(key),
            events=tuple(Draft(*encode(event)) for event in events),
            at=self._clock.now(),
            actor=_ACTOR,
            channel="system",
            cause=cause,
        )
