"""From an HTTP request to a command on the bus, and from its reply to an answer.

The fingerprint covers what the asker sent and nothing that we add, so an honest repetition is known as one. The key and
the bytes are the same in every try, so sending again is always safe.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec
from aiohttp import web

from contracts.commands import SERVICE_OF, Accepted, AnyCommand, Denied, Failed, Request
from contracts.http import Done
from contracts.refusals import Refused
from infra.clock import Clock
from infra.errors import Unavailable
from infra.ids import random_id
from infra.limits import MESSAGE_BYTES
from infra.requests import decode_reply, encode_request, fingerprint_of
from services.gateway.bodies import idempotency_key, if_match, refuse_repeated
from services.gateway.route import Call

_TRY_SECONDS = 1.0
_SECONDS_A_BYTE = 2 / 2**20
"""A plan of ten thousand items takes a while to be checked and stored; asking again before that makes it slower."""

_encode = msgspec.json.Encoder().encode


class Asks(Protocol):
    """The part of the bus that the gateway needs. Raises Unavailable."""

    async def request(self, service: str, body: bytes, *, timeout: float = ...) -> bytes: ...


class Order(msgspec.Struct, frozen=True):
    """What surrounds a command: the asker's key, the fingerprint of what was sent, the version insisted on."""

    key: str
    fingerprint: bytes
    if_match: int | None


def order_of(call: Call, body: bytes) -> Order:
    """Raises Refused for headers that are wrong or missing."""
    request = call.request
    headers = request.headers
    refuse_repeated(request)
    key = idempotency_key(headers) or random_id()
    version = if_match(headers, required=call.route.if_match == "required")
    given = headers.get("If-Match", "")
    return Order(key, fingerprint_of(call.actor.id, request.method, request.path_qs, body, given), version)


def question() -> Order:
    """What surrounds a question: nothing is kept of it, so it needs no key."""
    return Order(random_id(), b"", None)


class Orders:
    """Sends commands to the services that answer them."""

    def __init__(self, bus: Asks, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock

    async def send(self, call: Call, order: Order, command: AnyCommand) -> Accepted:
        """The service's yes. Raises Refused for its no, Unavailable when it cannot say."""
        service = SERVICE_OF[type(command)]
        request = Request(
            command,
            call.actor,
            order.key,
            order.fingerprint,
            self._clock.now(),
            if_match=order.if_match,
            trace=call.trace.parent,
        )
        body = encode_request(request)
        if len(body) > MESSAGE_BYTES:
            raise _too_large(len(body), MESSAGE_BYTES)
        try:
            reply = await self._bus.request(service, body, timeout=_TRY_SECONDS + len(body) * _SECONDS_A_BYTE)
        except ValueError:  # a bus of somebody else's, which carries less
            raise _too_large(len(body), None) from None
        return _verdict(service, reply)


def _too_large(size: int, largest: int | None) -> Refused:
    limit = f"; at most {largest} are carried" if largest else ""
    detail = f"The order would have {size} bytes on its way to the service{limit}."
    return Refused("body_too_large", detail, largest_bytes=largest)


def _verdict(service: str, body: bytes) -> Accepted:
    try:
        reply = decode_reply(body)
    except msgspec.DecodeError:  # the bus's own word that no answer could be found
        raise Unavailable(service) from None
    match reply:
        case Accepted():
            return reply
        case Failed():
            raise Unavailable(service, reply.retry_after_seconds)
        case Denied():
            refused = Refused("forbidden", reply.detail, reply.faults)
            refused.code, refused.facts = reply.code, dict(reply.facts)  # a newer service may know more codes than we
            raise refused


def done(accepted: Accepted, id_: str, *, created_at: str = "") -> web.Response:
    """The answer to an accepted command; with `created_at` a 201 that says where the new thing is."""
    body = Done(**facts_of(accepted, id_))
    return answered(accepted, body, created_at=created_at)


def facts_of(accepted: Accepted, id_: str) -> dict[str, Any]:
    """The fields of `Done`, for an answer that has more than those."""
    return {"id": id_, "version": accepted.version, "position": accepted.position, "changed": accepted.changed}


def answered(accepted: Accepted, body: Any, *, created_at: str = "") -> web.Response:
    """The answer to an accepted command whose body is another one than usual; `created_at` as of `done`."""
    headers = _headers(accepted)
    if created_at:
        headers["Location"] = created_at
    return web.Response(body=_encode(body), status=201 if created_at else 200, headers=headers)


def json_answer(body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A value as JSON that nobody may cache without asking again."""
    all_headers = {"Content-Type": "application/json", "Cache-Control": "no-cache", **(headers or {})}
    return web.Response(body=_encode(body), status=status, headers=all_headers)


def _headers(accepted: Accepted) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        "ETag": f'"{accepted.version}"',
        "Gonogo-Position": str(accepted.position),
    }
    if accepted.repeated:
        headers["Idempotent-Replayed"] = "true"
    return headers
