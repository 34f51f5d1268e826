"""given / when / then for deciders: `given(plan).when(lambda p: decide(p, ...)).then(event)` or `.refused(code)`."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import pytest

from contracts.plan_events import Event
from contracts.refusals import Refused

S = TypeVar("S")


class Outcome(Generic[S]):
    """What a decision gave: events, or a refusal."""

    def __init__(self, events: tuple[Event, ...] | None, refused: Refused | None) -> None:
        self.events = events
        self.refusal = refused

    def then(self, *events: Event) -> None:
        """Exactly these events."""
        if self.refusal is not None:
            pytest.fail(f"refused with {self.refusal}")
        assert self.events == events

    def then_nothing(self) -> None:
        """Already so."""
        self.then()

    def refused(self, code: str) -> Refused:
        """Refused with this code; the refusal is given back for a closer look."""
        assert self.refusal is not None, f"not refused; events: {self.events}"
        assert self.refusal.code == code, str(self.refusal)
        return self.refusal


class Given(Generic[S]):
    """A state."""

    def __init__(self, state: S) -> None:
        self._state = state

    def when(self, decide: Callable[[S], Sequence[Event]]) -> Outcome[S]:
        """Take a decision in this state."""
        try:
            return Outcome(tuple(decide(self._state)), None)
        except Refused as refused:
            return Outcome(None, refused)


def given(state: S) -> Given[S]:
    return Given(state)
