"""The freezes as the log has them now, and which of them hold a plan.

A look is good for `_GOOD_SECONDS`, and whoever changes a freeze answers only when all looks from before have ended with
that (`settled`): so a start that is asked for after a freeze was answered never slips past it, and orders that come one
after the other share a look. Only what came after the last one is fetched, by an index of its own. What is remembered
is good for seeing what may be due.
"""

import asyncio
import math
from collections.abc import Iterable, Mapping

from contracts.envelope import Fact, category, stream_id
from contracts.freeze import FreezeState, fold_freeze
from contracts.plan import Plan
from contracts.plan_events import Frozen
from contracts.values import Content
from infra.errors import Unavailable
from infra.eventlog.log import facts
from infra.eventlog.stream_reader import Fetch
from infra.postgres import load_sql
from infra.recurrence import occurrences
from infra.tail import database_away

_GOOD_SECONDS = 0.1
_SETTLED_SECONDS = 0.15  # the clocks of two processes run alike, but not to the last tick
_MOST_STEPS = 1_000
"""Freezes that follow each other without a gap are followed this far; then one looks again."""


async def settled() -> None:
    """Wait until nobody relies any more on a look from before now. For whoever has just changed a freeze."""
    await asyncio.sleep(_SETTLED_SECONDS)


class Freezes:
    """One per process. All freezes that ever were, the deleted ones too, by id; `position` is the last change's."""

    def __init__(self, fetch: Fetch) -> None:
        """`fetch` runs a short query, as `EventLog.fetch` does."""
        self._fetch = fetch
        self._after = load_sql("infra", "freezes_after")
        self.position = 0
        self._stale = True
        self._turn = asyncio.Lock()
        self._begun = self._done = 0  # the numbers of the newest reading, and of the newest that succeeded
        self._good_until = -math.inf
        self._states: dict[str, FreezeState] = {}

    async def read(self) -> Mapping[str, FreezeState]:
        """The freezes now. Raises Unavailable. Who asks while a reading is under way shares the next one."""
        if not self._stale and asyncio.get_running_loop().time() < self._good_until:
            return self._states
        begun = self._begun
        async with self._turn:
            if self._done <= begun:  # else one that began after we asked has ended
                await self._read()
        return self._states

    async def _read(self) -> None:
        self._begun += 1
        good_until = asyncio.get_running_loop().time() + _GOOD_SECONDS
        try:
            self._stale = False
            for fact in facts(await self._fetch(self._after, self.position)):
                self._take(fact)
        except BaseException as error:  # also when we are cancelled
            self._stale = True
            if database_away(error):
                raise Unavailable("the database") from error
            raise
        self._done, self._good_until = self._begun, good_until

    async def recall(self) -> Mapping[str, FreezeState]:
        """The freezes as they are remembered, which `observe` keeps true but for the last moments. Raises Unavailable."""
        return await self.read() if self._stale else self._states

    def observe(self, seen: Iterable[Fact]) -> None:
        """A follower of the log has seen these: a freeze among them is read when it is next asked for."""
        if any(category(fact.stream) == "freeze" for fact in seen):
            self._stale = True

    def _take(self, fact: Fact) -> None:
        id_ = stream_id(fact.stream)
        state = fold_freeze((fact,), self._states.get(id_))
        assert state is not None
        self._states = {**self._states, id_: state}
        self.position = fact.position


def frozen_within(
    freezes: Mapping[str, FreezeState], project: str, content: Content, start: int, end: int
) -> tuple[Frozen, ...]:
    """The occurrences that concern such a plan and touch the time from `start` until before `end` (Unix µs), in order."""
    found = [
        Frozen(freeze=state.id, name=state.freeze.name, start=one.start, end=one.end)
        for state in freezes.values()
        if state.freeze is not None and state.freeze.scope.concerns(project, content)
        for one in occurrences(state.freeze, start, end)
    ]
    return tuple(sorted(found, key=lambda one: (one.start, one.end, one.freeze)))


def frozen_at(freezes: Mapping[str, FreezeState], plan: Plan, at: int) -> Frozen | None:
    """What holds this plan at this moment, overrides left out; its `end` is when nothing holds it any more.

    Occurrences that follow each other without a gap are one wait; the name is that of the first.
    """
    first: Frozen | None = None
    until = at
    for _ in range(_MOST_STEPS):
        holding = [
            one
            for one in frozen_within(freezes, plan.project, plan.content, until, until + 1)
            if not plan.overrides_freeze(one)
        ]
        if not holding:
            break
        first = first or holding[0]
        until = max(one.end for one in holding)
    return Frozen(freeze=first.freeze, name=first.name, start=first.start, end=until) if first is not None else None
