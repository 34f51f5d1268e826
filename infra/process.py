"""The shell of every service: settings, logs, status listener, start, SIGTERM, drain, end.

`services/<name>/__main__.py` calls `run_service` and nothing else. Exit codes: 0 after a signal, 1 after a failure (said in
one line of log), 2 when a setting is wrong (said in one sentence on stderr).
"""

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, NoReturn, Protocol, TypeVar

import structlog

from infra import logs
from infra.config import Settings, load
from infra.errors import Corrupt, Misconfigured, Unavailable
from infra.status import StatusListener

_SHORTEST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0
_GATE_SECONDS = 0.01
_LAST_SECONDS = 1.0
"""After a drain that was cut short: for what does not end although it was told to."""

log = structlog.get_logger(__name__)


class Service(Protocol):
    """What `build(settings)` opens. It may also have `failed: asyncio.Future[None]`, whose end ends the process."""

    def ready(self) -> str | None:
        """None when work may be sent, else the reason why not. Called often: it looks, it does not ask."""


S = TypeVar("S", bound=Settings)
Opening = AbstractAsyncContextManager[Service]


def run_service(
    name: str, settings_type: type[S], build: Callable[[S], Opening], environ: Mapping[str, str] = os.environ
) -> NoReturn:
    """Runs a service until a signal or a failure, then ends the process.

    `build(settings)` is opened again, with growing pauses, while a server that it needs is away or not yet migrated.
    What it closes on exit is the drain; it gets `drain_seconds` for it, a second signal ends it at once.
    """
    try:
        settings = load(settings_type, environ)
    except Misconfigured as fault:
        print(f"{name}: {fault}", file=sys.stderr)  # noqa: T201 - for the person who started it; no log is set up yet
        sys.exit(2)
    logs.set_up(name, settings.log_level)
    with asyncio.Runner(loop_factory=_loop_factory(settings.uvloop)) as runner:
        code = runner.run(Process(settings, lambda: build(settings)).run())
    sys.exit(code)


class Process:
    """One life of a service inside a running loop."""

    def __init__(self, settings: Settings, build: Callable[[], Opening]) -> None:
        self._settings = settings
        self._build = build
        self._service: Service | None = None
        self._obstacle: str | None = "starting"
        self._ending = asyncio.Event()
        self._task: asyncio.Task[int] | None = None
        self._failure: Exception | None = None

    async def run(self) -> int:
        """The exit code."""
        self._task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, signal.Signals(number).name)
        settings = self._settings
        try:
            listener = await StatusListener.open(
                settings.status_host, settings.status_port, self.ready, settings.status_file
            )
        except Misconfigured as fault:
            print(fault, file=sys.stderr)  # noqa: T201 - for the person who started it
            return 2
        log.info("service_starting", status_port=listener.port, pid=os.getpid())
        try:
            return await self._live()
        finally:
            await listener.close()

    def ready(self) -> str | None:
        """None when work may be sent, else the reason why not."""
        if self._obstacle is not None or self._service is None:
            return self._obstacle or "starting"
        return self._service.ready()

    def _on_signal(self, name: str) -> None:
        log.info("signal_received", signal=name)
        self._end_at_the_latest(0)
        opening, again = self._service is None, self._ending.is_set()
        self._ending.set()
        if (opening or again) and self._task is not None:
            self._task.cancel()

    async def _live(self) -> int:
        try:
            await self._open_until_end()
        except asyncio.CancelledError:
            if not self._ending.is_set():
                raise
            asyncio.current_task().uncancel()  # type: ignore[union-attr] # we run inside a task
            log.info("service_stopped")
            return 0
        except Misconfigured as fault:
            log.error("service_misconfigured", reason=str(fault))
            return 2
        except Exception as error:
            if self._ending.is_set() and _is_away(error):  # the servers were stopped with us
                log.warning("drain_failed", reason=_sentence(error))
                return 0
            # A failure that has a name says enough; any other is a defect, whose place must be known.
            log.error("service_failed", reason=_sentence(error), exc_info=not isinstance(error, Unavailable | Corrupt))
            return 1
        log.info("service_stopped")
        return 0

    async def _open_until_end(self) -> None:
        """Opens until it succeeds. In one task from entering to leaving, as task groups and cancel scopes demand."""
        while self._settings.start_file is not None and not self._settings.start_file.exists():  # noqa: ASYNC110
            await asyncio.sleep(_GATE_SECONDS)  # the file is made by another process
        pause = _SHORTEST_PAUSE_SECONDS
        while True:
            try:
                await self._open_once()
            except Exception as error:
                if self._service is not None or not _is_away(error):
                    raise
                self._wait_for(_sentence(error))
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
            else:
                return

    async def _open_once(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as limit, self._build() as service:
                self._service, self._obstacle = service, None
                _settle()
                log.info("service_started")
                try:
                    await self._until_end(service)
                except Exception as error:
                    self._failure = error
                    self._end_at_the_latest(1)
                    raise
                finally:
                    self._obstacle = "draining"
                    limit.reschedule(loop.time() + self._settings.drain_seconds)
        except TimeoutError:
            if not limit.expired():
                raise
            log.warning("drain_cut_short", after_seconds=self._settings.drain_seconds)
            if self._failure is not None:
                raise self._failure from None

    async def _until_end(self, service: Service) -> None:
        """Returns at a signal; raises what ended the service otherwise."""
        ending = asyncio.ensure_future(self._ending.wait())
        failed: asyncio.Future[Any] | None = getattr(service, "failed", None)
        ends: list[asyncio.Future[Any]] = [ending] if failed is None else [ending, failed]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ending.cancel()
        if failed is not None and failed.done():
            failed.result()
            raise RuntimeError("a part of the service ended by itself")

    def _end_at_the_latest(self, code: int) -> None:
        """A library that swallows its cancellation (seen: a NATS client whose server is gone) must not keep us alive.

        A thread, since closing the loop itself waits for every task. Once it is armed the process ends in any case.
        """
        last = threading.Timer(self._settings.drain_seconds + _LAST_SECONDS, _end_now, [code])
        last.daemon = True
        last.start()

    def _wait_for(self, reason: str) -> None:
        obstacle = f"waiting: {reason}"
        if obstacle != self._obstacle:  # said once, not at each try
            log.warning("waiting_for_server", reason=reason)
        self._obstacle = obstacle


def _end_now(code: int) -> None:
    log.warning("drain_never_ended")
    os._exit(code)


def _settle() -> None:
    """What is loaded by now stays for life: have the collector neither look at it again nor look as often as by default.

    Our values are structs that can hold no cycles, so what it would find is little, and looking took a tenth of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _is_away(error: BaseException) -> bool:
    """Whether trying again may help: a server does not answer, or the database is not migrated yet.

    The drivers' errors are recognised without importing them: a service that does not use one does not load it.
    """
    if isinstance(error, BaseExceptionGroup):
        return all(_is_away(part) for part in error.exceptions)
    if isinstance(error, Unavailable | OSError | TimeoutError):
        return True
    drivers = (("asyncpg", "PostgresError"), ("asyncpg", "InterfaceError"), ("nats.errors", "Error"))
    found = (getattr(sys.modules.get(module), name, None) for module, name in drivers)
    return any(isinstance(error, kind) for kind in found if kind is not None)


def _sentence(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _loop_factory(wanted: bool) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if not wanted:
        return None
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
