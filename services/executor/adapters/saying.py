"""What a step says, on its way to being kept: secrets masked, outputs picked out. Pure streams, nothing is remembered
but what a secret or a line across two pieces needs.
"""

import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

import msgspec

MASK = b"***"
LONGEST_LINE_BYTES = 64 * 1024
OUTPUTS_BYTES = 16 * 1024
"""All outputs of a step together, as JSON: they go into its event, which holds 64 kB."""

_OUTPUT = re.compile(rb"^gonogo::output ([A-Za-z_][A-Za-z0-9_]{0,63})=([^\r\n]*)\r?$", re.MULTILINE)


class Masker:
    """Replaces secrets in a stream of bytes, also where one lies across two pieces, and as URLs and JSON write it."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        self._longest = max((len(form) for form in forms), default=1)
        alternatives = sorted(forms, key=len, reverse=True)
        self._any = re.compile(b"|".join(map(re.escape, alternatives))) if forms else None
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """What may be shown by now. The end of it is held back while it may be the beginning of a secret."""
        return self._masked(self._held + piece, keep=self._longest - 1)

    def end(self) -> bytes:
        """The rest."""
        return self._masked(self._held, keep=0)

    def text(self, text: str) -> str:
        """A whole text, masked."""
        return self._any.sub(MASK, text.encode()).decode(errors="replace") if self._any else text

    def _masked(self, data: bytes, keep: int) -> bytes:
        if self._any is None:
            return data
        cut = max(len(data) - keep, 0)  # a secret that begins before the cut lies in the data as a whole
        shown: list[bytes] = []
        at = 0
        for match in self._any.finditer(data):
            if match.start() >= cut:
                break
            shown += (data[at : match.start()], MASK)
            at = match.end()
        cut = max(cut, at)
        shown.append(data[at:cut])
        self._held = data[cut:]
        return b"".join(shown)


def _forms(secret: str) -> set[bytes]:
    """The spellings of a secret that a log is likely to show."""
    escaped = json.dumps(secret)[1:-1]
    forms = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), escaped, secret.strip()}
    lines = {line.strip() for line in secret.splitlines()} if "\n" in secret else set()
    return {form.encode() for form in forms | {line for line in lines if len(line) >= 4} if form}


class Outputs:
    """Picks the lines `gonogo::output NAME=VALUE` out of a stream. The last value of a name counts."""

    def __init__(self) -> None:
        self._line = b""
        self._too_long = False
        self.found: dict[str, str] = {}
        self.left_out = 0

    def feed(self, piece: bytes) -> None:
        end = piece.rfind(b"\n") + 1
        if end:
            first = piece.index(b"\n") + 1
            self._hold(piece[: first - 1])
            self._look(self._line)
            self._look(piece[first:end])  # whole lines, searched at once: a log may have millions of them
            self._line, self._too_long = b"", False
        self._hold(piece[end:])

    def end(self) -> None:
        """The last line may lack its end."""
        self._look(self._line)
        self._line = b""

    def _hold(self, part: bytes) -> None:
        self._too_long = self._too_long or len(self._line) + len(part) > LONGEST_LINE_BYTES
        self._line = b"" if self._too_long else self._line + part

    def _look(self, lines: bytes) -> None:
        for match in _OUTPUT.finditer(lines):
            self._take(match[1].decode(), match[2].decode(errors="replace").replace("\x00", ""))

    def _take(self, name: str, value: str) -> None:
        found = {**self.found, name: value}
        if len(msgspec.json.encode(found)) > OUTPUTS_BYTES:
            self.left_out += 1
        else:
            self.found = found
