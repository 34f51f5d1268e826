"""A whole system to measure, with an HTTP client that drives it as a user would."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, TCPConnector

from infra.embedded.ports import free_port
from infra.supervise.system import System
from services.cli.parts import all_services
from services.cli.tokens import ready_tokens


class Stage:
    """A running system, its tokens, and a session."""

    def __init__(self, system: System, tokens: dict[str, str], session: ClientSession) -> None:
        self.system = system
        self.tokens = tokens
        self.session = session

    @property
    def admin_dsn(self) -> str:
        return self.system.urls["database"]

    def nats_login(self, user: str) -> tuple[str, str, str]:
        """Address, user, password."""
        return self.system.urls["nats"], user, self.system.nats.users[user]

    async def call(self, method: str, path: str, body: Any = None, *, who: str = "olivia", **headers: str) -> Any:
        """One call of the API; anything but 2xx is an error of the bench."""
        url = self.system.urls["gateway"] + path
        headers = {"Authorization": f"Bearer {self.tokens[who]}", **headers}
        async with self.session.request(method, url, json=body, headers=headers) as answer:
            assert answer.status < 300, f"{method} {path}: {answer.status} {await answer.text()}"
            return await answer.json()


@asynccontextmanager
async def open_stage(folder: Path) -> AsyncIterator[Stage]:
    """Start everything in this folder."""
    environ = {"GONOGO_LOG_LEVEL": "warning"}
    async with System(folder, all_services(environ), http_port=0, environ={**os.environ, **environ}) as system:
        tokens = await ready_tokens(system.env_for("gateway")["GONOGO_DATABASE_URL"], folder / "secrets")
        async with ClientSession(connector=TCPConnector(limit=0)) as session:
            yield Stage(system, tokens, session)


@asynccontextmanager
async def floor(kind: str, *arguments: str) -> AsyncIterator[str]:
    """A floor process; gives its address (for HTTP kinds) once it answers."""
    port = free_port()
    argv = [sys.executable, "-m", "tests.bench.floors", kind]
    argv += list(arguments) if kind == "nats" else [str(port), *arguments]
    process = await asyncio.create_subprocess_exec(*argv)
    try:
        if kind != "nats":
            await _listening(port)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.kill()
        await process.wait()


async def _listening(port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise TimeoutError(f"nothing listens on port {port}")
