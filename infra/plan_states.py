"""Plans as they were at a position of the log, for projections that need the state before and after each fact.

A projection folds in batches and may be asked for the same batch again after a failed transaction, so a remembered state
is used only if it stands exactly before the batch; else the stream is read again up to there.
"""

from collections.abc import Awaitable, Callable, Iterable

from contracts.envelope import Fact, category
from contracts.evolve import fold
from contracts.plan import Plan
from infra.remembered import Remembered, by_items

ReadStream = Callable[[str, int], Awaitable[list[Fact]]]


class PlanStates:
    """Remembers the newest states of plans, see `Remembered`. `read_stream(stream, after_version)` reads the log."""

    def __init__(self, read_stream: ReadStream, remember: int = 128) -> None:
        self._read_stream = read_stream
        self._plans: Remembered[Plan] = Remembered(remember, by_items)

    async def before(self, first: Fact) -> Plan | None:
        """The plan just before this fact of its stream; `None` where the fact is the first."""
        if first.version == 1:
            return None
        known = self._plans.get(first.stream)
        if known is not None and known.version == first.version - 1:
            return known
        facts = await self._read_stream(first.stream, 0)
        return fold(fact for fact in facts if fact.version < first.version)

    def keep(self, stream: str, plan: Plan | None) -> None:
        """Remember the state after the last fact that was folded."""
        if plan is not None:
            self._plans.keep(stream, plan)


def by_stream(facts: Iterable[Fact], wanted: str) -> dict[str, list[Fact]]:
    """The facts of one category, by stream, in order."""
    found: dict[str, list[Fact]] = {}
    for fact in facts:
        if category(fact.stream) == wanted:
            found.setdefault(fact.stream, []).append(fact)
    return found
