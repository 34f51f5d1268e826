"""Short queries on a connection that is kept, with its statements prepared: a third of the work of going through the pool.

One query at a time uses it; who comes meanwhile takes the pool, as does the one for whom it broke. It holds no
transaction and no setting, so nothing is lost with it.
"""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import asyncpg

from infra.postgres import DATABASE_ERRORS

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy
    from asyncpg.prepared_stmt import PreparedStatement

    Rows = list[asyncpg.Record]


class Kept:
    """Reads through `pool`, of which it keeps one connection from the first query on."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool
        self._connection: PoolConnectionProxy[asyncpg.Record] | None = None
        self._statements: dict[str, PreparedStatement[asyncpg.Record]] = {}
        self._turn = asyncio.Lock()
        self._closed = False

    async def fetch(self, query: str, *arguments: object, timeout_seconds: float) -> "Rows":
        """The rows. Raises what asyncpg raises."""
        if not self._turn.locked() and not self._closed:
            async with self._turn:
                try:
                    return await self._on_kept(query, arguments, timeout_seconds)
                except asyncpg.InvalidCachedStatementError:  # a table has changed under the prepared statement
                    await self._let_go()
                except BaseException:
                    await self._let_go()
                    raise
        return await self._pool.fetch(query, *arguments, timeout=timeout_seconds)

    async def _on_kept(self, query: str, arguments: tuple[object, ...], timeout_seconds: float) -> "Rows":
        if self._connection is None:
            async with asyncio.timeout(timeout_seconds):  # asyncpg's own would forget a cancellation, in Python 3.11
                self._connection = await self._pool.acquire()
        statement = self._statements.get(query)
        if statement is None:
            statement = self._statements[query] = await self._connection.prepare(query, timeout=timeout_seconds)
        return await statement.fetch(*arguments, timeout=timeout_seconds)

    async def _let_go(self) -> None:
        """Give the connection back to the pool, which closes it where it is dead."""
        connection, self._connection = self._connection, None
        self._statements.clear()
        if connection is not None:
            with suppress(OSError, TimeoutError, *DATABASE_ERRORS):
                await self._pool.release(connection)

    async def close(self) -> None:
        """Lets go of the connection, once the query that uses it has ended, so that the pool can be closed."""
        self._closed = True
        async with self._turn:
            await self._let_go()
