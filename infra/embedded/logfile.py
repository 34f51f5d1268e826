"""The files into which children write: kept from growing for ever, and read back for one sentence to a person."""

import contextlib
from pathlib import Path

import msgspec

_LARGEST_BYTES = 16 * 1024 * 1024
_KEPT = 3
_TAIL_BYTES = 16 * 1024


def rotate(log: Path, largest_bytes: int = _LARGEST_BYTES) -> None:
    """Moves a file that grew too large to `<name>.1`, that one to `.2`, and so on; the oldest goes. Call before writing."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size < largest_bytes:
            return
        for number in range(_KEPT, 0, -1):
            older = log.with_name(f"{log.name}.{number}")
            newer = log.with_name(f"{log.name}.{number - 1}") if number > 1 else log
            with contextlib.suppress(FileNotFoundError):
                newer.replace(older)


def length(log: Path) -> int:
    """In bytes; 0 where there is none."""
    try:
        return log.stat().st_size
    except OSError:
        return 0


def last_words(log: Path, since: int = 0) -> str:
    """What a program said last before it ended (after byte `since`, where the file was not begun anew), preferring what
    looks like the fault."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            since = since if since <= size else 0
            file.seek(max(since, size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return "it said nothing"
    said = [line.strip() for line in text.split("\n") if line.strip()]
    faults = [line for line in said if "FATAL" in line or "rror" in line]
    return _reason((faults or said or ["it said nothing"])[-1])


def _reason(line: str) -> str:
    """Of a JSON line its reason, else its event."""
    try:
        event = msgspec.json.decode(line, type=dict[str, object])
    except msgspec.DecodeError:
        return line
    return str(event.get("reason") or event.get("event") or line)
