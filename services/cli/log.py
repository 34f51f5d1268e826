"""`gonogo log restored`: after a restore from a backup, says to everybody that this is another history of the log."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from infra.embedded.postgres import SUPERUSER
from infra.errors import Corrupt, Misconfigured
from infra.eventlog.restored import Renewed, renew
from infra.postgres import DATABASE_ERRORS
from services.cli.database import away, database
from services.cli.exits import Exit
from services.cli.options import READ, Reading
from services.cli.output import NoticePrinter, Output
from services.cli.problems import Problem, usage


def restored(
    *, data: Path | None = None, yes: Annotated[bool, Parameter(negative=())] = False, reading: Reading = READ
) -> None:
    """Gives the log a new epoch, after its database was restored from a backup. Each call gives another one.

    Parameters
    ----------
    data
        The data folder, whether its system runs or not. Default: GONOGO_DATABASE_URL (a superuser's), else GONOGO_DATA,
        else .gonogo.
    yes
        Do not ask.
    """
    output = Output(as_json=reading.output == "json")
    if not yes:
        _ask(output)
    done = asyncio.run(_restored(data))
    if output.as_json:
        output.json(done)
        return
    output.note(sentence(done), style="green")
    if done.ahead:
        output.note(
            f"Ahead of the log, so not restored with it: {', '.join(done.ahead)}. Run `gonogo rebuild`.", style="yellow"
        )


def sentence(done: Renewed) -> str:
    """What was done, for a person."""
    return (
        f"The log has the new epoch {done.epoch} (it was {done.old_epoch}) and goes on after position {done.position}: "
        f"no event gets an id that another one had. {done.ended} connections of services were ended; services that knew "
        "another log end and start again, and the relay makes the mirror anew."
    )


def _ask(output: Output) -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise usage("Everybody who follows the log begins anew after this. Say --yes if the database was restored.")
    output.note("Everybody who follows the log begins anew after this. Was the database restored? Type yes: ")
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise Problem("Nothing was changed.", Exit.REFUSED)


async def _restored(data: Path | None) -> Renewed:
    try:
        async with database(data, os.environ, NoticePrinter()) as dsn:
            return await renew(dsn(SUPERUSER))
    except Corrupt as fault:
        raise Problem(
            f"The log is not sound at its end, so nothing was changed: {fault}. `gonogo verify` shows all; "
            "restore another backup.",
            Exit.REFUSED,
        ) from None
    except Misconfigured as fault:
        raise usage(f"{fault}; nothing was changed.") from None
    except (OSError, TimeoutError, *DATABASE_ERRORS) as error:
        raise away(error) from None
