"""Folded states that a process remembers, so that it need not read their streams from the beginning again.

The newest stay: at most so many of them, and no more of large ones than a process has room for.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from contracts.plan import Plan

S = TypeVar("S")

MOST_ITEMS = 20_000
"""Items of all remembered plans together: about 20 MB. One plan may have 10,000."""


def by_items(plan: Plan) -> int:
    """How large a plan is."""
    return len(plan.content.items)


class Remembered(Generic[S]):
    """States by stream, at most `most`. Together they weigh at most `MOST_ITEMS` by `weigh`, but for the newest, which stays."""

    def __init__(self, most: int, weigh: Callable[[S], int] | None = None) -> None:
        self._most = most
        self._weigh = weigh
        self._states: OrderedDict[str, S] = OrderedDict()
        self._weights: dict[str, int] = {}
        self._weight = 0

    def get(self, stream: str) -> S | None:
        return self._states.get(stream)

    def keep(self, stream: str, state: S) -> None:
        """Remember this state as the newest, in the place of an older one of its stream."""
        self._states[stream] = state
        self._states.move_to_end(stream)
        if self._weigh is not None:
            weight = self._weigh(state)
            self._weight += weight - self._weights.get(stream, 0)
            self._weights[stream] = weight
        while len(self._states) > self._most or (self._weight > MOST_ITEMS and len(self._states) > 1):
            self.forget(next(iter(self._states)))

    def forget(self, stream: str) -> None:
        """Also one that is not remembered."""
        self._states.pop(stream, None)
        self._weight -= self._weights.pop(stream, 0)
