"""A reply on every path: whatever a handler does, the asker learns of it at once instead of waiting for a timeout.

This is the last resort, in the words of `contracts.commands.Reply`: a body that cannot be read is `Denied`, anything else
that goes wrong is `Failed`, without detail of ours, since it may reach outside; our log has it. A handler that answers
its own failures (see `infra.requests`) never gets here.
"""

from collections.abc import Awaitable, Callable

import msgspec
import structlog

from contracts.commands import Denied, Failed
from infra.errors import Unavailable

log = structlog.get_logger()

Handler = Callable[[bytes], Awaitable[bytes]]
"""Turns the body of a request into the body of its reply."""


async def answer(service: str, handler: Handler, body: bytes) -> bytes:
    """The handler's reply, or one that says why there is none. Raises nothing but cancellation."""
    try:
        return await handler(body)
    except msgspec.DecodeError as error:
        log.warning("command_malformed", service=service, error=str(error), size_bytes=len(body))
        return msgspec.json.encode(Denied("malformed_body", f"Not a request: {error}"))
    except Unavailable as error:
        log.warning("command_not_done", service=service, error=str(error))
        return failure(str(error), error.retry_after_seconds)
    except Exception:
        log.exception("command_failed", service=service)
        return failure("The service met an unexpected fault; it is logged.")


def failure(detail: str, retry_after_seconds: float = 1.0) -> bytes:
    """The body of a reply that says that nothing was decided, or that it is not known."""
    return msgspec.json.encode(Failed(detail, retry_after_seconds))
