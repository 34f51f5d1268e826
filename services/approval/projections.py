"""Keeps `view.delegation`, who gave their vote on all plans to whom, and `view.letter_round`, where letters may be due.

For lists and sweeps alone: a vote is decided, and a letter written, from the streams.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from contracts.envelope import Fact, category, stream_id
from contracts.letter import letter_stream
from contracts.people import DelegationEnded, DelegationGiven
from contracts.plan_events import PlanSubmitted
from contracts.registry import DECODERS
from infra.postgres import load_sql

if TYPE_CHECKING:
    from infra.checkpoint import Connection

_CLOSING = frozenset(
    {
        *("plan.approved.v1", "plan.denied.v1", "plan.approval_expired.v1"),
        *("plan.reopened.v1", "plan.cancelled.v1", "plan.timed_out.v1"),
    }
)
_COUNTS = {"letter.written.v1": 1, "letter.sent.v1": -1, "letter.given_up.v1": -1, "letter.resent.v1": 1}


class DelegationList:
    """The projection `delegations`."""

    name: ClassVar[str] = "delegations"
    tables: ClassVar[Sequence[str]] = ("view.delegation",)
    types: ClassVar[frozenset[str]] = frozenset({"delegation.given.v1", "delegation.ended.v1"})

    def __init__(self) -> None:
        self._put = load_sql("services.approval", "put_delegations")

    async def apply(self, conn: "Connection", facts: list[Fact]) -> None:
        """The last word about each pair of people."""
        rows: dict[tuple[str, str], tuple[int, int, str]] = {}
        for fact in facts:
            match DECODERS[fact.type](fact.payload) if fact.type in self.types else None:
                case DelegationGiven(to=to, until=until, reason=reason):
                    rows[fact.actor, to] = (until, fact.at, reason)
                case DelegationEnded(to=to):
                    rows[fact.actor, to] = (0, 0, "")
        if rows:
            columns = [(by, to, *row) for (by, to), row in rows.items()]
            await conn.execute(self._put, *map(list, zip(*columns, strict=True)))


class LetterRounds:
    """The projection `letter_rounds`."""

    name: ClassVar[str] = "letter_rounds"
    tables: ClassVar[Sequence[str]] = ("view.letter_round",)
    types: ClassVar[frozenset[str]] = frozenset({"plan.submitted.v1", *_CLOSING, *_COUNTS})

    def __init__(self) -> None:
        self._put = load_sql("services.approval", "put_round")
        self._close = load_sql("services.approval", "close_rounds")
        self._count = load_sql("services.approval", "count_letters")

    async def apply(self, conn: "Connection", facts: list[Fact]) -> None:
        """Rounds in the order of the log, then the letters of all of them: a letter comes after its round."""
        more: dict[str, int] = {}
        for fact in facts:
            if fact.type == "plan.submitted.v1":
                event = DECODERS[fact.type](fact.payload)
                assert isinstance(event, PlanSubmitted)
                plan = stream_id(fact.stream)
                await conn.execute(self._put, plan, event.round, letter_stream(plan, event.round), fact.at)
            elif fact.type in _CLOSING:
                await conn.execute(self._close, stream_id(fact.stream), fact.at)
            elif category(fact.stream) == "letter":
                more[fact.stream] = more.get(fact.stream, 0) + _COUNTS.get(fact.type, 0)
        if more:
            await conn.execute(self._count, list(more), list(more.values()))
