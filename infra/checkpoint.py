"""Moving a projection on by a list of facts: its rows and its checkpoint together, or neither.

The checkpoint moves by compare-and-set, so that of two projectors at one place one writes and the other is told.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeGuard

from contracts.envelope import Fact, Position
from infra.postgres import load_sql

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record]


class Projected(Protocol):
    """What every projection says of itself. `tables` are all that it writes, with their schema, in no order.

    `types` are the only event types that change anything in them, `None` where all may.
    """

    @property
    def name(self) -> str: ...

    @property
    def tables(self) -> Sequence[str]: ...

    @property
    def types(self) -> frozenset[str] | None: ...


class Writing(Projected, Protocol):
    """A projection that writes within our transaction, as many statements as it needs."""

    async def apply(self, conn: "Connection", facts: list[Fact]) -> None:
        """Write what these facts change, inside the caller's transaction: fold in memory, then one upsert per table.

        The rows may depend on the facts alone: no clock, no chance, and not on how the facts were cut into lists.
        """
        ...


class AtOnce(Projected, Protocol):
    """A projection that writes in a single statement, its checkpoint with it: one way to the database instead of five."""

    async def statement(self, facts: list[Fact]) -> tuple[str, Sequence[object]]:
        """The statement, and its parameters from the fourth on; the rows as in `Writing.apply`.

        It takes name, position before and position after as the first three, moves the checkpoint as `checkpoint_move.sql`
        does, writes nothing where that moves nothing, and answers with the number of checkpoints moved.
        """
        ...


Projection = Writing | AtOnce
"""What to fold into which tables."""


class Superseded(Exception):
    """Another projector of the same name moved the checkpoint."""


async def advance(
    conn: "Connection", projection: Projection, before: Position, last: Position, facts: list[Fact]
) -> None:
    """Move the checkpoint from `before` to `last` and write what these facts change. Raises Superseded, or what writing does."""
    if facts and _at_once(projection):
        statement, parameters = await projection.statement(facts)
        if await conn.fetchval(statement, projection.name, before, last, *parameters) != 1:
            raise Superseded
        return
    async with conn.transaction():
        if await conn.execute(load_sql("infra", "checkpoint_move"), projection.name, before, last) != "UPDATE 1":
            raise Superseded
        if facts and _writing(projection):
            await projection.apply(conn, facts)


def _at_once(projection: Projection) -> TypeGuard[AtOnce]:
    return hasattr(projection, "statement")


def _writing(projection: Projection) -> TypeGuard[Writing]:
    return hasattr(projection, "apply")
