"""Which plans a freeze was seen to hold, for as long as it holds them. A hint: whoever looks at a plan reads its state.

Between a plan's hold and the row of its timer a change of the freeze finds the plan here and nowhere else.
"""

from collections.abc import Iterable

from contracts.envelope import Fact

_HELD = "plan.held.v1"
OVER = frozenset(
    {
        "plan.start_requested.v1",
        "plan.execution_started.v1",
        "plan.schedule_missed.v1",
        "plan.freeze_overridden.v1",
        "plan.sealed.v1",
        "plan.reopened.v1",
        "plan.cancelled.v1",
        "plan.timed_out.v1",
        "plan.denied.v1",
        "plan.approval_expired.v1",
        "plan.succeeded.v1",
        "item.started.v1",
    }
)
"""After these the plan is held no more, or is told to be so again."""


class HeldPlans:
    """Streams of plans. No more of them than are held."""

    def __init__(self) -> None:
        self._streams: set[str] = set()

    def __len__(self) -> int:
        return len(self._streams)

    def observe(self, facts: Iterable[Fact]) -> None:
        """These facts came, in this order."""
        for fact in facts:
            if fact.type == _HELD:
                self._streams.add(fact.stream)
            elif self._streams and fact.type in OVER:
                self._streams.discard(fact.stream)

    def take(self) -> set[str]:
        """Those that are held; they are forgotten, as whoever looks at them finds out anew."""
        taken, self._streams = self._streams, set()
        return taken
