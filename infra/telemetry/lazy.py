"""A span that is sent only if something came of it. A span that is never ended never leaves the process."""

from time import time_ns

from opentelemetry.context import Context
from opentelemetry.trace import Span


class LazySpan:
    """`around` is where it was begun. `kept` once something came of it."""

    def __init__(self, span: Span, around: Context) -> None:
        self.span = span
        self.around = around
        self.kept = False
        self._left_at: int | None = None

    def keep(self) -> None:
        """Something came of it, perhaps after it was left: tasks that it began may go on for long."""
        if not self.kept:
            self.kept = True
            if self._left_at is not None:
                self.span.end(self._left_at)

    def leave(self) -> None:
        """It is over."""
        if self.kept:
            self.span.end()
        else:
            self._left_at = time_ns()
