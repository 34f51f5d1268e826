"""The stock images of PostgreSQL and NATS in containers, for machines where a Docker engine answers.

Imported only there. The ports are fixed at creation, so that a killed server comes back at the same address.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import asyncpg
import msgspec
from nats import connect
from nats.errors import Error as NatsError
from testcontainers.core.container import DockerContainer

from infra.embedded.ports import LOOPBACK, free_port
from infra.embedded.users import NATS_USERS, accounts
from infra.limits import MESSAGE_BYTES
from tests.support.wait import eventually

POSTGRES_IMAGE = "postgres:18"
NATS_IMAGE = "nats:2.15"
_START_SECONDS = 180


class ContainerControl:
    """Kills and starts a container; `ready` says whether its server answers."""

    def __init__(self, container: DockerContainer, ready: "Ready") -> None:
        self._container = container
        self._ready = ready
        self._removed = False

    async def start(self) -> None:
        if self._removed:
            self._container.start()
            self._removed = False
        else:
            self._container.get_wrapped_container().start()
        await eventually(self._ready.answers, _START_SECONDS, "the container answers")

    async def kill(self) -> None:
        self._container.get_wrapped_container().kill()

    async def lose(self) -> None:
        self._container.get_wrapped_container().remove(force=True, v=True)
        self._removed = True

    async def restart(self) -> None:
        self._container.get_wrapped_container().restart()
        await eventually(self._ready.answers, _START_SECONDS, "the container answers")


class Ready:
    """Whether a server answers at an address."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def answers(self) -> bool:
        try:
            if self._url.startswith("postgresql:"):
                await (await asyncpg.connect(self._url, ssl=False, timeout=5)).close()
            else:
                await (await connect(self._url, allow_reconnect=False, connect_timeout=5)).close()
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, NatsError):
            return False
        return True


@asynccontextmanager
async def postgres_container() -> AsyncIterator[tuple[str, ContainerControl]]:
    """The superuser's address, and the control."""
    port = free_port()
    container = (
        DockerContainer(POSTGRES_IMAGE).with_env("POSTGRES_PASSWORD", "test").with_command("-c max_connections=200")
    )
    container.ports["5432/tcp"] = (LOOPBACK, port)
    url = f"postgresql://postgres:test@{LOOPBACK}:{port}/postgres"
    with container:
        ready = Ready(url)
        await eventually(ready.answers, _START_SECONDS, "PostgreSQL in its container answers")
        yield url, ContainerControl(container, ready)


@asynccontextmanager
async def nats_container() -> AsyncIterator[tuple[str, Mapping[str, str], ContainerControl]]:
    """The address, the password of each user, and the control."""
    port = free_port()
    users = {user: f"{user}-test" for user in NATS_USERS}
    config = {
        "listen": "0.0.0.0:4222",
        "max_payload": MESSAGE_BYTES,
        "jetstream": {"store_dir": "/data"},
        "accounts": accounts(users),
    }
    container = DockerContainer(NATS_IMAGE).with_command("-c /server.json")
    container.with_copy_into_container(msgspec.json.encode(config), "/server.json")
    container.ports["4222/tcp"] = (LOOPBACK, port)
    url = f"nats://{LOOPBACK}:{port}"
    with container:
        ready = Ready(f"nats://relay:{users['relay']}@{LOOPBACK}:{port}")
        await eventually(ready.answers, _START_SECONDS, "NATS in its container answers")
        yield url, users, ContainerControl(container, ready)
