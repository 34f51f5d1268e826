"""The embedded NATS server: loopback only, a user per service, JetStream files in the folder.

nats-server does not lock its store: two servers on one folder ruin it without a word. `DataFolder`'s lock prevents it.
"""

import asyncio
import os
import signal
from collections.abc import Mapping

import msgspec

from infra.embedded.child import Child, spawn
from infra.embedded.folder import DataFolder
from infra.embedded.logfile import last_words, rotate
from infra.embedded.ports import LOOPBACK, remember_port, remembered_port
from infra.embedded.programs import nats_program
from infra.embedded.secrets import passwords, write_private
from infra.embedded.users import NATS_USERS, accounts
from infra.errors import Misconfigured
from infra.limits import MESSAGE_BYTES

_STOP = ((signal.SIGTERM, 10.0),)
_EARLIER_START_SECONDS = 10.0
_START_SECONDS = 120.0  # a large store is read again after a crash


class NatsServer:
    """One server with its store in `<folder>/nats`. The same object starts it again after a crash, on the same port."""

    def __init__(self, folder: DataFolder, environ: Mapping[str, str] = os.environ) -> None:
        self._home = folder.nats
        self._environ = environ
        self._log = folder.logs / "nats.log"
        self.users: Mapping[str, str] = passwords(folder.secrets / "nats.json", NATS_USERS)
        """Password by user: the services, `relay`, `observer`."""
        self.port = 0
        self.child: Child | None = None

    @property
    def url(self) -> str:
        return f"nats://{LOOPBACK}:{self.port}"

    async def start(self) -> None:
        """Returns when it answers. `Misconfigured` with one sentence when it cannot start."""
        rotate(self._log)
        self.choose_port()
        program = nats_program(self._environ)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _EARLIER_START_SECONDS
        while not await self._start_once(str(program)):
            if loop.time() > deadline:
                raise Misconfigured(f"NATS does not start: {last_words(self._log)} (see {self._log})")
            await asyncio.sleep(0.1)

    def choose_port(self) -> int:
        """The port, fixed from now on: that of the last start if it is free, else another. Called by `start` as well."""
        if self.port == 0:
            self.port = remembered_port(self._home / "port")
            remember_port(self._home / "port", self.port)
        return self.port

    async def stop(self) -> None:
        if self.child is not None:
            await self.child.stop(*_STOP)

    async def kill(self) -> None:
        """SIGKILL, no farewell: for tests of recovery."""
        if self.child is not None:
            self.child.signal(signal.SIGKILL)
            await self.child.wait()

    async def _start_once(self, program: str) -> bool:
        for stale in self._home.glob("*.ports"):  # left behind by a kill -9
            stale.unlink(missing_ok=True)
        config = self._home / "server.json"
        write_private(config, self._config())
        env = {"PATH": self._environ.get("PATH", "/usr/bin:/bin"), "TZ": "UTC"}
        argv = [program, "-c", str(config)]
        self.child = await spawn("nats", argv, env=env, log=self._log, death_signal=signal.SIGTERM, cwd=self._home)
        announced = self._home / f"nats-server_{self.child.pid}.ports"
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _START_SECONDS
        while self.child.running and loop.time() < deadline:
            if announced.exists():  # named by our child's pid, so no other server on this port can deceive us
                return True
            await asyncio.sleep(0.005)
        await self.child.stop(*_STOP)
        return False

    def _config(self) -> bytes:
        """nats-server reads JSON as its own format."""
        return msgspec.json.format(
            msgspec.json.encode(
                {
                    "server_name": "gonogo",
                    "listen": f"{LOOPBACK}:{self.port}",
                    "ports_file_dir": str(self._home),
                    "max_payload": MESSAGE_BYTES,
                    "jetstream": {"store_dir": str(self._home / "store")},
                    "accounts": accounts(self.users),
                }
            )
        )
