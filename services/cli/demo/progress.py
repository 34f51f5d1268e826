"""Shows how far the demonstration is: numbered steps with a tick, on stderr; live where a person looks at a terminal."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from time import perf_counter
from typing import Protocol, TextIO

from rich.status import Status
from rich.text import Text

from services.cli.output import clean, console_on


class Step(Protocol):
    """The step that is going on. What it says last stands behind its title."""

    def say(self, text: str) -> None: ...


class Progress(Protocol):
    """Hears of every step: `with progress.step(title) as step: step.say(detail)`."""

    def step(self, title: str) -> AbstractContextManager[Step]: ...


class _Said:
    def __init__(self, title: str, live: Status | None) -> None:
        self.text = ""
        self._title = title
        self._live = live

    def say(self, text: str) -> None:
        self.text = text
        if self._live is not None:
            self._live.update(Text(f"{self._title}: {clean(text)}"))


class PrintedProgress:
    """Prints each step when it has ended; on a terminal also while it goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._console = console_on(stream)
        self._number = 0
        fits = _fits(stream, "✓✗")
        self._done, self._failed = ("✓", "✗") if fits else ("ok", "FAILED")
        self._spinner = "dots" if fits else "line"

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        self._number += 1
        started = perf_counter()
        live = Status(Text(title), console=self._console, spinner=self._spinner) if self._console.is_terminal else None
        said = _Said(title, live)
        if live is not None:
            live.start()
        try:
            yield said
        except BaseException:
            self._end(live, self._failed, "red", title, said.text, started)
            raise
        self._end(live, self._done, "green", title, said.text, started)

    def _end(self, live: Status | None, mark: str, style: str, title: str, detail: str, started: float) -> None:
        if live is not None:
            live.stop()
        line = Text(mark, style=style)
        line.append(f" {self._number:>2}. {title}", style="default")
        if detail:
            line.append(f": {clean(detail)}", style="default")
        line.append(f"  {perf_counter() - started:.1f} s", style="bright_black")
        self._console.print(line, soft_wrap=True)


def _fits(stream: TextIO, text: str) -> bool:
    try:
        text.encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
