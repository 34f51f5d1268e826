"""What a step says, on its way to being kept: secrets masked, outputs picked out. Pure streams, nothing is remembered
but what a secret or a line across two pieces needs.
"""

import bisect
import re
from collections.abc import Iterable, Sequence

import msgspec

from services.executor.adapters.spelling import SHORTEST_BYTES, spellings

MASK = b"***"
LONGEST_LINE_BYTES = 64 * 1024
OUTPUTS_BYTES = 16 * 1024
"""All outputs of a step together, as JSON: they go into its event, which holds 64 kB."""

_OUTPUT = re.compile(rb"^gonogo::output ([A-Za-z_][A-Za-z0-9_]{0,63})=([^\r\n]*)\r?$", re.MULTILINE)


class Masker:
    """Replaces secrets in a stream of bytes, in all their spellings (`spelling.py`), however the pieces are cut.

    Held back is only what may be the beginning of a secret, so that who follows a log sees a line when it is said.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = sorted({form for secret in secrets for form in spellings(secret)})
        self._forms = forms
        self._longest = max((len(form) for form in forms), default=1)
        self._any = re.compile(_alternatives(forms)) if forms else None
        heads = sorted({form[:SHORTEST_BYTES] for form in forms})
        self._head = re.compile(b"(?=%b)" % _alternatives(heads)) if heads else None
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """What may be shown by now."""
        return self._masked(self._held + piece if self._held else piece, last=False)

    def end(self) -> bytes:
        """The rest."""
        return self._masked(self._held, last=True)

    def text(self, text: str) -> str:
        """A whole text, masked."""
        return self._any.sub(MASK, text.encode()).decode(errors="replace") if self._any else text

    def _masked(self, data: bytes, *, last: bool) -> bytes:
        if self._any is None:
            return data
        shown: list[bytes] = []
        at, held = 0, len(data) if last else self._beginning(data, 0)
        for match in self._any.finditer(data):
            if match.start() >= held:
                break
            shown += (data[at : match.start()], MASK)
            at = match.end()
            if held < at:
                held = self._beginning(data, at)
        shown.append(data[at:held])
        self._held = data[held:]
        return b"".join(shown)

    def _beginning(self, data: bytes, after: int) -> int:
        """Where the rest of the data begins that may go on as a secret; its end where none does."""
        assert self._head is not None
        start = max(after, len(data) - self._longest + 1)
        for match in self._head.finditer(data, start):
            if self._may_become(data[match.start() :]):
                return match.start()
        tails = range(max(start, len(data) - SHORTEST_BYTES + 1), len(data))
        return next((at for at in tails if self._may_become(data[at:])), len(data))

    def _may_become(self, tail: bytes) -> bool:
        """A spelling begins so and goes on."""
        place = bisect.bisect_right(self._forms, tail)
        return place < len(self._forms) and self._forms[place].startswith(tail)


def _alternatives(forms: Sequence[bytes], depth: int = SHORTEST_BYTES) -> bytes:
    """A pattern that finds the longest of them. By first byte, then by second, ...: a hundred flat ones are slow."""
    if depth == 0:
        return b"(?:%b)" % b"|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
    firsts = {form[:1]: [one[1:] for one in forms if one[:1] == form[:1]] for form in forms}
    return b"(?:%b)" % b"|".join(re.escape(first) + _alternatives(rest, depth - 1) for first, rest in firsts.items())


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
