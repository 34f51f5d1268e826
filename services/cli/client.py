"""A client of the gateway over HTTP: one method per kind of request, retries with the same key, problems as exceptions.

A write carries an Idempotency-Key; when the gateway is away or the connection breaks, the same request goes out again
under the same key until `patience_seconds` are over, so that it is carried out once. It refuses to follow redirects,
because the token would travel with them.
"""

import asyncio
import io
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

import aiohttp
import msgspec

from infra.config import Secret
from infra.ids import random_id
from services.cli.feed import Event, events_of
from services.cli.problems import Away, problem_of

_RETRIED = frozenset({429, 502, 503, 504})
_FIRST_PAUSE_SECONDS = 0.1
_LARGE_BYTES = 1 << 20
_LONGEST_PAUSE_SECONDS = 1.0
_REQUEST = aiohttp.ClientTimeout(total=60, sock_connect=5)
_LONGEST_EVENT_BYTES = 2 * 1024 * 1024
_STREAM = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=60)

Notice = Callable[[str], None]


class Answer(msgspec.Struct, frozen=True):
    """What the gateway answered: a success, since anything else is raised as a `Problem`."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The decoded body. A `Problem` when it is no JSON: then it was no gateway that answered."""
        try:
            return msgspec.json.decode(self.body)
        except msgspec.DecodeError:
            raise Away("What answers at this address is no GoNoGo gateway.") from None

    @property
    def etag(self) -> str:
        return self.headers.get("ETag", "")


class Gateway:
    """A connection to a gateway as one user. Open it with `async with Gateway.open(...)`."""

    def __init__(self, session: aiohttp.ClientSession, url: str, patience_seconds: float, notice: Notice) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._patience_seconds = patience_seconds
        self._notice = notice

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str, token: Secret, *, patience_seconds: float = 5.0, notice: Notice = lambda _: None
    ) -> AsyncIterator[Self]:
        """`notice` hears, once per outage, that we try again."""
        headers = {"Accept": "application/json", "User-Agent": "gonogo-cli"}
        if token:
            headers["Authorization"] = f"Bearer {token.reveal()}"
        async with aiohttp.ClientSession(headers=headers, timeout=_REQUEST, trust_env=False) as session:
            yield cls(session, url, patience_seconds, notice)

    async def get(self, path: str, **query: str | int | None) -> Answer:
        """Reads. Parameters that are None are left out."""
        return await self._exchange("GET", path, query=query)

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str = "",
        if_match: str = "",
        content_type: str = "application/json",
        **query: str | int | None,
    ) -> Answer:
        """Writes, once, however often it has to be sent. `body` is encoded as JSON unless it is bytes."""
        key = key or random_id()
        headers = {"Idempotency-Key": key, "Content-Type": content_type}
        if if_match:
            headers["If-Match"] = if_match
        data = body if isinstance(body, bytes) else msgspec.json.encode({} if body is None else body)
        return await self._exchange(method, path, query=query, headers=headers, data=data, key=key)

    async def feed(self, plan: str | None, after: int | None) -> AsyncIterator[Event]:
        """The live feed after a position, for ever. It resumes after the last event when the connection ends; raises
        `Away` when the gateway stays away longer than our patience."""
        async for event in self.follow("/api/v1/feed", after, plan=plan):
            yield event

    async def follow(self, path: str, after: int | None, **query: str | int | None) -> AsyncIterator[Event]:
        """Any stream of server-sent events, resumed as `feed` is, until the caller has seen enough."""
        params = {name: str(value) for name, value in query.items() if value is not None}
        waiting = self._patience()
        while True:
            headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
            if after is not None:
                headers["Last-Event-ID"] = str(after)
            try:
                async with self._session.get(
                    self._url + path,
                    params=params,
                    headers=headers,
                    timeout=_STREAM,
                    read_bufsize=_LONGEST_EVENT_BYTES,
                    allow_redirects=False,
                ) as response:
                    if response.status in _RETRIED:
                        await waiting.pause(f"it answered {response.status}", _retry_after(response))
                        continue
                    if response.status != 200:
                        raise problem_of(response.status, await response.read())
                    waiting = self._patience()
                    if epoch := response.headers.get("Gonogo-Epoch"):
                        params["epoch"] = epoch  # whoever asks again after a restore is told so, and skips nothing
                    async for event in events_of(response.content):
                        after = event.position
                        yield event
            except (aiohttp.ClientError, TimeoutError) as error:
                await waiting.pause(_why(error))
            else:
                await waiting.pause("the feed ended")

    async def _exchange(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int | None],
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        key: str = "",
    ) -> Answer:
        waiting = self._patience(key)
        params = {name: str(value) for name, value in query.items() if value is not None}
        while True:
            try:
                async with self._session.request(
                    method,
                    self._url + path,
                    params=params,
                    headers=headers,
                    data=_sendable(data),
                    allow_redirects=False,
                ) as response:
                    body, status = await response.read(), response.status
                    if status in _RETRIED:
                        waiting.sure = False
                        reason = problem_of(status, body).sentence
                        await waiting.pause(reason, _retry_after(response))
                        continue
                    if 200 <= status < 300:
                        return Answer(status, response.headers.copy(), body)
                    raise problem_of(status, body)
            except (aiohttp.ClientError, TimeoutError) as error:
                waiting.sure = waiting.sure and isinstance(error, aiohttp.ClientConnectorError)
                await waiting.pause(_why(error))

    def _patience(self, key: str = "") -> "_Patience":
        return _Patience(self._url, self._patience_seconds, self._notice, key)


class _Patience:
    """Waits between tries, longer each time, and gives up when the time is over."""

    def __init__(self, url: str, seconds: float, notice: Notice, key: str) -> None:
        self._url = url
        self._seconds = seconds
        self._notice = notice
        self._key = key
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._pause_seconds = _FIRST_PAUSE_SECONDS
        self._told = False
        self.sure = True
        """Nothing of the request can have got through."""

    async def pause(self, reason: str, asked_seconds: float = 0.0) -> None:
        """Raises `Away` when waiting once more would be too long."""
        loop = asyncio.get_running_loop()
        wait = min(max(asked_seconds, self._pause_seconds), _LONGEST_PAUSE_SECONDS)
        if loop.time() + wait > self._deadline:
            raise Away(
                f"The gateway at {self._url} is not available: {reason.rstrip('.')}.", "" if self.sure else self._key
            )
        if not self._told:
            self._told = True
            self._notice(f"{self._url} is not available ({reason.rstrip('.')}); trying again for {self._seconds:.0f} s")
        await asyncio.sleep(wait)
        self._pause_seconds = min(self._pause_seconds * 2, _LONGEST_PAUSE_SECONDS)


def _sendable(data: bytes | None) -> bytes | io.BytesIO | None:
    """A large body in pieces: written at once it would hold up everything else."""
    return io.BytesIO(data) if data is not None and len(data) > _LARGE_BYTES else data


def _retry_after(response: aiohttp.ClientResponse) -> float:
    text = response.headers.get("Retry-After", "")
    try:
        return max(0.0, float(text))
    except ValueError:  # absent, or a date: our own pause will do
        return 0.0


def _why(error: Exception) -> str:
    """The reason in a few words. Some of these exceptions have an empty text."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return "its certificate is not one to trust"
        case aiohttp.ClientConnectorSSLError():
            return "it does not speak TLS"
        case aiohttp.ClientConnectorError():
            return os.strerror(error.errno).lower() if error.errno else "no connection"
        case TimeoutError():
            return "no answer in time"
        case aiohttp.InvalidURL():
            return "not an address"
        case _:
            return "the connection broke"
