"""Generated passwords of the embedded servers: made once, kept in files that only the owner may read.

They are random (192 bits) and nobody ever types them.
"""

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

import msgspec

SERVICES = ("gateway", "planner", "approval", "executor", "hook_dispatcher", "audit", "relay")
"""Every service has its own database role `gonogo_<name>` and its own NATS user `<name>`."""


def passwords(file: Path, names: Iterable[str]) -> dict[str, str]:
    """The password of each name, from `file`; names that it lacks are added and the file is replaced at once."""
    known = msgspec.json.decode(file.read_bytes(), type=dict[str, str]) if file.exists() else {}
    missing = [name for name in names if name not in known]
    if missing:
        known |= {name: secrets.token_urlsafe(24) for name in missing}
        write_private(file, msgspec.json.format(msgspec.json.encode(known)))
    return known


def write_private(file: Path, content: bytes) -> None:
    """Replaces the file in one step; it is never readable by others, not even for a moment."""
    fresh = file.with_name(f"{file.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as output:
        output.write(content)
        output.flush()
        os.fsync(output.fileno())
    fresh.rename(file)
