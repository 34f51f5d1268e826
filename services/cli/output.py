"""What a command shows: data on stdout as a table for people or JSON for programs, everything else on stderr.

Colour appears on a terminal only, and never when NO_COLOR is set (https://no-color.org). Texts of others are shown as
they are: no markup in them is obeyed, and control characters, which could move the cursor or retitle the window, are
replaced.
"""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_PIPE_WIDTH = 10_000  # nothing is cut when a program reads

_ID_WIDTH = 24

_STYLES = {
    "success": "green",
    "done": "green",
    "passed": "green",
    "delivered": "green",
    "approve": "green",
    "met": "green",
    "executing": "cyan",
    "running": "cyan",
    "open": "cyan",
    "failed": "bold red",
    "denied": "bold red",
    "dead": "bold red",
    "reject": "bold red",
    "cancel": "red",
    "timeout": "red",
    "expired": "red",
    "waived": "yellow",
    "skipped": "yellow",
    "overridden": "yellow",
}


def console_on(stream: TextIO) -> Console:
    """A console that cuts lines and colours them only where a person looks."""
    if stream.isatty():
        return Console(file=stream, highlight=False, markup=False, emoji=False)
    return Console(file=stream, highlight=False, markup=False, emoji=False, width=_PIPE_WIDTH, no_color=True)


def clean(value: object, *, lines: bool = False) -> str:
    """A text that is safe to show; on one line unless `lines`."""
    text = "" if value is None else str(value)
    text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
    return text if lines else " ".join(text.split())


def shown(value: object) -> Text:
    """A cell: a status has its colour, yes and no are words, several values are joined."""
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, list | tuple):
        return Text(", ".join(clean(one) for one in value))
    text = clean(value)
    style = _STYLES.get(text, "")
    if not style and text.endswith("_failed"):
        style = "bold red"
    return Text(text, style=style)


def when(moment: object) -> str:
    """`2026-11-20 08:15:03` in UTC of an RFC 3339 text, whatever its offset; "" of none, another text as it is."""
    text = clean(moment)
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return text
    return read.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if read.tzinfo is not None else text


class Output:
    """Prints the answers of one command. `as_json` prints what the gateway answered, unchanged but for indentation."""

    def __init__(self, *, as_json: bool, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.as_json = as_json
        self._out = console_on(out or sys.stdout)
        self._err = console_on(err or sys.stderr)

    def json(self, body: bytes | object) -> None:
        """A JSON document on stdout."""
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        self._out.file.write(msgspec.json.format(raw, indent=2).decode() + "\n")

    def json_line(self, value: object) -> None:
        """One JSON object on its own line, at once: for endless output."""
        self._out.file.write(msgspec.json.encode(value).decode() + "\n")
        self._out.file.flush()

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "") -> None:
        """A table on stdout. Without rows nothing is there to read, so `empty` is said on stderr."""
        table = Table(box=SIMPLE_HEAD if self._out.is_terminal else None, pad_edge=False, header_style="bold")
        rows = list(rows)
        for place, column in enumerate(columns):
            # An id is copied from here into the next command: one of ours stays whole, however narrow the terminal is.
            longest = max((len(str(row[place])) for row in rows), default=0) if column == "id" else 0
            table.add_column(column.upper(), overflow="fold", min_width=min(longest, _ID_WIDTH))
        for row in rows:
            table.add_row(*(shown(cell) for cell in row))
        if not table.row_count:
            self.note(empty or "Nothing to show.")
            return
        self._print(table)

    def pairs(self, fields: Mapping[str, object]) -> None:
        """Names and values, one to a line. Empty values are left out."""
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in fields.items():
            if value not in (None, "", (), []):
                table.add_row(name, shown(value))
        self._print(table)

    def heading(self, text: str) -> None:
        if self._out.is_terminal:
            self._out.print(Text(f"\n{clean(text)}", style="bold underline"))
        else:
            self._out.file.write(f"\n{clean(text)}\n")

    def line(self, text: str) -> None:
        """One line of data, at once. Its spaces stay as they are."""
        self._out.file.write(clean(text, lines=True).replace("\n", " ") + "\n")
        self._out.file.flush()

    def raw(self, text: str) -> None:
        """A text of several lines, such as a log, ending in a line feed."""
        self._out.file.write(clean(text, lines=True) + ("" if text.endswith("\n") or not text else "\n"))

    def document(self, text: str) -> None:
        """A file on stdout, to the letter: what is written into a pipe must read back the same."""
        self._out.file.write(text)

    def piece(self, text: str) -> None:
        """A part of a text, at once, ending where it ends."""
        self._out.file.write(clean(text, lines=True))
        self._out.file.flush()

    def note(self, text: str, style: str = "") -> None:
        """Something for the person, not for the pipe."""
        self._err.print(Text(clean(text, lines=True), style=style), soft_wrap=True)

    def _print(self, table: Table) -> None:
        if self._out.is_terminal:
            self._out.print(table)
            return
        with self._out.capture() as captured:
            self._out.print(table)
        lines = (line.rstrip() for line in captured.get().splitlines())
        self._out.file.write("\n".join(lines) + "\n")


class NoticePrinter:
    """Says notices on stderr, each sentence with the name of the program before it."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._console = console_on(stream or sys.stderr)

    def __call__(self, text: str) -> None:
        self._console.print(Text(f"gonogo: {clean(text)}", style="yellow"), soft_wrap=True)


def problem_lines(lines: Sequence[str], stream: TextIO | None = None) -> None:
    """A problem on stderr: its sentence, then its faults."""
    console = console_on(stream or sys.stderr)
    for i, line in enumerate(lines):
        text = clean(line) if i == 0 else f"  {clean(line)}"
        console.print(Text(f"gonogo: {text}" if i == 0 else text, style="red" if i == 0 else ""), soft_wrap=True)


def lines_of(value: Any) -> str:
    """Several values on one line, for a person."""
    return ", ".join(clean(one) for one in value) if isinstance(value, list | tuple) else clean(value)
