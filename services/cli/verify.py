"""`gonogo verify`: walks the whole log and checks every promise that its readers rely on."""

import asyncio
import os
import sys
from pathlib import Path

from rich.status import Status
from rich.text import Text

from infra.eventlog.verify import Verification
from infra.eventlog.verify import verify as walk
from infra.postgres import DATABASE_ERRORS, open_pool
from services.cli.database import away, database
from services.cli.exits import Exit
from services.cli.options import READ, Reading
from services.cli.output import NoticePrinter, Output, console_on

_SHOWN = 100


def verify(*, data: Path | None = None, reading: Reading = READ) -> int:
    """Checks the whole log: no gap, dense versions, every leaf hash, the head. Exit code 1 when something is found.

    Parameters
    ----------
    data
        The data folder, whether its system runs or not. Default: GONOGO_DATABASE_URL, else GONOGO_DATA, else .gonogo.
    """
    found = asyncio.run(_verify(data))
    output = Output(as_json=reading.output == "json")
    if output.as_json:
        output.json(found)
    else:
        show_verification(output, found)
    return Exit.OK if found.sound else Exit.REFUSED


async def _verify(data: Path | None) -> Verification:
    try:
        async with database(data, os.environ, NoticePrinter()) as dsn:
            with _Waiting("walking the log"):
                return await verification(dsn("audit"))
    except (OSError, TimeoutError, *DATABASE_ERRORS) as error:
        raise away(error) from None


async def verification(dsn: str) -> Verification:
    """What the walk found, as the role of this address."""
    pool = await open_pool(dsn, size=1, name="gonogo verify")
    try:
        return await walk(pool)
    finally:
        await pool.close()


def show_verification(output: Output, found: Verification) -> None:
    """What was walked, and each finding."""
    output.pairs(
        {"Events": found.events, "Streams": found.streams, "Commands": found.commands, "Findings": len(found.findings)}
    )
    if found.sound:
        output.note("The log is sound: gap-free, every version and every hash as it must be.", style="green")
        return
    output.table(("position", "finding"), [(one.position, one.what) for one in found.findings[:_SHOWN]])
    if len(found.findings) > _SHOWN:
        output.note(f"... and {len(found.findings) - _SHOWN} more; -o json shows all.")


class _Waiting:
    """Something turns on a terminal while it lasts; a plain line elsewhere."""

    def __init__(self, text: str) -> None:
        console = console_on(sys.stderr)
        self._live = Status(Text(text), console=console) if console.is_terminal else None
        if self._live is None:
            console.print(Text(text))

    def __enter__(self) -> None:
        if self._live is not None:
            self._live.start()

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
