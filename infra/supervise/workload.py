"""The two kinds of process that are kept: an embedded server, ready when its start returns, and a service, ready when its
status port says so.
"""

import asyncio
import contextlib
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from infra.embedded.child import Child, spawn
from infra.embedded.logfile import rotate
from infra.embedded.ports import LOOPBACK
from infra.supervise.spec import ServiceSpec

_POLL_SECONDS = 0.02
_ANSWER_SECONDS = 2.0


class Workload(Protocol):
    """Something a keeper can keep."""

    name: str
    log: Path
    farewell: tuple[tuple[int, float], ...]
    """Signals that end it in good order, each with the seconds to wait; after the last its group is killed."""

    @property
    def child(self) -> Child | None: ...
    async def start(self) -> Child: ...
    async def wait_ready(self, child: Child) -> None: ...


class StartedServer(Protocol):
    """What `PostgresServer` and `NatsServer` have in common."""

    child: Child | None

    async def start(self) -> None: ...


class ServerWorkload:
    """An embedded server. Its `start` returns when it is ready, on the port that it always had."""

    def __init__(self, name: str, server: StartedServer, log: Path, farewell: tuple[tuple[int, float], ...]) -> None:
        self.name = name
        self.log = log
        self.farewell = farewell
        self._server = server

    @property
    def child(self) -> Child | None:
        return self._server.child

    async def start(self) -> Child:
        await self._server.start()
        if self._server.child is None:
            raise RuntimeError("a started server has a process")
        return self._server.child

    async def wait_ready(self, child: Child) -> None:
        return


class ServiceWorkload:
    """A service, by its command line. `obstacle` is why it is not ready, as it says itself."""

    farewell: tuple[tuple[int, float], ...]

    def __init__(
        self, spec: ServiceSpec, env: Mapping[str, str], log: Path, status_file: Path, drain_seconds: float
    ) -> None:
        self.name = spec.name
        self.log = log
        # It cuts its own drain short first, so the kill is for one that hangs.
        self.farewell = ((signal.SIGTERM, drain_seconds + 2.0),)
        self.obstacle = "it has not started"
        self._argv = spec.argv
        self._env = env
        self._status_file = status_file
        self.child: Child | None = None

    async def start(self) -> Child:
        self.obstacle = "it has not opened its status port"
        self._status_file.unlink(missing_ok=True)
        rotate(self.log)
        self.child = await spawn(self.name, self._argv, env=self._env, log=self.log, death_signal=signal.SIGTERM)
        return self.child

    async def wait_ready(self, child: Child) -> None:
        while child.running:
            port = self.status_port
            if port and await self._says_ready(port):
                return
            await asyncio.sleep(_POLL_SECONDS)
        await asyncio.Event().wait()  # it will never be ready; the keeper cancels us

    @property
    def status_port(self) -> int:
        """0 while it has none."""
        try:
            return int(self._status_file.read_text())
        except (FileNotFoundError, ValueError):
            return 0

    async def _says_ready(self, port: int) -> bool:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                reader, writer = await asyncio.open_connection(LOOPBACK, port)
                try:
                    writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    head, _, body = (await reader.read(8192)).decode(errors="replace").partition("\r\n\r\n")
                finally:
                    writer.close()
                    with contextlib.suppress(OSError):
                        await writer.wait_closed()
        except (OSError, TimeoutError):
            return False
        self.obstacle = body.strip()
        return head.split(" ")[1:2] == ["200"]
