"""The database of a data folder, whether its system runs or not, for the commands that check and repair.

Where the system runs its database is used beside it. Where it does not, PostgreSQL alone is started for the time of the
command. It creates no folder and no database.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from infra.embedded.folder import DataFolder
from infra.embedded.ports import LOOPBACK
from infra.embedded.postgres import DATABASE, SUPERUSER, PostgresServer
from infra.embedded.secrets import SERVICES, passwords
from infra.errors import Misconfigured
from infra.migrate import migrate
from infra.postgres import answers
from services.cli.exits import Exit
from services.cli.parts import folder_of
from services.cli.problems import Problem, usage

Dsn = Callable[[str], str]
"""From a service's name to the address at which it logs in; from `SUPERUSER` to a superuser's."""


@asynccontextmanager
async def database(
    data: Path | None, environ: Mapping[str, str], notice: Callable[[str], None], *, migrated: bool = False
) -> AsyncIterator[Dsn]:
    """The addresses, usable inside the context. `GONOGO_DATABASE_URL` is used for every service where it is set and no
    folder was named. With `migrated` a database that is started here is brought to what this version needs.

    Raises `Problem`.
    """
    if data is None and (url := environ.get("GONOGO_DATABASE_URL")):
        yield lambda _service: url
        return
    path = folder_of(data, environ)
    if not (path / "format").exists():
        raise usage(f"{path} is no data folder of GoNoGo; name one with --data or GONOGO_DATA.")
    running = await _running(path)
    if running is not None:
        yield running
        return
    try:
        async with _alone(path, environ, notice, migrated) as dsn:
            yield dsn
    except Misconfigured as fault:
        raise usage(f"{fault}.") from None


async def _running(path: Path) -> Dsn | None:
    """The addresses of a system that runs on this folder; None when none answers."""
    try:
        port = int((path / "postgres" / "port").read_text())
        roles = msgspec.json.decode((path / "secrets" / "database.json").read_bytes(), type=dict[str, str])
        superuser = msgspec.json.decode((path / "secrets" / "superuser.json").read_bytes(), type=dict[str, str])
        dsn = _dsn_of(port, roles, superuser[SUPERUSER])
        found = await answers(dsn("audit"))
    except PermissionError:
        raise usage(f"The data folder {path} belongs to another user.") from None
    except (OSError, ValueError, KeyError, msgspec.DecodeError):
        return None
    return dsn if found else None


@asynccontextmanager
async def _alone(
    path: Path, environ: Mapping[str, str], notice: Callable[[str], None], migrated: bool
) -> AsyncIterator[Dsn]:
    folder = DataFolder.open(path, environ)
    try:
        if not (folder.postgres / "cluster").exists():
            raise Misconfigured(f"the data folder {path} holds no database yet")
        server = PostgresServer(folder, environ)
        notice("no system runs on this folder; PostgreSQL is started for this command")
        await server.start()
        try:
            roles = passwords(folder.secrets / "database.json", SERVICES)
            superuser = passwords(folder.secrets / "superuser.json", [SUPERUSER])
            if migrated:
                await migrate(server.admin_dsn(), roles)
            yield _dsn_of(server.port, roles, superuser[SUPERUSER])
        finally:
            await server.stop()
    finally:
        folder.close()


def _dsn_of(port: int, roles: Mapping[str, str], superuser: str) -> Dsn:
    def dsn(who: str) -> str:
        user, password = (SUPERUSER, superuser) if who == SUPERUSER else (f"gonogo_{who}", roles[who])
        return f"postgresql://{user}:{password}@{LOOPBACK}:{port}/{DATABASE}"

    return dsn


def away(error: Exception) -> Problem:
    """The problem of a database that does not answer. Its address may hold a password, so it is not shown."""
    return Problem(f"The database does not answer ({type(error).__name__}).", Exit.AWAY)
