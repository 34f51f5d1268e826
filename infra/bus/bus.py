"""The connection of a service to the bus: it answers commands, hears wake-ups, asks other services.

A NATS that is away is waited for, at the start and later, for ever; `connected` says how it is, and a change is told
once. A request is sent again with the very same bytes, since commands carry their own id; when the time is up the asker
gets `Unavailable`. Nothing is kept for a service that is away: the log is the memory, not the bus.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError

from contracts.subjects import WAKE, command_subject
from infra.bus.answer import Handler
from infra.bus.inbox import Inbox, Question
from infra.config import Secret
from infra.errors import Unavailable

if TYPE_CHECKING:
    from infra.telemetry.tracing import Tracing

log = structlog.get_logger()

_RECONNECT_SECONDS = 0.25
_NOBODY_SECONDS = 0.05
_FLUSH_SECONDS = 5
_LOST = "bus"


class Link(Protocol):
    """One connection to NATS, made with nats-py's options."""

    @property
    def client(self) -> Client: ...

    async def start(self) -> None: ...

    async def drain(self, grace_seconds: float) -> None:
        """Take no more requests, answer those taken."""

    async def stop(self) -> None: ...


class Asking:
    """The link of a service that answers nobody: nats-py alone. FastStream would be 26 MB for nothing."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.client = Client()

        async def connect() -> None:  # the password is among the options: nobody's attributes show it
            await self.client.connect(**options)

        self._connect = connect

    async def start(self) -> None:
        await self._connect()

    async def drain(self, grace_seconds: float) -> None:
        """Nobody asks us."""

    async def stop(self) -> None:
        await self.client.close()


class Bus:
    """One connection. Declare with `serve` and `on_wake`, then `start`; `stop` drains.

    With `tracing` requests are spans, at who asks and at who answers. FastStream's own middleware would see the half of
    them, since who asks does so without FastStream.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        user: str = "",
        password: str = "",
        max_workers: int = 64,
        middlewares: Sequence[Any] = (),
    ) -> None:
        """`name` is shown by the server. `middlewares` are FastStream's; with any, messages take its slower way."""
        self._url = url
        self._name = name
        self._user, self._password = user, Secret(password)
        self._max_workers = max_workers
        self._middlewares = middlewares
        self._served: dict[str, Handler] = {}
        self._wakes: list[Callable[[], None]] = []
        self._heard: dict[str, Callable[[bytes], object]] = {}
        self.tracing: Tracing | None = None
        self._link: Link | None = None
        self._inbox: Inbox | None = None
        self._up = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """True while the server is reached and the subscriptions stand."""
        return self._up.is_set()

    def serve(self, service: str, handler: Handler) -> None:
        """Answer the service's commands, in one queue group with all its other processes. Before `start`."""
        self._served[service] = handler

    def on_wake(self, callback: Callable[[], None]) -> None:
        """Call this (best: `Wake.set`) when the log has grown, and when the connection is new. Before `start`."""
        self._wakes.append(callback)

    def on_message(self, subject: str, callback: Callable[[bytes], object]) -> None:
        """Call this with the body of every message on a subject, from now on and while connected. Before `start`."""
        self._heard[subject] = callback

    async def start(self) -> None:
        """Begin to connect and return; `wait_connected` waits. Never fails because NATS is away."""
        self._keeper = asyncio.create_task(self._keep_connected(), name=f"bus of {self._name}")

    async def stop(self, grace_seconds: float = 5.0) -> None:
        """Take no new messages, answer those taken within the grace, close."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        self._up.clear()
        if self._link is not None:
            await self._link.drain(grace_seconds)
        await self._close()

    async def wait_connected(self, timeout_seconds: float) -> Client:
        """The connected client. Raises Unavailable when the time passes first."""
        if self._up.is_set() and self._link is not None:
            return self._link.client
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._up.wait()
        except TimeoutError:
            raise Unavailable(_LOST) from None
        if self._link is None:
            raise Unavailable(_LOST)
        return self._link.client

    async def request(
        self,
        service: str,
        body: bytes,
        *,
        timeout: float = 1.0,  # seconds
        attempts: int = 4,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """The reply of any process of the service; sent again (same bytes) after each `timeout` without one.

        A late reply to an earlier sending is as good as one to the last.

        Even a service that could not decide replies, see `infra.bus.answer`. Raises Unavailable(service)
        after `timeout * attempts` seconds, also when nobody serves it; ValueError when the body is too large.
        """
        if self.tracing is not None and headers is None:
            from infra.telemetry.messages import asking

            with asking(self.tracing, service) as along:
                return await self.request(service, body, timeout=timeout, attempts=attempts, headers=along)
        subject, question = command_subject(service), Question()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout * attempts
        try:
            while question.reply is None and (left := deadline - loop.time()) > 0:
                await self._ask(question, subject, body, min(timeout, left), left, headers)
        finally:
            if self._inbox is not None:
                self._inbox.forget(question)
        if question.reply is None:
            raise Unavailable(service)
        return question.reply

    async def _ask(
        self,
        question: Question,
        subject: str,
        body: bytes,
        timeout: float,
        left: float,
        headers: Mapping[str, str] | None,
    ) -> None:
        """Send it and wait a while for a reply to this or an earlier sending."""
        question.again()
        try:
            await self.wait_connected(left)
            assert self._inbox is not None, "a bus that is up has an inbox"
            await self._inbox.send(question, subject, body, _plain(headers))
        except MaxPayloadError:
            raise ValueError(f"the request of {len(body)} bytes is larger than the bus carries") from None
        except (TimeoutError, NatsError, OSError, Unavailable) as error:
            log.info("request_not_sent", subject=subject, error=repr(error))
            await asyncio.sleep(0)
            return
        await question.wait(timeout)
        if question.nobody:
            await asyncio.sleep(_NOBODY_SECONDS)
        elif question.reply is None:
            log.info("request_repeated", subject=subject)

    async def publish(self, subject: str, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Send once, to whoever listens now. Raises Unavailable while not connected."""
        client = await self.wait_connected(0)
        try:
            await client.publish(subject, body, headers=_plain(headers))
        except (NatsError, OSError) as error:
            raise Unavailable(_LOST) from error

    async def _keep_connected(self) -> None:
        """Connect, and connect anew whenever the client gave up (a refused login, say). Ends only by cancellation."""
        pause = _RECONNECT_SECONDS
        while True:
            closed = asyncio.Event()
            try:
                await self._connect(closed)
                pause = _RECONNECT_SECONDS
                await closed.wait()
                log.error("bus_closed", bus=self._name)
            except Exception as error:
                log.error("bus_refused", bus=self._name, error=repr(error))
            self._up.clear()
            await self._close()
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)

    async def _connect(self, closed: asyncio.Event) -> None:
        told = ""

        async def on_error(error: Exception) -> None:
            nonlocal told
            if self._up.is_set() or repr(error) != told:
                log.warning("bus_error", bus=self._name, error=repr(error))
            told = repr(error)

        async def on_lost() -> None:
            if self._up.is_set():
                log.warning("bus_lost", bus=self._name)
            self._up.clear()

        async def on_back() -> None:
            nonlocal told
            told = ""
            log.info("bus_back", bus=self._name)
            self._is_up()

        async def on_closed() -> None:
            closed.set()

        self._link = self._new_link(
            {
                **self._login(),
                "servers": [self._url],
                "name": self._name,
                "connect_timeout": 2,
                "reconnect_time_wait": _RECONNECT_SECONDS,
                "max_reconnect_attempts": -1,
                "ping_interval": 5,
                "max_outstanding_pings": 2,
                "drain_timeout": 5,
                "error_cb": on_error,
                "disconnected_cb": on_lost,
                "reconnected_cb": on_back,
                "closed_cb": on_closed,
            }
        )
        await self._link.start()
        inbox = Inbox(self._link.client)
        if self._wakes:
            await self._link.client.subscribe(WAKE, cb=self._hear)
        for subject, callback in self._heard.items():
            await self._link.client.subscribe(subject, cb=_with_body(callback))
        # Subscriptions are sent like messages: only what comes back after them says that the server has them.
        await inbox.open()
        await self._link.client.flush(_FLUSH_SECONDS)
        self._inbox = inbox
        log.info("bus_connected", bus=self._name)
        self._is_up()

    def _new_link(self, options: Mapping[str, Any]) -> Link:
        if not self._served:
            return Asking(options)
        from infra.bus.broker import Answering  # here, so that who answers nobody does not carry FastStream

        return Answering(
            options, self._served, workers=self._max_workers, middlewares=self._middlewares, tracing=self.tracing
        )

    def _login(self) -> dict[str, str]:
        return {"user": self._user, "password": self._password.reveal()} if self._user else {}

    async def _hear(self, _hint: Msg) -> None:
        for wake in self._wakes:
            wake()

    def _is_up(self) -> None:
        self._up.set()
        for wake in self._wakes:  # whatever rang while we were away is made good
            wake()

    async def _close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            with suppress(NatsError, OSError, TimeoutError):
                await link.stop()
            # A client that never got in, or is reconnecting, does not drain: it would live on.
            with suppress(NatsError, OSError, TimeoutError):
                await link.client.close()


def _with_body(callback: Callable[[bytes], object]) -> Callable[[Msg], Awaitable[None]]:
    async def hear(message: Msg) -> None:
        callback(message.data)

    return hear


def _plain(headers: Mapping[str, str] | None) -> dict[str, Any] | None:
    return dict(headers) if headers else None
