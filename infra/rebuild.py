"""Starting a service, or having it fold its projections again: `python -m services.planner --rebuild [NAME ...]`.

A rebuild throws the rows of the service's projections away and folds them from the first fact of the log. The service may
run meanwhile: its projector steps back and goes on afterwards. Says on stdout, as one JSON line each, what was rebuilt.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn, TypeVar

import msgspec

from infra import logs
from infra.checkpoint import Projection
from infra.config import Settings, load
from infra.errors import Misconfigured
from infra.eventlog import EventLog
from infra.process import Opening, run_service
from infra.projection import rebuild

S = TypeVar("S", bound=Settings)
Projections = Callable[[EventLog], Sequence[Projection]]


class Rebuilt(msgspec.Struct, frozen=True):
    """One projection that was folded again, up to `position`."""

    projection: str
    position: int


def run_or_rebuild(
    name: str,
    settings_type: type[S],
    build: Callable[[S], Opening],
    projections: Projections,
    argv: Sequence[str] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> NoReturn:
    """Runs the service, or rebuilds when the first argument is `--rebuild`. Exit codes as in `infra.process`."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] != ["--rebuild"]:
        run_service(name, settings_type, build, environ)
    try:
        settings = load(settings_type, environ)
        logs.set_up(name, settings.log_level)
        asyncio.run(_rebuild(settings, projections, frozenset(arguments[1:])))
    except Misconfigured as fault:
        print(f"{name}: {fault}", file=sys.stderr)  # noqa: T201 - for the person who started it
        sys.exit(2)
    sys.exit(0)


async def _rebuild(settings: Settings, projections: Projections, wanted: frozenset[str]) -> None:
    log = await EventLog.open(settings.database_url.reveal())
    try:
        own = projections(log)
        if unknown := wanted - {projection.name for projection in own}:
            raise Misconfigured(f"there is no projection {', '.join(sorted(unknown))} here")
        for projection in own:
            if not wanted or projection.name in wanted:
                position = await rebuild(log, projection)
                print(msgspec.json.encode(Rebuilt(projection.name, position)).decode(), flush=True)  # noqa: T201 - the output
    finally:
        await log.close()
