"""A service that only stands there, for the supervisor's tests: `python -m tests.support.stub_service NAME [FAULT]`.

FAULT: `dies` (before it is ready), `misconfigured`, `hangs` (ignores SIGTERM once ready), `never` (is never ready),
`fails` (a part of it fails once it is ready), `clings` (swallows the end of its drain), `offline` (needs no server).
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg
from faststream.nats import NatsBroker
from faststream.nats.security import NatsUserPassword

from infra.config import Settings
from infra.errors import Misconfigured
from infra.process import run_service


class Stub:
    def __init__(self, obstacle: str | None = None) -> None:
        self._obstacle = obstacle
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def ready(self) -> str | None:
        return self._obstacle


@asynccontextmanager
async def build(settings: Settings) -> AsyncIterator[Stub]:
    fault = sys.argv[2] if len(sys.argv) > 2 else ""
    if fault == "dies":
        raise RuntimeError("this one always dies")
    if fault == "misconfigured":
        raise Misconfigured("the moon is in the wrong quarter")
    if fault in ("fails", "clings", "offline"):
        stub = Stub()
        if fault == "fails":
            stub.failed.set_exception(RuntimeError("the writer died"))
        yield stub
        while fault == "clings":
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        return
    connection = await asyncpg.connect(settings.database_url.reveal(), ssl=False)
    login = NatsUserPassword(settings.nats_user, settings.nats_password.reveal())
    broker = NatsBroker(settings.nats_url, security=login, logger=None)
    await broker.start()
    if fault == "hangs":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: None)
    try:
        yield Stub("waiting for the moon" if fault == "never" else None)
    finally:
        await broker.stop()
        await connection.close()


if __name__ == "__main__":
    run_service(sys.argv[1], Settings, build)
