"""Sends hooks: one POST, signed, to an address that may be reached, and what came of it in a few words.

It follows no redirect and no proxy, keeps no cookie, unpacks nothing, reads at most a few kB of the answer, and waits
only so long. It never raises for what a receiver or the net does: that is an outcome.
"""

import asyncio
import ssl
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import Any, Literal
from urllib.parse import urlsplit

import aiohttp
import msgspec
import structlog
from aiohttp import ClientConnectorDNSError, ClientSSLError, InvalidURL
from aiohttp.abc import AbstractResolver

from contracts.cloud_event import CONTENT_TYPE
from contracts.delivery import DeliveryError
from contracts.hook_address import address_faults
from infra.addresses import Blocked, Network, Reach, guarded_sockets
from infra.signing import SigningKey, signatures
from services.hook_dispatcher.decider.deliveries import Sent

log = structlog.get_logger(__name__)

_ANSWER_BYTES = 4_096
_DETAIL = 200
_HEADER_BYTES = 16_384
_READING_SECONDS = 2.0
"""How long an answer's body is waited for once its status is known."""


_REMEMBERED = 2_000
"""Addresses whose session is known."""
_STALE_SECONDS = 1.0
"""A kept connection that breaks sooner was closed before; later the receiver had the hook and failed."""


class Hook(msgspec.Struct, frozen=True):
    """What to send where. `sent_at` in Unix seconds. Without keys it goes unsigned; with several it has as many signatures.

    With a `challenge` the answer must repeat it. `traceparent` names the attempt where traces are kept.
    """

    delivery: str
    raised: str
    url: str
    body: bytes
    sent_at: int
    keys: tuple[SigningKey, ...] = ()
    format: Literal["zadig", "standard"] = "zadig"
    challenge: str = ""
    traceparent: str = ""


class Sender:
    """One session for all hooks, and another for hosts that may lie where others may not. `close` when the dispatcher
    ends. `resolver` is for tests."""

    def __init__(
        self,
        *,
        reach: Reach,
        timeout_seconds: float,
        instance_url: str,
        connect_seconds: float = 5.0,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._reach = reach
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=min(connect_seconds, timeout_seconds))
        self._instance_url = instance_url
        self._resolver = resolver
        self._sessions: dict[tuple[Network, ...], aiohttp.ClientSession] = {}
        self._session_of: dict[str, aiohttp.ClientSession] = {}

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()

    async def send(self, hook: Hook) -> Sent:
        """The outcome. Raises nothing but cancellation."""
        began = asyncio.get_running_loop().time()
        try:
            sent = await self._posted(hook, began + _STALE_SECONDS)
        except Exception as error:
            kind = kind_of(error)
            if kind == "other":
                log.warning("hook_not_sent", delivery=hook.delivery, error=type(error).__name__)
            sent = Sent(error=kind, detail=_detail_of(error, kind))
        latency_ms = int((asyncio.get_running_loop().time() - began) * 1_000)
        return msgspec.structs.replace(sent, latency_ms=latency_ms)

    async def _posted(self, hook: Hook, until: float) -> Sent:
        """Again over a new connection where a kept one breaks at once: the receiver had closed it, nothing has failed."""
        session = self._session_for(hook.url)
        while True:
            connection = _Connection()
            try:
                return await self._post(session, hook, connection)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                if not connection.kept or asyncio.get_running_loop().time() > until:
                    raise

    async def _post(self, session: aiohttp.ClientSession, hook: Hook, connection: "_Connection") -> Sent:
        async with session.post(
            hook.url,
            data=hook.body,
            headers=headers(hook, self._instance_url),
            allow_redirects=False,
            trace_request_ctx=connection,
        ) as answer:
            taken = 200 <= answer.status < 300
            if taken and not hook.challenge:
                return Sent(status=answer.status)  # what else it says need not be waited for
            text = await _beginning(answer)
            if taken and not echoes(text, hook.challenge):
                return Sent(status=answer.status, error="challenge", detail="the answer does not repeat the challenge")
            return Sent(
                status=answer.status,
                detail=_short(text) or answer.reason or "",
                retry_after_seconds=retry_after(
                    answer.headers.get("Retry-After"), answer.headers.get("Date"), hook.sent_at
                ),
            )

    def _session_for(self, url: str) -> aiohttp.ClientSession:
        """Raises Blocked for an address that none may have; an older release may have taken it."""
        session = self._session_of.get(url)
        if session is None:
            if faults := address_faults(url):
                raise Blocked(0, f"the address {faults[0]}")
            networks = self._reach.networks_for(urlsplit(url).hostname or "")
            session = self._sessions[networks] = self._sessions.get(networks) or self._open(networks)
            if len(self._session_of) >= _REMEMBERED:
                self._session_of.clear()
            self._session_of[url] = session
        return session

    def _open(self, networks: tuple[Network, ...]) -> aiohttp.ClientSession:
        # How many go where at once is for the lanes to say: whoever queued for a connection here would lose its time.
        connector = aiohttp.TCPConnector(
            socket_factory=guarded_sockets(networks, self._reach.ports),
            resolver=self._resolver,
            limit=0,
        )
        return aiohttp.ClientSession(
            connector=connector,
            timeout=self._timeout,
            trace_configs=[_telling_kept()],
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_line_size=_HEADER_BYTES,
            max_field_size=_HEADER_BYTES,
            trust_env=False,
        )


class _Connection:
    """Of one request: whether its connection had been used before."""

    kept = False


def _telling_kept() -> aiohttp.TraceConfig:
    """Has the session say of each request's connection whether it was kept from an earlier one."""
    config = aiohttp.TraceConfig()

    async def kept(_: aiohttp.ClientSession, around: SimpleNamespace, __: object) -> None:
        around.trace_request_ctx.kept = True

    config.on_connection_reuseconn.append(kept)
    return config


async def _beginning(answer: aiohttp.ClientResponse) -> str:
    """The first bytes of the answer. One that begins and does not go on is known by its status all the same."""
    read = b""
    try:
        async with asyncio.timeout(_READING_SECONDS):
            while len(read) < _ANSWER_BYTES and (part := await answer.content.read(_ANSWER_BYTES - len(read))):
                read += part
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
        pass
    return read.decode("utf-8", "replace")


def echoes(text: str, challenge: str) -> bool:
    """Whether an answer repeats the challenge: alone, or as JSON `{"challenge": "..."}`. Without one all answers do."""
    if not challenge or text.strip() == challenge:
        return True
    try:
        said = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return False
    return isinstance(said, dict) and said.get("challenge") == challenge


def headers(hook: Hook, instance_url: str) -> dict[str, str]:
    """Standard Webhooks 1.0.0, and for the reference's format its own but one: its `X-Zadig-Token` is the secret in the clear.

    The reference's two UUIDs are new for each request; ours stay the same with every attempt, so they can be relied on.
    """
    found = {
        "Content-Type": "application/json" if hook.format == "zadig" else CONTENT_TYPE,
        "User-Agent": "GoNoGo",
        "webhook-id": hook.delivery,
        "webhook-timestamp": str(hook.sent_at),
    }
    if hook.format == "zadig":
        found |= {
            "X-Zadig-Event": "release_plan",
            "X-Zadig-Event-UUID": hook.raised,
            "X-Zadig-Webhook-UUID": hook.delivery,
            "X-Zadig-Instance": instance_url,
        }
    if hook.traceparent:
        found["traceparent"] = hook.traceparent
    if hook.keys:
        found["webhook-signature"] = signatures(hook.keys, hook.delivery, hook.sent_at, hook.body)
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
