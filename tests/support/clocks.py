"""A clock for tests that want time to pass although nobody waits for it."""

from infra.clock import SystemClock


class MovedClock(SystemClock):
    """The machine's clock, and as much later as it was moved."""

    def __init__(self) -> None:
        self._moved = 0

    def now(self) -> int:
        return super().now() + self._moved

    def advance(self, seconds: float) -> None:
        self._moved += int(seconds * 1_000_000)
