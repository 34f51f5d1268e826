"""One FastStream subscriber with a short way from the socket to the handler.

FastStream declares the subscription, owns its connection and starts and stops it. Its way through a message costs about
ten times the handling itself (a stack of scopes, models and publishers per message), and pays only for middlewares. So
a message goes through FastStream when middlewares are set (tracing, metrics), and straight to the handler when none are.
Each message has its own task, at most `workers` at once; FastStream's `max_workers=1` would starve the coalescer.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import structlog
from faststream import AckPolicy
from faststream.message import StreamMessage
from faststream.nats import NatsBroker
from nats.aio.msg import Msg

if TYPE_CHECKING:
    from infra.telemetry.tracing import Tracing

log = structlog.get_logger()

Body = Callable[[bytes], Awaitable[bytes]]
"""Body of a request to body of its reply; raises nothing but cancellation."""


async def raw_bytes(message: StreamMessage[Any]) -> bytes:
    """The decoder of all our subscribers: none. Each handler decodes once, by its own type."""
    return bytes(message.body)


class Subscription:
    """A declared subscriber: body in, reply out where one is asked for."""

    def __init__(
        self,
        broker: NatsBroker,
        subject: str,
        queue: str,
        body: Body,
        *,
        workers: int,
        stopping: bytes,
        tracing: "Tracing | None" = None,
    ) -> None:
        """`stopping` is the reply to a message that had to be given up. Core subjects have no acknowledgement: MANUAL."""
        self._body = body
        self._queue = queue
        self._tracing = tracing
        self._stopping = stopping
        self._slots = asyncio.Semaphore(workers)
        self._tasks: set[asyncio.Task[None]] = set()
        self._through_middlewares = bool(broker.config.broker_middlewares)
        self._subscriber = broker.subscriber(subject, queue=queue, decoder=raw_bytes, ack_policy=AckPolicy.MANUAL)
        self._subscriber(body)
        self._by_faststream = self._subscriber.consume
        # An instance's attribute, since FastStream gives no other way to take a message before its pipeline.
        setattr(self._subscriber, "consume", self._take)  # noqa: B010  (mypy forbids the plain assignment)

    async def drain(self, grace_seconds: float) -> None:
        """Take no new messages, finish those taken, give up what is late."""
        subscription = self._subscriber.subscription
        if subscription is not None:
            self._subscriber.subscription = None
            try:
                if self._subscriber.connection.is_connected:
                    await asyncio.wait_for(subscription.drain(), grace_seconds)  # type: ignore[no-untyped-call]  # nats-py
                else:  # what a drain would send to nobody makes the closing of the connection fail
                    await subscription.unsubscribe()
            except Exception as error:
                log.info("subscription_not_drained", error=repr(error))
        if self._tasks:
            _, late = await asyncio.wait(list(self._tasks), timeout=grace_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _take(self, message: Msg) -> None:
        """FastStream's callback: waits for a slot, so that more than `workers` stay in the connection's queue."""
        await self._slots.acquire()
        task = asyncio.create_task(self._one(message))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._slots.release()
        if not task.cancelled() and (error := task.exception()):
            log.error("message_failed", exc_info=error)

    async def _one(self, message: Msg) -> None:
        try:
            if self._through_middlewares:
                await self._by_faststream(message)
                return
            if self._tracing is None:
                reply = await self._body(message.data)
            else:
                reply = await self._traced(self._tracing, message)
        except asyncio.CancelledError:
            await self._respond(message, self._stopping)
            raise
        await self._respond(message, reply)

    async def _traced(self, tracing: "Tracing", message: Msg) -> bytes:
        from infra.telemetry.messages import answering

        with answering(tracing, self._queue, message.headers):
            return await self._body(message.data)

    async def _respond(self, message: Msg, reply: bytes) -> None:
        if message.reply:
            await message.respond(reply)
