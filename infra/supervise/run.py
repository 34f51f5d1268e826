"""Runs a system in the foreground until a signal: what `gonogo up` calls.

The first SIGINT, SIGTERM or SIGHUP drains and stops everything, a second one kills what still drains.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from infra import logs
from infra.errors import Misconfigured
from infra.supervise.report import Reporter, StderrReporter
from infra.supervise.spec import GaveUp, ServiceSpec
from infra.supervise.system import System

STOPPED, FAILED, MISCONFIGURED = 0, 1, 2


async def run(
    folder: Path,
    services: Sequence[ServiceSpec],
    *,
    http_port: int | None = None,
    report: Reporter | None = None,
    environ: Mapping[str, str] = os.environ,
    drain_seconds: float | None = None,
    on_ready: Callable[[System], Awaitable[None]] | None = None,
) -> int:
    """The exit code: 0 after a signal, 1 when a part cannot be kept running, 2 when a folder or port is wrong.

    `on_ready` is awaited once, when every part is ready.
    What went wrong was then said in one sentence to `report` (default: lines on stderr). Nothing is left running.
    """
    report = report or StderrReporter()
    # Our own log lines (of the migration) are not for the person who watches.
    logs.set_up("supervisor", "error")
    try:
        system = System(
            folder, services, http_port=http_port, report=report, environ=environ, drain_seconds=drain_seconds
        )
        return await _until_signal(system, report, on_ready)
    except Misconfigured as fault:
        report.notice(str(fault))
        return MISCONFIGURED
    except GaveUp as fault:
        report.notice(f"{fault}; everything is stopped")
        return FAILED


async def _until_signal(system: System, report: Reporter, on_ready: Callable[[System], Awaitable[None]] | None) -> int:
    ending = asyncio.Event()
    handled = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if ending.is_set():
            system.hurry()
        ending.set()

    for number in handled:
        loop.add_signal_handler(number, on_signal)
    life = asyncio.create_task(_live(system, on_ready))
    signalled = asyncio.create_task(ending.wait())
    try:
        await asyncio.wait({life, signalled}, return_when=asyncio.FIRST_COMPLETED)
        if not life.done():
            report.step("stopping")
            life.cancel()
        try:
            await life
        except asyncio.CancelledError:
            report.step("stopped")
        return STOPPED
    finally:
        await system.stop()  # again: a signal may have come while it was stopping by itself
        signalled.cancel()
        for number in handled:
            loop.remove_signal_handler(number)


async def _live(system: System, on_ready: Callable[[System], Awaitable[None]] | None) -> None:
    async with system:
        if on_ready is not None:
            await on_ready(system)
        if system.failed is not None:
            await asyncio.shield(system.failed)
