"""Callbacks: who stands behind one that is signed, and what is kept of those that changed nothing.

What is kept stands in a stream of its own, so that the plan's version does not move. Only so many are kept of one plan: a
receiver that has lost its mind fills neither the log nor the record.
"""

import re

import structlog

from contracts.commands import AnswerGate, Request
from contracts.delivery import CallbackRefused, CallbackRepeated
from contracts.endpoint_state import Endpoint
from contracts.hook_commands import Proof
from contracts.plan_events import Event
from contracts.refusals import Refused
from contracts.registry import encode
from infra.commands import Desk
from infra.errors import Misconfigured, Unavailable
from infra.eventlog import Append, Conflict, Draft, EventLog
from infra.ids import derived_id
from infra.postgres import load_sql
from infra.requests import fingerprint_of
from infra.signing import TOLERANCE_SECONDS, signed_by
from services.hook_dispatcher.handlers.keys import Keys
from services.hook_dispatcher.views.delivery import Delivery

log = structlog.get_logger(__name__)

_TRIES = 8
_MOST_KEPT = 1_000
_ID = re.compile(r"[0-9a-f]{24}")


class Proofs:
    """Finds out which endpoint signed a callback."""

    def __init__(self, deliveries: Desk[Delivery], endpoints: Desk[Endpoint], keys: Keys) -> None:
        self._deliveries = deliveries
        self._endpoints = endpoints
        self._keys = keys

    async def endpoint(self, proof: Proof, plan: str, at: int) -> Endpoint:
        """The endpoint whose secret signed this. Raises Refused(unauthenticated), which does not say what was wrong with
        the signature."""
        timestamp = int(proof.timestamp) if re.fullmatch(r"[0-9]{1,12}", proof.timestamp) else 0
        if abs(at // 1_000_000 - timestamp) > TOLERANCE_SECONDS:
            detail = f"The webhook-timestamp is more than {TOLERANCE_SECONDS} s from now; sign anew."
            raise Refused("unauthenticated", detail)
        endpoint = await self._claimed(proof, plan)
        if endpoint is not None and endpoint.active and endpoint.signing == "hmac":
            try:
                keys = await self._keys.of(endpoint)
            except (Misconfigured, ValueError) as error:
                log.error("callback_not_verified", endpoint=endpoint.id, reason=str(error))
                keys = ()
            if signed_by(keys, proof.webhook_id, timestamp, proof.body, proof.signature):
                return endpoint
        raise Refused("unauthenticated", "The signature is not that of an endpoint that got this plan's hooks.")

    async def _claimed(self, proof: Proof, plan: str) -> Endpoint | None:
        """The endpoint that is named, or that the hook went to which is answered."""
        if proof.endpoint:
            return await self._endpoints.read(f"endpoint-{derived_id('endpoint', proof.endpoint)}")
        if not _ID.fullmatch(proof.webhook_id):
            return None
        delivery = await self._deliveries.read(f"delivery-{proof.webhook_id}")
        if delivery is None or delivery.created.plan != plan:
            return None
        return await self._endpoints.read(f"endpoint-{delivery.created.endpoint}")


class Callbacks:
    """Keeps callbacks that changed nothing."""

    def __init__(self, event_log: EventLog) -> None:
        self._log = event_log
        self._version = load_sql("services.hook_dispatcher", "stream_version")

    async def refused(self, request: Request, command: AnswerGate, code: str) -> None:
        """A refused one. The same request is kept once."""
        event = CallbackRefused(
            gate=command.gate, instance_code=command.instance_code, result=command.result, code=code
        )
        await self._keep(request, command.plan, event, f"{request.key}/refused")

    async def repeated(self, request: Request, command: AnswerGate) -> None:
        """A verdict that was given before. Kept once per asker, code and verdict, however often it comes."""
        event = CallbackRepeated(gate=command.gate, instance_code=command.instance_code, result=command.result)
        key = f"callback-{command.plan}/{command.gate}/{command.instance_code}/{command.result}/repeated"
        await self._keep(request, command.plan, event, key)

    async def _keep(self, request: Request, plan: str, event: Event, key: str) -> None:
        stream = f"callback-{plan}"
        for _ in range(_TRIES):
            version = await self._log.pool.fetchval(self._version, stream)
            if version >= _MOST_KEPT:
                log.warning("callback_not_kept", plan=plan, kept=version)
                return
            outcome = await self._log.append(
                Append(
                    stream=stream,
                    expected=version,
                    principal=request.actor.id,
                    key=key,
                    fingerprint=fingerprint_of(stream, key),
                    events=(Draft(*encode(event)),),
                    at=request.at,
                    actor=request.actor.id,
                    channel=request.actor.channel,
                    trace=request.trace,
                )
            )
            if not isinstance(outcome, Conflict):
                return
        raise Unavailable(f"stream {stream}", retry_after_seconds=0.2)
