"""Who this executor is, so that another can tell whether it can ever act again, and where its processes can be found."""

import contextlib
import hashlib
import os
from pathlib import Path

from infra.ids import random_id


def place_of(root: Path) -> str:
    """The name of this folder of runs: random, written into it once, so that copies of a path are not taken for it."""
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    file, fresh = root / "place", root / f"place.{random_id()}"
    if not file.exists():
        fresh.write_text(random_id())
        with contextlib.suppress(FileExistsError):
            os.link(fresh, file)
        fresh.unlink()
    return file.read_text()


def owner_name() -> str:
    """`<machine>-<pid>-<start>-<random>`: names this process for ever, also after its number was given to another."""
    pid = os.getpid()
    return f"{_machine()}-{pid}-{_started(pid)}-{random_id()[:6]}"


def is_gone(owner: str) -> bool:
    """True only if it is certain that this owner has ended: it ran here, and its process is no more.

    A stopped process is not gone: it may wake up. Of other machines, and where there is no /proc, nothing is certain.
    """
    machine, pid, started = [*owner.split("-"), "", "", ""][:3]
    if machine == "unknown" or machine != _machine() or not pid.isdigit():
        return False
    return _started(int(pid)) != started


def _machine() -> str:
    """This boot of this kernel, and this space of process numbers: two containers do not see each other's."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        numbers = os.readlink("/proc/self/ns/pid")
    except OSError:
        return "unknown"
    return hashlib.sha256(f"{boot} {numbers}".encode()).hexdigest()[:12]


def _started(pid: int) -> str:
    """When a process started, in ticks since boot; empty when there is none, or it is a zombie that acts no more."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in {"Z", "X"} else fields[19]
