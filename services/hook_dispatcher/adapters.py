"""Sends hooks: one POST, signed, to an address that may be reached, and what came of it in a few words.

It follows no redirect and no proxy, keeps no cookie, unpacks nothing, reads at most a few kB of the answer, and waits
only so long. It never raises for what a receiver or the net does: that is an outcome.
"""

import asyncio
import ssl
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
import structlog
from aiohttp import ClientConnectorDNSError, ClientSSLError, InvalidURL
from aiohttp.abc import AbstractResolver

from contracts.delivery import DeliveryError
from contracts.hook_address import address_faults
from contracts.webhooks import signature
from infra.addresses import Blocked, Network, Reach, guarded_sockets
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
    """One session for all hooks, and another for hosts that may lie where others may not. `close` when the dispatcher
    ends. `resolver` is for tests."""

    def __init__(
        self, *, reach: Reach, timeout_seconds: float, instance_url: str, resolver: AbstractResolver | None = None
    ) -> None:
        self._reach = reach
        self._timeout_seconds = timeout_seconds
        self._instance_url = instance_url
        self._resolver = resolver
        self._sessions: dict[tuple[Network, ...], aiohttp.ClientSession] = {}

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()

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
        if faults := address_faults(
            hook.url
        ):  # an endpoint of an older release may have an address that none may have now
            raise Blocked(0, f"the address {faults[0]}")
        async with self._session_for(hook.url).post(
            hook.url, data=hook.body, headers=headers(hook, self._instance_url), allow_redirects=False
        ) as answer:
            if 200 <= answer.status < 300:
                return Sent(status=answer.status)
            return Sent(
                status=answer.status,
                detail=_short(await _beginning(answer)) or _short(answer.reason or ""),
                retry_after_seconds=retry_after(
                    answer.headers.get("Retry-After"), answer.headers.get("Date"), hook.sent_at
                ),
            )

    def _session_for(self, url: str) -> aiohttp.ClientSession:
        networks = self._reach.networks_for(urlsplit(url).hostname or "")
        if networks not in self._sessions:
            self._sessions[networks] = self._open(networks)
        return self._sessions[networks]

    def _open(self, networks: tuple[Network, ...]) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            socket_factory=guarded_sockets(networks, self._reach.ports),
            resolver=self._resolver,
            limit=0,
            limit_per_host=_CONNECTIONS_PER_HOST,
        )
        return aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=self._timeout_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_line_size=_HEADER_BYTES,
            max_field_size=_HEADER_BYTES,
            trust_env=False,
        )


async def _beginning(answer: aiohttp.ClientResponse) -> str:
    """The first of what the receiver says. That it does not come to an end does not unsay its status."""
    try:
        return (await answer.content.read(_ANSWER_BYTES)).decode("utf-8", "replace")
    except (aiohttp.ClientError, TimeoutError, OSError):
        return ""


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


def retry_after(value: str | None, date: str | None = None, sent_at: int = 0) -> float | None:
    """Seconds (RFC 9110, 10.2.3). A date counts from the answer's own `Date`, so that the receiver's clock may be wrong;
    without one from `sent_at` (Unix seconds)."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value) if len(value) < 10 else None
    until = _moment(value)
    return None if until is None else max(0.0, until - (_moment(date or "") or sent_at))


def _moment(text: str) -> float | None:
    """Unix seconds of an HTTP date; None of anything else."""
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


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
