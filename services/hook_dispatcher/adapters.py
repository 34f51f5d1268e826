"""Sends hooks: one POST, signed, to an address that may be reached, and what came of it in a few words.

It follows no redirect and no proxy, keeps no cookie, unpacks nothing, reads at most a few kB of the answer, and waits
only so long. It never raises for what a receiver or the net does: that is an outcome.
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any

import aiohttp
import msgspec
import structlog
from aiohttp import ClientConnectorDNSError, ClientSSLError, InvalidURL

from contracts.delivery import DeliveryError
from contracts.webhooks import signature
from infra.addresses import Blocked, Network, guarded_sockets
from services.hook_dispatcher.decider.deliveries import Sent

log = structlog.get_logger(__name__)

_ANSWER_BYTES = 4_096
_DETAIL = 200
_HEADER_BYTES = 16_384
_CONNECTIONS_PER_HOST = 8


class Hook(msgspec.Struct, frozen=True):
    """What to send where. `sent_at` in Unix seconds. Without a key it goes unsigned."""

    delivery: str
    raised: str
    url: str
    body: bytes
    sent_at: int
    key: bytes | None = None


class Sender:
    """One session for all hooks. `close` when the dispatcher ends."""

    def __init__(self, *, allow: tuple[Network, ...], timeout_seconds: float, instance_url: str) -> None:
        self._allow = allow
        self._timeout_seconds = timeout_seconds
        self._instance_url = instance_url
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, hook: Hook) -> Sent:
        """The outcome. Raises nothing but cancellation."""
        began = asyncio.get_running_loop().time()
        try:
            sent = await self._post(hook)
        except Exception as error:
            kind = kind_of(error)
            if kind == "other":
                log.warning("hook_not_sent", delivery=hook.delivery, error=type(error).__name__)
            sent = Sent(error=kind, detail=_detail_of(error, kind))
        latency_ms = int((asyncio.get_running_loop().time() - began) * 1_000)
        return msgspec.structs.replace(sent, latency_ms=latency_ms)

    async def _post(self, hook: Hook) -> Sent:
        async with self._open().post(
            hook.url, data=hook.body, headers=headers(hook, self._instance_url), allow_redirects=False
        ) as answer:
            if 200 <= answer.status < 300:
                return Sent(status=answer.status)
            text = (await answer.content.read(_ANSWER_BYTES)).decode("utf-8", "replace")
            return Sent(
                status=answer.status,
                detail=_short(text) or answer.reason or "",
                retry_after_seconds=retry_after(answer.headers.get("Retry-After")),
            )

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                socket_factory=guarded_sockets(self._allow), limit=0, limit_per_host=_CONNECTIONS_PER_HOST
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=self._timeout_seconds),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                max_line_size=_HEADER_BYTES,
                max_field_size=_HEADER_BYTES,
                trust_env=False,
            )
        return self._session


def headers(hook: Hook, instance_url: str) -> dict[str, str]:
    """Standard Webhooks 1.0.0, and those of the reference but one: its `X-Zadig-Token` is the secret in the clear.

    The reference's two UUIDs are new for each request; ours stay the same with every attempt, so they can be relied on.
    """
    found = {
        "Content-Type": "application/json",
        "User-Agent": "GoNoGo",
        "webhook-id": hook.delivery,
        "webhook-timestamp": str(hook.sent_at),
        "X-Zadig-Event": "release_plan",
        "X-Zadig-Event-UUID": hook.raised,
        "X-Zadig-Webhook-UUID": hook.delivery,
        "X-Zadig-Instance": instance_url,
    }
    if hook.key is not None:
        found["webhook-signature"] = signature(hook.key, hook.delivery, hook.sent_at, hook.body)
    return found


def retry_after(value: str | None) -> float | None:
    """Seconds (RFC 9110, 10.2.3). The form with a date is not honoured: it needs the receiver's clock to be right."""
    return float(value) if value is not None and value.isascii() and value.isdigit() and len(value) < 10 else None


def kind_of(error: BaseException) -> DeliveryError:
    """The class of a failure to send."""
    inner: Any = getattr(error, "os_error", None)
    match error:
        case TimeoutError():
            return "timeout"
        case ClientConnectorDNSError():
            return "name"
        case ClientSSLError() | ssl.SSLError():
            return "tls"
        case _ if _has(error, Blocked) or _has(inner, Blocked):
            return "blocked_address"
        case aiohttp.ClientConnectorError() | ConnectionRefusedError():
            return "refused"
        case InvalidURL() | aiohttp.InvalidUrlClientError() | ValueError():
            return "other"
        case aiohttp.ClientError() | OSError():
            return "connection"
        case _:
            return "other"


def _has(error: object, kind: type[BaseException]) -> bool:
    """Several addresses give a group of errors; one that was blocked names the reason better than one refused."""
    if isinstance(error, BaseExceptionGroup):
        return any(_has(inner, kind) for inner in error.exceptions)
    return isinstance(error, kind)


_SAID: Mapping[DeliveryError, str] = {
    "timeout": "no answer in time",
    "name": "the host has no address",
    "blocked_address": "the host's address is not one that hooks may go to",
    "refused": "nobody listens there",
    "tls": "no trusted connection",
    "connection": "the connection broke",
}


def _detail_of(error: BaseException, kind: DeliveryError) -> str:
    return _SAID.get(kind) or type(error).__name__


def _short(text: str) -> str:
    """One printable line: it goes into the record."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _DETAIL else line[: _DETAIL - 1] + "…"
