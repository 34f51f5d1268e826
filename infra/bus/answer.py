"""A reply on every path: whatever a handler does, the asker learns of it at once instead of waiting for a timeout.

A failure of ours travels as `{"failed": <why>}`: `malformed` (the body is no command; asking again is useless),
`unavailable` (the database or the like; the same request may be sent again), `error` (a fault in the service, told in
its log), `stopping` (handed back by a service that ends; send again). It carries no detail, since it may reach outside.
"""

from collections.abc import Awaitable, Callable

import msgspec
import structlog

from infra.errors import Unavailable

log = structlog.get_logger()

Handler = Callable[[bytes], Awaitable[bytes]]
"""Turns the body of a request into the body of its reply."""


class Failure(msgspec.Struct, frozen=True):
    """The reply of a service that could not decide: `malformed`, `unavailable`, `error` or `stopping`."""

    failed: str


async def answer(service: str, handler: Handler, body: bytes) -> bytes:
    """The handler's reply, or a `Failure`. Raises nothing but cancellation."""
    try:
        return await handler(body)
    except msgspec.DecodeError as error:
        log.warning("command_malformed", service=service, error=str(error), size_bytes=len(body))
        return failure("malformed")
    except Unavailable as error:
        log.warning("command_not_done", service=service, error=str(error))
        return failure("unavailable")
    except Exception:
        log.exception("command_failed", service=service)
        return failure("error")


def failure(why: str) -> bytes:
    """The body of a reply that says that no answer could be found."""
    return msgspec.json.encode(Failure(why))
