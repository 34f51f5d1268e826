"""The way to PostgreSQL: connections, pools, and SQL by name from `.sql` files.

It refuses to hide the database: no query building, no mapping.
"""

from collections.abc import Callable, Coroutine, Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import asyncpg

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    AnyConnection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

CONNECT_SECONDS = 5.0

Pool = asyncpg.Pool
Row = asyncpg.Record
DATABASE_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError)
"""What a server's refusal, or its absence in the middle of a conversation, is raised as."""


async def _keep_session(_connection: asyncpg.Connection) -> None:
    """Instead of asyncpg's RESET ALL at every release, which costs a round trip; we change no session settings."""


async def open_pool(
    dsn: str,
    *,
    size: int,
    name: str = "gonogo",
    settings: Mapping[str, str] | None = None,
    admit: "Callable[[AnyConnection], Coroutine[Any, Any, None]] | None" = None,
) -> asyncpg.Pool:
    """A pool of up to `size` connections, opened as they are needed, that does no work when one is given back.

    `name` is shown in pg_stat_activity; `settings` hold for each session. `admit` looks at each new connection before it is
    given to anybody; what it raises is raised to whoever wanted one. asyncpg still rolls back an open transaction
    on release. Raises what asyncpg raises when the server cannot be reached.
    """
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=size,
        reset=_keep_session,
        init=admit,
        timeout=CONNECT_SECONDS,
        server_settings={"application_name": name, **(settings or {})},
    )


async def answers(dsn: str, timeout_seconds: float = CONNECT_SECONDS) -> bool:
    """Whether a server lets us in at this address now. Raises PermissionError alone."""
    try:
        connection = await asyncpg.connect(dsn, timeout=timeout_seconds, ssl=False)
    except PermissionError:
        raise
    except (OSError, TimeoutError, *DATABASE_ERRORS):
        return False
    await connection.close()
    return True


@cache
def load_sql(package: str, name: str) -> str:
    """The statement in `sql/<name>.sql` beside the module package `package`."""
    return files(package).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
