"""One whole system: PostgreSQL, NATS and the services, on one data folder. What `gonogo up`, the demo and the tests share.

Everything starts at once: services load their code while the database is created, and wait with that done until it is
migrated. It refuses a folder in use, and a gateway port that is taken, before it starts anything.
"""

import asyncio
import os
import signal
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from infra.embedded.folder import DataFolder
from infra.embedded.nats import NatsServer
from infra.embedded.ports import LOOPBACK, free_port, is_free
from infra.embedded.postgres import PostgresServer
from infra.errors import Misconfigured
from infra.supervise.environment import Environments
from infra.supervise.keeper import Keeper
from infra.supervise.report import Reporter, Silence
from infra.supervise.spec import GaveUp, ServiceSpec
from infra.supervise.workload import ServerWorkload, ServiceWorkload

T = TypeVar("T")

DEFAULT_HTTP_PORT = 8640
POSTGRES = "postgres"
NATS = "nats"
_READY_SECONDS = 180.0
_AGAIN_SECONDS = 0.2
_DRAIN_SECONDS = 10.0
_POSTGRES_FAREWELL = ((signal.SIGINT, 15.0), (signal.SIGQUIT, 5.0))
_NATS_FAREWELL = ((signal.SIGTERM, 10.0),)


class System:
    """`async with System(folder, services) as system:` starts it and waits until every part is ready; leaving stops it.

    Start it from the main thread: the children are told to end when the thread that started them ends.
    Raises Misconfigured (folder, port) or GaveUp (a part that cannot be kept running), each one sentence.
    """

    def __init__(
        self,
        folder: Path,
        services: Sequence[ServiceSpec],
        *,
        http_port: int | None = None,
        report: Reporter | None = None,
        environ: Mapping[str, str] = os.environ,
        drain_seconds: float | None = None,
        ready_seconds: float = _READY_SECONDS,
    ) -> None:
        """`http_port`: of the gateway; 0 takes a free one, None what `GONOGO_HTTP_PORT` says (default 8640).

        `drain_seconds`: what each service gets to finish its work; None what `GONOGO_DRAIN_SECONDS` says (default 10).
        """
        self._path = folder
        self._specs = {spec.name: spec for spec in services}
        self._report = report or Silence()
        self._drain_seconds = _drain_seconds(environ) if drain_seconds is None else drain_seconds
        self._environ = {**environ, "GONOGO_DRAIN_SECONDS": str(self._drain_seconds)}
        self._ready_seconds = ready_seconds
        self._folder: DataFolder | None = None
        self._environments: Environments | None = None
        self._keepers: dict[str, Keeper] = {}
        self._workloads: dict[str, ServiceWorkload] = {}
        self._keeping: dict[str, asyncio.Task[None]] = {}
        self._hurry = False
        self.http_port = _http_port(environ) if http_port is None else http_port
        self.failed: asyncio.Future[None] | None = None
        """Ends with GaveUp when a part cannot be kept running any more. Made by `start`."""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Returns when every part is ready. Whatever goes wrong, nothing is left running."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        self.failed = loop.create_future()
        try:
            self._open()
            await self._unless_failed(self._start_all())
        except BaseException as error:
            await self.stop()
            raise _first(error) from None
        self._report.step(f"ready in {loop.time() - begun:.1f} s")

    async def stop(self) -> None:
        """Services first (all at once, each with its drain), then NATS, then PostgreSQL. Again is harmless."""
        servers = [self._keepers[name] for name in (NATS, POSTGRES) if name in self._keepers]
        await self._end([keeper for name, keeper in self._keepers.items() if name not in (NATS, POSTGRES)])
        for keeper in servers:
            await self._end([keeper])
        self._keepers.clear()
        if self.failed is not None and not self.failed.done():
            self.failed.cancel()
        if self._environments is not None:
            self._environments.start_file.unlink(missing_ok=True)
            self._environments = None
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    def hurry(self) -> None:
        """From now on nothing is given time to drain: what runs is killed when it is its turn, or at once if it is."""
        self._hurry = True
        for name, keeper in self._keepers.items():
            if name not in (NATS, POSTGRES):
                keeper.kill()

    async def restart(self, name: str) -> None:
        """Ends a part in good order and returns when its successor is ready. Also `postgres` and `nats`."""
        await self._unless_failed(self._keepers[name].restart())

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Sends a signal to a part; the keeper will start it again. Also `postgres` and `nats`."""
        self._keepers[name].kill(number)

    async def wait_ready(self, name: str) -> None:
        """Returns at once when the part is ready, else when it next is."""
        await self._unless_failed(self._keepers[name].ready.wait())

    @property
    def pids(self) -> dict[str, int]:
        """Of every part that runs now."""
        children = {name: keeper.child for name, keeper in self._keepers.items()}
        return {name: child.pid for name, child in children.items() if child is not None and child.running}

    @property
    def urls(self) -> dict[str, str]:
        """`gateway`, `nats`, `database` (a superuser's), and `<service>.status` for each service that has its port."""
        status = {f"{name}.status": f"http://{LOOPBACK}:{load.status_port}" for name, load in self._workloads.items()}
        return {
            "gateway": f"http://{LOOPBACK}:{self.http_port}",
            "nats": self.nats.url,
            "database": self.postgres.admin_dsn(),
            **{name: url for name, url in status.items() if not url.endswith(":0")},
        }

    def env_for(self, service: str) -> dict[str, str]:
        """The environment of a service, so that a test or a shell can run it or log in as it does."""
        return self._opened().of(self._specs.get(service) or ServiceSpec(service, ()))

    def _open(self) -> None:
        """Everything that can be refused before anything runs."""
        if self.http_port and not is_free(self.http_port):
            raise Misconfigured(
                f"port {self.http_port} on {LOOPBACK} is taken by another program; "
                "stop that one, or choose another port with GONOGO_HTTP_PORT"
            )
        self.http_port = self.http_port or free_port()
        self._folder = folder = DataFolder.open(self._path, self._environ)
        self.postgres = PostgresServer(folder, self._environ)
        self.nats = NatsServer(folder, self._environ)
        self.postgres.choose_port()
        self.nats.choose_port()
        self._environments = Environments(folder, self.postgres, self.nats, self._environ, self.http_port)
        self._environments.start_file.unlink(missing_ok=True)
        self._keepers = {
            POSTGRES: Keeper(
                ServerWorkload(POSTGRES, self.postgres, folder.logs / "postgres.log", _POSTGRES_FAREWELL), self._report
            ),
            NATS: Keeper(ServerWorkload(NATS, self.nats, folder.logs / "nats.log", _NATS_FAREWELL), self._report),
        }
        for name, spec in self._specs.items():
            log, status = folder.logs / f"{name}.log", self._environments.status_file(name)
            self._workloads[name] = load = ServiceWorkload(spec, self.env_for(name), log, status, self._drain_seconds)
            self._keepers[name] = Keeper(load, self._report)

    async def _start_all(self) -> None:
        for name, keeper in self._keepers.items():
            self._keeping[name] = asyncio.create_task(keeper.keep(), name=f"keeper of {name}")
            self._keeping[name].add_done_callback(self._on_kept)
        async with asyncio.TaskGroup() as waiting:
            waiting.create_task(self._until_ready(NATS))
            # Recovery after a crash may take its time, so the services' time begins when the database is there.
            await self._prepare_database()
            for name in self._specs:
                waiting.create_task(self._until_ready(name))

    async def _prepare_database(self) -> None:
        import asyncpg

        from infra.migrate import migrate  # while the first start creates the files: it takes a while to load

        environments = self._opened()
        while True:
            await self._keepers[POSTGRES].ready.wait()
            try:
                await self.postgres.ensure_database()
                applied = await migrate(self.postgres.admin_dsn(), environments.role_passwords)
            except (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError):
                await asyncio.sleep(_AGAIN_SECONDS)  # it died under us; its keeper starts it again
            else:
                break
        self._report.step(f"postgres is ready, {applied} migration{'' if applied == 1 else 's'} applied")
        environments.start_file.touch()

    async def _until_ready(self, name: str) -> None:
        try:
            async with asyncio.timeout(self._ready_seconds):
                await self._keepers[name].ready.wait()
        except TimeoutError:
            why = self._workloads[name].obstacle if name in self._workloads else "it does not answer"
            log = self._path / "logs" / f"{name}.log"
            raise GaveUp(f"{name} is not ready after {self._ready_seconds:g} s: {why} (see {log})") from None
        self._report.step(f"{name} is ready")

    def _opened(self) -> Environments:
        if self._environments is None:
            raise RuntimeError("the system is not started")
        return self._environments

    async def _unless_failed(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, or GaveUp as soon as a part cannot be kept running."""
        task = asyncio.ensure_future(work)
        ends: set[asyncio.Future[Any]] = {task, *([self.failed] if self.failed else [])}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if self.failed is not None and self.failed.done():
                self.failed.result()
            return await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _on_kept(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or self.failed is None or self.failed.done():
            return
        self.failed.set_exception(task.exception() or RuntimeError("a keeper ended by itself"))

    async def _end(self, keepers: Sequence[Keeper]) -> None:
        tasks = [self._keeping.pop(keeper.name) for keeper in keepers if keeper.name in self._keeping]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(keeper.end(hurry=self._hurry) for keeper in keepers))


def _first(error: BaseException) -> BaseException:
    """The first failure of a group: the others are its company."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _drain_seconds(environ: Mapping[str, str]) -> float:
    text = environ.get("GONOGO_DRAIN_SECONDS") or str(_DRAIN_SECONDS)
    try:
        return max(0.0, float(text))
    except ValueError:
        raise Misconfigured(f"GONOGO_DRAIN_SECONDS is {text!r}, which is not a number of seconds") from None


def _http_port(environ: Mapping[str, str]) -> int:
    text = environ.get("GONOGO_HTTP_PORT") or str(DEFAULT_HTTP_PORT)
    if not text.isdigit() or int(text) > 65_535:
        raise Misconfigured(f"GONOGO_HTTP_PORT is {text!r}, which is not a port number")
    return int(text)
