"""The link of a service that answers: FastStream declares its subscriptions and owns the connection."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from faststream import AckPolicy
from faststream.nats import NatsBroker
from nats.aio.client import Client

from contracts.subjects import command_subject
from infra.bus.answer import Handler, answer, failure
from infra.bus.subscription import Body, Subscription, raw_bytes

if TYPE_CHECKING:
    from infra.telemetry.tracing import Tracing

_STOPPING = "The service is stopping; another one will take it."


class Broker(NatsBroker):
    """FastStream's broker with a client that we hold from the start: one that never got in must be closed, too."""

    def __init__(self, login: Mapping[str, Any], **options: Any) -> None:
        super().__init__(**options)
        self.client = Client()

        async def join() -> None:  # the login has the password: nobody's attributes show it
            await self.client.connect(**self._connection_kwargs, **login)

        self._join = join

    async def _connect(self) -> Client:
        await self._join()
        self.config.connect(self.client)
        return self.client


class Answering:
    """Serves these handlers, each in the queue group of its service."""

    def __init__(
        self,
        options: Mapping[str, Any],
        served: Mapping[str, Handler],
        *,
        workers: int,
        middlewares: Sequence[Any],
        tracing: "Tracing | None" = None,
    ) -> None:
        login = {name: options[name] for name in ("user", "password") if name in options}
        self._broker = Broker(
            login,
            logger=None,
            decoder=raw_bytes,
            ack_policy=AckPolicy.MANUAL,
            middlewares=middlewares,
            **{name: value for name, value in options.items() if name not in login},
        )
        self._subscriptions = [
            Subscription(
                self._broker,
                command_subject(service),
                service,
                _body(service, handler),
                workers=workers,
                stopping=failure(_STOPPING, 0.1),
                tracing=tracing,
            )
            for service, handler in served.items()
        ]

    @property
    def client(self) -> Client:
        return self._broker.client

    async def start(self) -> None:
        await self._broker.start()

    async def drain(self, grace_seconds: float) -> None:
        """Take no more requests, answer those taken within the grace."""
        await asyncio.gather(*(subscription.drain(grace_seconds) for subscription in self._subscriptions))

    async def stop(self) -> None:
        await self._broker.stop()


def _body(service: str, handler: Handler) -> Body:
    async def body(request: bytes) -> bytes:
        return await answer(service, handler, request)

    return body
