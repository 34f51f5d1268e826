"""The connection of a service to the bus: it answers commands, hears wake-ups, asks other services.

A NATS that is away is waited for, at the start and later, for ever; `connected` says how it is, and a change is told
once. A request is sent again with the very same bytes, since commands carry their own id; when the time is up the asker
gets `Unavailable`. Nothing is kept for a service that is away: the log is the memory, not the bus.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog
from faststream import AckPolicy
from faststream.nats import NatsBroker
from faststream.nats.security import NatsUserPassword
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError, NoRespondersError

from contracts.subjects import WAKE, command_subject
from infra.bus.answer import Handler, answer, failure
from infra.bus.subscription import Subscription, raw_bytes
from infra.errors import Unavailable

log = structlog.get_logger()

_RECONNECT_SECONDS = 0.25
_NOBODY_SECONDS = 0.05
_LOST = "bus"
_STOPPING = "The service is stopping; another one will take it."

Declare = Callable[[NatsBroker], Subscription]


class Broker(NatsBroker):
    """FastStream's broker with a client that we hold from the start: one that never got in must be closed, too."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.client = Client()

    async def _connect(self) -> Client:
        await self.client.connect(**self._connection_kwargs)
        self.config.connect(self.client)
        return self.client


class Bus:
    """One connection. Declare with `serve` and `on_wake`, then `start`; `stop` drains."""

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
        self._security = NatsUserPassword(user, password) if user else None
        self._max_workers = max_workers
        self._middlewares = middlewares
        self._declared: list[Declare] = []
        self._wakes: list[Callable[[], None]] = []
        self._subscriptions: list[Subscription] = []
        self._broker: Broker | None = None
        self._up = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """True while the server is reached and the subscriptions stand."""
        return self._up.is_set()

    def serve(self, service: str, handler: Handler) -> None:
        """Answer the service's commands, in one queue group with all its other processes. Before `start`."""

        async def body(request: bytes) -> bytes:
            return await answer(service, handler, request)

        self._declare(command_subject(service), service, body, reply=True)

    def on_wake(self, callback: Callable[[], None]) -> None:
        """Call this (best: `Wake.set`) when the log has grown, and when the connection is new. Before `start`."""

        async def body(_hint: bytes) -> bytes:
            callback()
            return b""

        self._wakes.append(callback)
        self._declare(WAKE, "", body, reply=False)

    async def start(self) -> None:
        """Begin to connect and return; `wait_connected` waits. Never fails because NATS is away."""
        self._keeper = asyncio.create_task(self._keep_connected(), name=f"bus of {self._name}")

    async def stop(self, grace_seconds: float = 5.0) -> None:
        """Take no new messages, answer those taken within the grace, close."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        self._up.clear()
        await asyncio.gather(*(subscription.drain(grace_seconds) for subscription in self._subscriptions))
        await self._close()

    async def wait_connected(self, timeout_seconds: float) -> Client:
        """The connected client. Raises Unavailable when the time passes first."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._up.wait()
        except TimeoutError:
            raise Unavailable(_LOST) from None
        if self._broker is None:
            raise Unavailable(_LOST)
        return self._broker.client

    async def request(
        self,
        service: str,
        body: bytes,
        *,
        timeout: float = 1.0,  # seconds
        attempts: int = 4,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """The reply of any process of the service, sent again (same bytes) after each `timeout` without one.

        Even a service that could not decide replies, see `infra.bus.answer`. Raises Unavailable(service)
        after `timeout * attempts` seconds, also when nobody serves it; ValueError when the body is too large.
        """
        subject = command_subject(service)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout * attempts
        while (left := deadline - loop.time()) > 0:
            try:
                client = await self.wait_connected(left)
                reply = await client.request(subject, body, min(timeout, left), headers=_plain(headers))
                return reply.data
            except MaxPayloadError:
                raise ValueError(f"the request of {len(body)} bytes is larger than the bus carries") from None
            except NoRespondersError:
                await asyncio.sleep(_NOBODY_SECONDS)
            except (TimeoutError, NatsError, OSError, Unavailable) as error:
                log.info("request_repeated", service=service, error=repr(error))
                await asyncio.sleep(0)
        raise Unavailable(service)

    async def publish(self, subject: str, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Send once, to whoever listens now. Raises Unavailable while not connected."""
        client = await self.wait_connected(0)
        try:
            await client.publish(subject, body, headers=_plain(headers))
        except (NatsError, OSError) as error:
            raise Unavailable(_LOST) from error

    def _declare(self, subject: str, queue: str, body: Callable[[bytes], Awaitable[bytes]], *, reply: bool) -> None:
        def declare(broker: NatsBroker) -> Subscription:
            return Subscription(
                broker, subject, queue, body, workers=self._max_workers, reply=reply, stopping=failure(_STOPPING, 0.1)
            )

        self._declared.append(declare)

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

        self._broker = Broker(
            self._url,
            name=self._name,
            security=self._security,
            logger=None,
            decoder=raw_bytes,
            ack_policy=AckPolicy.MANUAL,
            middlewares=self._middlewares,
            connect_timeout=2,
            reconnect_time_wait=_RECONNECT_SECONDS,  # FastStream says int, nats-py takes fractions
            max_reconnect_attempts=-1,
            ping_interval=5,
            max_outstanding_pings=2,
            drain_timeout=5,
            error_cb=on_error,
            disconnected_cb=on_lost,
            reconnected_cb=on_back,
            closed_cb=on_closed,
        )
        self._subscriptions = [declare(self._broker) for declare in self._declared]
        await self._broker.start()
        log.info("bus_connected", bus=self._name)
        self._is_up()

    def _is_up(self) -> None:
        self._up.set()
        for wake in self._wakes:  # whatever rang while we were away is made good
            wake()

    async def _close(self) -> None:
        broker, self._broker = self._broker, None
        if broker is not None:
            with suppress(NatsError, OSError, TimeoutError):
                await broker.stop()
            # A client that never got in, or is reconnecting, does not drain: it would live on.
            with suppress(NatsError, OSError, TimeoutError):
                await broker.client.close()


def _plain(headers: Mapping[str, str] | None) -> dict[str, Any] | None:
    return dict(headers) if headers else None
