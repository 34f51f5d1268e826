"""Texts compared word by word: what stayed, what went, what came.

Pure, and bounded: a pair of texts that would take long is compared by lines, and a whole comparison that has done enough
tells no words any more. Then the texts themselves, which are always given, must do.
"""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Literal

import msgspec

_TOKENS = re.compile(r"\s+|\w+|[^\w\s]")
_LINES = re.compile(r"[^\n]*\n|[^\n]+")
_MOST_PAIRS = 1_000_000  # of tokens in one text pair, after what both have in common at the ends
_MOST_PAIRS_IN_ALL = 10_000_000


class Piece(msgspec.Struct, frozen=True):
    """A part of a text. Those that are not `added` make the old text, those that are not `removed` the new one."""

    kind: Literal["same", "removed", "added"]
    text: str


class Pieces:
    """Compares the texts of one comparison; remembers how much work that was."""

    def __init__(self) -> None:
        self._left = _MOST_PAIRS_IN_ALL

    def between(self, old: str, new: str) -> tuple[Piece, ...]:
        """The new text against the old one; empty where a text is one word or none, or when enough was compared."""
        for tokens in (_TOKENS, _LINES):
            a, b = tokens.findall(old), tokens.findall(new)
            if len(a) <= 1 and len(b) <= 1:
                return ()
            head, tail = _common(a, b)
            work = (len(a) - head - tail) * (len(b) - head - tail) + len(a) + len(b)
            if work <= min(_MOST_PAIRS, self._left):
                self._left -= work
                return _joined(a, b, head, tail)
        return ()


def _common(a: Sequence[str], b: Sequence[str]) -> tuple[int, int]:
    """How many tokens both have in common at their beginning and, behind that, at their end."""
    most = min(len(a), len(b))
    head = 0
    while head < most and a[head] == b[head]:
        head += 1
    tail = 0
    while tail < most - head and a[-1 - tail] == b[-1 - tail]:
        tail += 1
    return head, tail


def _joined(a: list[str], b: list[str], head: int, tail: int) -> tuple[Piece, ...]:
    pieces = [Piece("same", "".join(a[:head]))]
    old, new = a[head : len(a) - tail], b[head : len(b) - tail]
    for kind, i, j, k, m in SequenceMatcher(None, old, new).get_opcodes():
        if kind == "equal":
            pieces.append(Piece("same", "".join(old[i:j])))
        else:
            pieces += [Piece("removed", "".join(old[i:j])), Piece("added", "".join(new[k:m]))]
    pieces.append(Piece("same", "".join(a[len(a) - tail :])))
    return tuple(piece for piece in pieces if piece.text)
