"""Keeps `view.delegation`: who gave their vote on all plans to whom. For lists; a vote is decided from the streams."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from contracts.envelope import Fact
from contracts.people import DelegationEnded, DelegationGiven
from contracts.registry import DECODERS
from infra.postgres import load_sql

if TYPE_CHECKING:
    from infra.projection import Connection

_TYPES = frozenset({"delegation.given.v1", "delegation.ended.v1"})


class DelegationList:
    """The projection `delegations`."""

    name: ClassVar[str] = "delegations"
    tables: ClassVar[Sequence[str]] = ("view.delegation",)

    def __init__(self) -> None:
        self._put = load_sql("services.approval", "put_delegations")

    async def apply(self, conn: "Connection", facts: list[Fact]) -> None:
        """The last word about each pair of people."""
        rows: dict[tuple[str, str], tuple[int, int, str]] = {}
        for fact in facts:
            match DECODERS[fact.type](fact.payload) if fact.type in _TYPES else None:
                case DelegationGiven(to=to, until=until, reason=reason):
                    rows[fact.actor, to] = (until, fact.at, reason)
                case DelegationEnded(to=to):
                    rows[fact.actor, to] = (0, 0, "")
        if rows:
            columns = [(by, to, *row) for (by, to), row in rows.items()]
            await conn.execute(self._put, *map(list, zip(*columns, strict=True)))
