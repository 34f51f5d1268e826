"""Commands as they travel: bytes in, one handler per command, bytes out. Every path ends in a reply."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import structlog

from contracts.commands import Accepted, Actor, AnyCommand, Denied, Failed, Reply, Request
from contracts.refusals import Refused
from infra.errors import Unavailable
from infra.eventlog.errors import TooLarge
from infra.tail import database_away

log = structlog.get_logger(__name__)

Handler = Callable[[Request], Awaitable[Accepted]]

_decode_request = msgspec.json.Decoder(Request).decode
_decode_reply: Callable[[bytes], Reply] = msgspec.json.Decoder(Reply).decode
_encode = msgspec.json.Encoder().encode


class Requests:
    """Answers the requests of one service. `handlers` has one entry per command type that the service owns."""

    def __init__(self, service: str, handlers: Mapping[Any, Handler]) -> None:
        self._service = service
        self._handlers = handlers

    async def __call__(self, body: bytes) -> bytes:
        """The encoded `Reply` to an encoded `Request`. Never raises."""
        return _encode(await self._reply(body))

    async def _reply(self, body: bytes) -> Reply:
        try:
            request = _decode_request(body)
        except msgspec.DecodeError as error:
            return Denied("malformed_body", f"Not a request: {error}")
        handler = self._handlers.get(type(request.command))
        if handler is None:
            return Denied("not_found", f"{self._service} does not answer {type(request.command).__name__}")
        try:
            return await handler(request)
        except Refused as refused:
            return Denied(refused.code, refused.detail, refused.faults, refused.facts)
        except TooLarge as large:
            return Denied("body_too_large", f"What is to be stored is larger than the log takes: {large}.")
        except Unavailable as unavailable:
            return Failed(str(unavailable), unavailable.retry_after_seconds)
        except Exception as error:
            if database_away(error):
                log.warning("command_waits", service=self._service, error=repr(error))
                return Failed("The database does not answer.")
            log.exception("command_failed", service=self._service, command=type(request.command).__name__)
            return Failed("The service met an unexpected fault; it is logged.")


def encode_request(request: Request) -> bytes:
    """The bytes that travel."""
    return _encode(request)


def decode_reply(body: bytes) -> Reply:
    """What came back."""
    return _decode_reply(body)


def system_request(command: AnyCommand, service: str, key: str, at: int, trace: str = "") -> Request:
    """A request that a service makes of itself. The key is derived from what it reacts to, so it acts once."""
    actor = Actor(id=f"service:{service}", administrator=True, channel="system")
    return Request(command, actor, key, fingerprint_of(service, key), at, trace=trace)


def fingerprint_of(*parts: Any) -> bytes:
    """SHA-256 of what an asker sent. Never give it a time or an id that we added."""
    return hashlib.sha256(msgspec.json.encode(parts)).digest()
