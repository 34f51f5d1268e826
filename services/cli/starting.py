"""Tells the start and stop of a system on stderr: one live line on a terminal, plain lines elsewhere."""

from typing import TextIO

from rich.status import Status
from rich.text import Text

from services.cli.output import clean, console_on


class Starting:
    """A reporter for the supervisor. `quiet` leaves the steps out and tells what a person must know."""

    def __init__(self, stream: TextIO, *, quiet: bool = False) -> None:
        self._console = console_on(stream)
        self._quiet = quiet
        self._live: Status | None = None

    def begin(self, text: str) -> None:
        """From here on the steps are shown."""
        if self._console.is_terminal:
            self._live = Status(Text(text), console=self._console)
            self._live.start()
        elif not self._quiet:
            self._line(text)

    def step(self, text: str) -> None:
        if self._live is not None:
            self._live.update(Text(clean(text)))
        elif not self._quiet:
            self._line(text)

    def notice(self, text: str) -> None:
        self._console.print(Text(f"gonogo: {clean(text)}", style="yellow"), soft_wrap=True)

    def end(self) -> None:
        """The live line goes away. Again is harmless."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _line(self, text: str) -> None:
        self._console.print(Text(clean(text)), soft_wrap=True)
