"""What stands before the door: requests that cannot be read as HTTP. Their answer is a problem all the same.

The parser's own words quote what it stumbled over, and that may be a token with a carriage return behind it. So they
are neither logged nor sent back: the log has the kind of the fault, the answer what is wrong and what to do about it.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from aiohttp import http_exceptions, web

from services.gateway import problems
from services.gateway.metrics import Metrics
from services.gateway.trace import Trace

log = structlog.get_logger(__name__)

_LONGEST_LINE = 8190
"""Of the address and of each header, in bytes."""


def doorstep(server: web.Server, metrics: Metrics, *, lingering_seconds: float) -> Callable[[], web.RequestHandler]:
    """What a listening socket calls for each connection."""
    loop = asyncio.get_running_loop()

    class Doorstep(web.RequestHandler):
        __slots__ = ()

        def handle_error(
            self,
            request: web.BaseRequest,
            status: int = 500,
            exc: BaseException | None = None,
            message: str | None = None,
        ) -> web.StreamResponse:
            if not isinstance(exc, http_exceptions.HttpProcessingError):
                return super().handle_error(request, status, exc, message)
            if request.writer.output_size > 0:
                raise ConnectionError("an answer is on its way already")
            return _answer(exc, metrics)

        def log_exception(self, *args: Any, **named: Any) -> None:
            if not isinstance(named.get("exc_info"), web.RequestPayloadError):  # a body that nobody asked for
                super().log_exception(*args, **named)

    def connection() -> web.RequestHandler:
        return Doorstep(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # "none" is what it is for
            lingering_time=lingering_seconds,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
        )

    return connection


def _answer(error: http_exceptions.HttpProcessingError, metrics: Metrics) -> web.Response:
    trace = Trace.of(None)
    log.info("http_request_unreadable", fault=type(error).__name__, trace_id=trace.id)
    answer = problems.problem("malformed_request", _told(error), instance="", trace_id=trace.id)
    metrics.count("any", "unknown", answer.status, 0.0)
    answer.force_close()
    return answer


def _told(error: http_exceptions.HttpProcessingError) -> str:
    match error:
        case http_exceptions.LineTooLong():
            return f"The address or a header is longer than {_LONGEST_LINE} bytes; shorten it."
        case http_exceptions.InvalidURLError():
            return "The address has characters that may not stand in one; percent-encode them."
        case http_exceptions.BadHttpMethod() | http_exceptions.BadStatusLine():
            return "The request does not begin as HTTP/1.1 does, with a method, an address and the version."
        case http_exceptions.ContentEncodingError():
            return "The body is not encoded as its Content-Encoding says; gzip and deflate are read here."
        case http_exceptions.TransferEncodingError():
            return "The body is not as its Transfer-Encoding says."
        case _:
            kind = error.message.partition("\n")[0].rstrip(":.")
            return f"The request is not HTTP/1.1: {kind}." if _is_told(kind) else "The request is not HTTP/1.1."


def _is_told(kind: str) -> bool:
    """Whether this names a rule of HTTP; what quotes the request does so with quotes or as bytes."""
    return "b'" not in kind and 'b"' not in kind and len(kind) <= 100
