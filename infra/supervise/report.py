"""What the supervisor tells whoever watches it."""

import sys
from typing import Protocol


class Reporter(Protocol):
    """Gets short texts. Must not block."""

    def step(self, text: str) -> None:
        """Progress of a start or a stop: `PostgreSQL is ready`, `ready in 3.1 s`."""

    def notice(self, text: str) -> None:
        """Something that a person should know: a process that ended and is started again, or why nothing runs."""


class StderrReporter:
    """Every text is one line on stderr."""

    def step(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - for the person who started it

    def notice(self, text: str) -> None:
        print(f"gonogo: {text}", file=sys.stderr, flush=True)  # noqa: T201 - for the person who started it


class Silence:
    """For callers that look at the system themselves."""

    def step(self, text: str) -> None: ...

    def notice(self, text: str) -> None: ...
