"""The embedded PostgreSQL: made at the first start, on loopback only, passwords for everyone, default durability.

It refuses to listen elsewhere, to trust without a password, and to change its port while others hold its address.
"""

import asyncio
import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from infra.embedded.child import Child, spawn
from infra.embedded.folder import DataFolder
from infra.embedded.logfile import last_words, rotate
from infra.embedded.ports import LOOPBACK, remember_port, remembered_port
from infra.embedded.programs import postgres_programs
from infra.embedded.secrets import passwords
from infra.errors import Misconfigured

SUPERUSER = "gonogo"
DATABASE = "gonogo"

SETTINGS: Mapping[str, str] = {
    "max_connections": "200",
    "unix_socket_directories": "",  # a socket path may not exceed 107 bytes, and TCP on loopback is as fast
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Short statements by prepared plan: compiling them costs more than running them.
    "jit": "off",
    # A new WAL file is not filled with zeros first: that stops every append for 60 ms, each 16 MB.
    "wal_init_zero": "off",
    # The passwords are random, 192 bits: rounds would protect nothing and cost milliseconds per connection.
    "scram_iterations": "1",
}

_STOP = ((signal.SIGINT, 15.0), (signal.SIGQUIT, 5.0))  # fast, then immediate; SIGTERM would wait for the clients
_START_SECONDS = 600.0  # recovery after a crash reads the log since the last checkpoint
_EARLIER_START_SECONDS = 10.0


class PostgresServer:
    """One cluster in `<folder>/postgres`. The same object starts it again after a crash, on the same port."""

    def __init__(
        self, folder: DataFolder, environ: Mapping[str, str] = os.environ, settings: Mapping[str, str] | None = None
    ) -> None:
        self._folder = folder
        self._environ = environ
        self._settings = {**SETTINGS, **(settings or {})}
        self._home = folder.postgres
        self._cluster = folder.postgres / "cluster"
        self._log = folder.logs / "postgres.log"
        self._password = passwords(folder.secrets / "superuser.json", [SUPERUSER])[SUPERUSER]
        self.port = 0
        self.child: Child | None = None

    async def start(self) -> None:
        """Returns when it answers. `Misconfigured` with one sentence when it cannot start."""
        rotate(self._log)
        self.choose_port()
        programs = postgres_programs(self._environ, self._folder.account, self._folder.programs)
        if not self._cluster.exists():
            await self._create(programs)
        await self._start_until_ready(programs)

    def choose_port(self) -> int:
        """The port, fixed from now on: that of the last start if it is free, else another. Called by `start` as well."""
        if self.port == 0:
            self._make_home()
            self.port = remembered_port(self._home / "port")
            remember_port(self._home / "port", self.port)
        return self.port

    async def ensure_database(self, name: str = DATABASE) -> None:
        """Creates the database unless it exists."""
        import asyncpg

        connection = await asyncpg.connect(self.admin_dsn("postgres"), ssl=False)
        try:
            if await connection.fetchval("select 1 from pg_database where datname = $1", name) is None:
                await connection.execute(f'create database "{name}"')
        finally:
            await connection.close()

    def dsn(self, role: str, password: str, database: str = DATABASE) -> str:
        return f"postgresql://{quote(role)}:{quote(password)}@{LOOPBACK}:{self.port}/{quote(database)}"

    def admin_dsn(self, database: str = DATABASE) -> str:
        """As superuser: for migration and rebuilding only."""
        return self.dsn(SUPERUSER, self._password, database)

    async def stop(self) -> None:
        """Ends every session and stops cleanly."""
        if self.child is not None:
            await self.child.stop(*_STOP)

    async def kill(self) -> None:
        """As a power cut would, for tests of recovery: SIGKILL, no farewell."""
        if self.child is not None:
            self.child.signal(signal.SIGKILL)
            await self.child.wait()

    def _make_home(self) -> None:
        self._home.mkdir(mode=0o700, exist_ok=True)
        if account := self._folder.account:
            os.chown(self._home, account.uid, account.gid)

    async def _create(self, programs: Path) -> None:
        fresh, password_file = self._home / "cluster.new", self._home / "password.new"
        shutil.rmtree(fresh, ignore_errors=True)  # a first start was cut short
        password_file.unlink(missing_ok=True)
        with os.fdopen(os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
            output.write(self._password)
        if account := self._folder.account:
            os.chown(password_file, account.uid, account.gid)
        options = ["-U", SUPERUSER, "--auth=scram-sha-256", f"--pwfile={password_file}", "-c", "scram_iterations=1"]
        locale = [
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--encoding=UTF8",
            "--no-locale",
            "--no-instructions",
        ]
        argv = [str(programs / "initdb"), "-D", str(fresh), *options, *locale]
        child = await self._spawn("initdb", argv)
        try:
            if await child.wait() != 0:
                raise Misconfigured(f"PostgreSQL could not create its files: {last_words(self._log)} (see {self._log})")
        finally:
            await child.stop((signal.SIGTERM, 5.0))
            password_file.unlink(missing_ok=True)
        fresh.rename(self._cluster)

    async def _start_until_ready(self, programs: Path) -> None:
        """Tries again for a while: an earlier server of ours may still be ending."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _EARLIER_START_SECONDS
        while True:
            said = self._log.stat().st_size if self._log.exists() else 0
            self.child = await self._spawn("postgres", self._command(programs))
            if await self._ready(self.child):
                return
            if loop.time() > deadline:
                raise Misconfigured(f"PostgreSQL does not start: {last_words(self._log, said)} (see {self._log})")
            await asyncio.sleep(0.1)

    def _command(self, programs: Path) -> list[str]:
        settings = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        return [str(programs / "postgres"), "-D", str(self._cluster), "-h", LOOPBACK, "-p", str(self.port), *settings]

    async def _ready(self, child: Child) -> bool:
        """True when it accepts sessions, False when it ended before or took too long."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _START_SECONDS
        while child.running and loop.time() < deadline:
            if self._announced_ready(child.pid):
                return True
            await asyncio.sleep(0.005)
        await child.stop(*_STOP)
        return False

    def _announced_ready(self, pid: int) -> bool:
        """PostgreSQL writes its pid and state into a file, as pg_ctl reads it. Trying to connect would log errors."""
        try:
            lines = (self._cluster / "postmaster.pid").read_text().splitlines()
        except (FileNotFoundError, PermissionError):
            return False
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"

    async def _spawn(self, name: str, argv: list[str]) -> Child:
        # Only what the programs need: an environment full of PG* variables would redirect them.
        env = {"PATH": self._environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"}
        account = self._folder.account
        return await spawn(
            name, argv, env=env, log=self._log, death_signal=signal.SIGINT, account=account, cwd=self._home
        )
