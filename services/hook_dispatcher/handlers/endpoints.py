"""The commands on endpoints, and what deliveries find out about them."""

import secrets
from collections.abc import Callable, Sequence

from contracts.commands import Accepted, PutEndpoint, Request
from contracts.endpoint_state import Endpoint
from contracts.hook_commands import DisableEndpoint, EnableEndpoint, RotateEndpoint, SendTest
from contracts.plan_events import Event
from infra.clock import Clock
from infra.commands import Desk
from infra.requests import system_request
from services.hook_dispatcher.decider import endpoints

_SERVICE = "hook_dispatcher"

Change = Callable[[Endpoint], tuple[Event, ...]]


class Endpoints:
    """One function per command."""

    def __init__(self, desk: Desk[Endpoint], clock: Clock, ring: Callable[[], None]) -> None:
        """`ring` says in this process that the log has grown."""
        self._desk = desk
        self._clock = clock
        self._ring = ring

    async def put(self, request: Request) -> Accepted:
        """PutEndpoint: where hooks go."""
        command = request.command
        assert isinstance(command, PutEndpoint)
        fresh = _challenge()
        return await self._execute(
            request, command.endpoint, lambda now: endpoints.put(now, command, request.actor, fresh)
        )

    async def rotate(self, request: Request) -> Accepted:
        """RotateEndpoint: another secret, with an overlap."""
        command = request.command
        assert isinstance(command, RotateEndpoint)
        return await self._execute(
            request, command.endpoint, lambda now: endpoints.rotate(now, command, request.actor, request.at)
        )

    async def enable(self, request: Request) -> Accepted:
        """EnableEndpoint."""
        command = request.command
        assert isinstance(command, EnableEndpoint)
        fresh = _challenge()
        return await self._execute(
            request, command.endpoint, lambda now: endpoints.enable(now, command, request.actor, fresh)
        )

    async def disable(self, request: Request) -> Accepted:
        """DisableEndpoint."""
        command = request.command
        assert isinstance(command, DisableEndpoint)
        return await self._execute(
            request, command.endpoint, lambda now: endpoints.disable(now, command, request.actor)
        )

    async def send_test(self, request: Request) -> Accepted:
        """SendTest: a delivery of a test."""
        command = request.command
        assert isinstance(command, SendTest)
        return await self._execute(request, command.endpoint, lambda now: endpoints.send_test(now, request.actor))

    async def change(self, endpoint: str, key: str, change: Change) -> None:
        """What the dispatcher itself found out. `key` makes it once."""
        request = system_request(SendTest(endpoint=endpoint), _SERVICE, key, self._clock.now())
        await self._execute(request, endpoint, lambda now: () if now is None else change(now))

    async def _execute(
        self, request: Request, endpoint: str, decide: Callable[[Endpoint | None], Sequence[Event]]
    ) -> Accepted:
        async def decided(state: Endpoint | None) -> Sequence[Event]:
            return decide(state)

        accepted = await self._desk.execute(request, f"endpoint-{endpoint}", decided, body={"id": endpoint})
        self._ring()
        return accepted


def _challenge() -> str:
    return secrets.token_hex(16)
