"""Hooks in a file, one JSON object per line, so that they can be sent again. A signature is not kept: it is made anew."""

from pathlib import Path

import msgspec

from services.cli.files import called, read_bytes
from services.cli.problems import usage

_LEFT_OUT = frozenset(
    {"webhook-signature", "webhook-timestamp", "host", "content-length", "connection", "authorization"}
)


class Saved(msgspec.Struct, frozen=True, omit_defaults=True):
    """One hook: its id, its body to the byte, the headers that are not of one attempt or one connection."""

    webhook_id: str
    body: str
    headers: dict[str, str] = {}
    received_at: str = ""


def saved_of(webhook_id: str, headers: dict[str, str], body: bytes, received_at: str) -> Saved:
    """What is kept of a hook. A body that is no UTF-8 was not ours; what cannot be read of it is replaced."""
    kept = {name: value for name, value in headers.items() if name.lower() not in _LEFT_OUT}
    return Saved(webhook_id, body.decode("utf-8", "replace"), kept, received_at)


def append_to(path: Path, saved: Saved) -> None:
    """One line more. Raises OSError."""
    with path.open("ab") as file:
        file.write(msgspec.json.encode(saved) + b"\n")


def read_saved(name: str) -> list[Saved]:
    """The hooks of a file; `-` is stdin. Raises Problem that names the line."""
    found = []
    for number, line in enumerate(read_bytes(name).splitlines(), 1):
        if line.strip():
            try:
                found.append(msgspec.json.decode(line, type=Saved))
            except msgspec.DecodeError as error:
                raise usage(f"{called(name)}, line {number}, is no saved hook: {error}.") from None
    return found
