"""`gonogo demo`: a system of its own in a temporary folder, the demonstration on it, the record, the proof, and away."""

import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from contracts.refusals import Fault
from infra import logs
from infra.errors import Misconfigured
from infra.eventlog.verify import Verification
from infra.supervise import GaveUp, System
from services.cli.demo.progress import PrintedProgress, Progress
from services.cli.demo.run import SYSTEM_SETTINGS, Outcome, run_demo
from services.cli.exits import Exit
from services.cli.options import READ, Reading
from services.cli.output import NoticePrinter, Output
from services.cli.parts import all_services
from services.cli.problems import Problem, usage
from services.cli.record import show_entries
from services.cli.starting import Starting
from services.cli.tokens import ready_tokens
from services.cli.verify import verification

T = TypeVar("T")


def demo(checklist: Path | None = None, /, *, keep: bool = False, reading: Reading = READ) -> None:
    """Takes a real release through a system of its own, over HTTP, and proves what happened. Non-zero if anything is wrong.

    Parameters
    ----------
    checklist
        A Markdown checklist. Default: an example.
    keep
        Keep the folder, to look at the data and the logs afterwards.
    """
    if checklist is not None and not checklist.is_file():
        raise usage(f"There is no file {checklist}.")
    output = Output(as_json=reading.output == "json")
    home = Path(tempfile.mkdtemp(prefix="gonogo-demo-"))
    home.chmod(0o711)  # as root, PostgreSQL runs as another account and must be able to pass through
    (home / "work").mkdir(mode=0o700)
    try:
        outcome, found = asyncio.run(_play(home, checklist))
        _show(output, outcome, found)
    except asyncio.CancelledError:  # SIGTERM, drained as Ctrl-C is
        raise KeyboardInterrupt from None
    except Exception:
        keep = True  # its logs say why
        raise
    finally:
        if keep:
            output.note(f"The folder is kept: {home} (logs in {home / 'data' / 'logs'}).")
        else:
            shutil.rmtree(home, ignore_errors=True)


async def _play(home: Path, checklist: Path | None) -> tuple[Outcome, Verification]:
    logs.set_up("demo", "error")
    progress = PrintedProgress(sys.stderr)
    starting = Starting(sys.stderr, quiet=True)
    data, work = home / "data", home / "work"
    system = System(data, all_services(SYSTEM_SETTINGS), http_port=0, report=starting)
    try:
        with progress.step("PostgreSQL, NATS and seven services start") as step:
            await system.start()
            step.say(system.urls["gateway"])
        try:
            return await _until_failed(system, _on(system, data, work, checklist, progress))
        finally:
            with progress.step("Everything is stopped"):
                await system.stop()
    except (Misconfigured, GaveUp) as fault:
        raise Problem(f"{fault}.", Exit.REFUSED) from None


async def _on(
    system: System, data: Path, work: Path, checklist: Path | None, progress: Progress
) -> tuple[Outcome, Verification]:
    dsn = _database_of(system)
    tokens = await ready_tokens(dsn("gateway"), data / "secrets")
    outcome = await run_demo(
        system.urls["gateway"], tokens, folder=work, progress=progress, checklist=checklist, notice=NoticePrinter()
    )
    with progress.step("The whole log is verified") as step:
        found = await verification(dsn("audit"))
        step.say(f"{found.events} events, {found.streams} streams, {len(found.findings)} findings")
        if not found.sound:
            faults = [Fault(f"position {one.position}", one.what) for one in found.findings]
            raise Problem("The log is not sound.", Exit.REFUSED, faults=faults)
    return outcome, found


async def _until_failed(system: System, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, or why a part of the system cannot be kept running."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    ends: set[asyncio.Future[Any]] = {task, *([system.failed] if system.failed else [])}
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if not task.done() and system.failed is not None:
            system.failed.result()
        return await task
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _database_of(system: System) -> Callable[[str], str]:
    return lambda service: system.env_for(service)["GONOGO_DATABASE_URL"]


def _show(output: Output, outcome: Outcome, found: Verification) -> None:
    if output.as_json:
        output.json({"outcome": outcome, "verification": found})
        return
    output.heading(f"Operation record of plan {outcome.plan}")
    show_entries(output, outcome.entries)
    output.note(
        f"\nThe plan succeeded at position {outcome.position}: {outcome.boxes} boxes, {outcome.hooks} hooks; "
        f"the log of {found.events} events is gap-free and every hash is right."
    )
