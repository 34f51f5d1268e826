"""The way to PostgreSQL: connections, pools, and SQL by name from `.sql` files.

It refuses to hide the database: no query building, no mapping.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import asyncpg

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    AnyConnection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

CONNECT_SECONDS = 5.0
PATIENCE_SECONDS = 20.0
"""Of a service with a statement. Longer than the server allows one (15 s): it ends only what will have no answer."""

_RELEASE_SECONDS = 1.0
"""How long a connection may take to end what was cancelled on it; then it is closed."""

Pool = asyncpg.Pool
Row = asyncpg.Record
DATABASE_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError)
"""What a server's refusal, or its absence in the middle of a conversation, is raised as."""


async def _keep_session(_connection: asyncpg.Connection) -> None:
    """Instead of asyncpg's RESET ALL at every release, which costs a round trip; we change no session settings."""


class _Pool(asyncpg.Pool):
    """A pool that waits for no server for ever.

    A server that is silent (its machine is off, its disk hangs) breaks no connection, so asyncpg alone would wait as long
    as TCP does, for a free connection, for the answer, and for the end of what it has cancelled.
    """

    patience_seconds: float | None = None

    async def release(self, connection: Any, *, timeout: float | None = None) -> None:
        await super().release(connection, timeout=_RELEASE_SECONDS if timeout is None else timeout)

    async def fetch(self, *arguments: Any, **named: Any) -> Any:
        async with asyncio.timeout(self.patience_seconds):
            return await super().fetch(*arguments, **named)

    async def fetchrow(self, *arguments: Any, **named: Any) -> Any:
        async with asyncio.timeout(self.patience_seconds):
            return await super().fetchrow(*arguments, **named)

    async def fetchval(self, *arguments: Any, **named: Any) -> Any:
        async with asyncio.timeout(self.patience_seconds):
            return await super().fetchval(*arguments, **named)

    async def execute(self, *arguments: Any, **named: Any) -> Any:
        async with asyncio.timeout(self.patience_seconds):
            return await super().execute(*arguments, **named)


async def open_pool(
    dsn: str,
    *,
    size: int,
    name: str = "gonogo",
    settings: Mapping[str, str] | None = None,
    admit: "Callable[[AnyConnection], Coroutine[Any, Any, None]] | None" = None,
    patience_seconds: float | None = None,
) -> asyncpg.Pool:
    """A pool of up to `size` connections, opened as they are needed, that does no work when one is given back.

    `name` is shown in pg_stat_activity; `settings` hold for each session. `admit` looks at each new connection before it is
    given to anybody; what it raises is raised to whoever wanted one. asyncpg still rolls back an open transaction
    on release. With `patience_seconds` a statement, and a query of the pool itself with the wait for a connection, takes
    no longer: then TimeoutError. Raises what asyncpg raises when the server cannot be reached.
    """
    pool = _Pool(
        dsn,
        min_size=1,
        max_size=size,
        max_queries=50_000,
        max_inactive_connection_lifetime=300.0,
        connect=None,
        setup=None,
        init=admit,
        reset=_keep_session,
        loop=None,
        connection_class=asyncpg.Connection,
        record_class=asyncpg.Record,
        timeout=CONNECT_SECONDS,
        command_timeout=patience_seconds,
        server_settings={"application_name": name, **(settings or {})},
    )
    pool.patience_seconds = patience_seconds
    return await pool


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
