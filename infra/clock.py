"""The only reader of the wall clock. Everything else gets time as a value, so a test can live a month in a second."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time in Unix microseconds."""

    def now(self) -> int: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        return time.time_ns() // 1_000


class SetClock:
    """A clock that stands still until it is moved. For rehearsal and tests."""

    def __init__(self, now: int) -> None:
        self._now = now

    def now(self) -> int:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += int(seconds * 1_000_000)
