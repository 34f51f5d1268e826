"""`gonogo rebuild`: each service drops and folds again what it derives from the log, as a process of its own.

The system may run meanwhile; its projectors step back and go on afterwards.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from infra import logs
from services.cli.database import Dsn, database
from services.cli.exits import Exit
from services.cli.options import READ, Reading
from services.cli.output import NoticePrinter, Output
from services.cli.parts import PROJECTIONS, command_of
from services.cli.problems import Problem, usage

_NOT_THEIRS = ("GONOGO_DATABASE_URL_FILE", "GONOGO_NATS_PASSWORD_FILE", "GONOGO_STATUS_FILE", "GONOGO_START_FILE")


def rebuild(*, projection: str | None = None, data: Path | None = None, reading: Reading = READ) -> None:
    """Drops and rebuilds what is derived from the log.

    Parameters
    ----------
    projection
        Only this one. Default: all.
    data
        The data folder, whether its system runs or not. Default: GONOGO_DATABASE_URL, else GONOGO_DATA, else .gonogo.
    """
    if projection is not None and projection not in PROJECTIONS:
        raise usage(f"There is no projection {projection}; there are {', '.join(PROJECTIONS)}.")
    done = asyncio.run(_rebuild([projection] if projection else list(PROJECTIONS), data))
    output = Output(as_json=reading.output == "json")
    if output.as_json:
        output.json(done)
    else:
        output.table(("projection", "service", "position"), [tuple(one.values()) for one in done])


async def _rebuild(wanted: list[str], data: Path | None) -> list[dict[str, object]]:
    logs.set_up("rebuild", "error")
    notice = NoticePrinter()
    async with database(data, os.environ, notice, migrated=True) as dsn:
        return [await _one(name, PROJECTIONS[name], dsn, os.environ) for name in wanted]


async def _one(name: str, service: str, dsn: Dsn, environ: Mapping[str, str]) -> dict[str, object]:
    kept = {variable: value for variable, value in environ.items() if variable not in _NOT_THEIRS}
    process = await asyncio.create_subprocess_exec(
        *command_of(service, "--rebuild", name),
        env={**kept, "GONOGO_DATABASE_URL": dsn(service), "GONOGO_LOG_LEVEL": "error"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    if process.returncode != 0:
        lines = err.decode(errors="replace").strip().splitlines()
        raise Problem(
            f"{service} could not rebuild {name}: {lines[-1] if lines else 'it gave no reason'}", Exit.REFUSED
        )
    print(f"rebuilt {name}", file=sys.stderr, flush=True)
    line = msgspec.json.decode(out.splitlines()[-1], type=dict[str, object])
    return {"projection": name, "service": service, "position": line["position"]}
