"""The data folder: its layout, its lock, its version. One system owns a folder at a time.

It refuses to take over a folder that holds other things, one that another process uses, and one that was written by
a newer version. It never changes the permissions of anything outside.
"""

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from infra.embedded.account import Account, reaches, server_account
from infra.errors import Misconfigured

FORMAT = 1
"""The version of the layout below. Raise it when an older GoNoGo must not open the folder any more."""


def default_folder(environ: Mapping[str, str]) -> Path:
    """`GONOGO_DATA`, else `.gonogo` here, else (root, and PostgreSQL's account may not enter) `/var/lib/gonogo`."""
    if named := environ.get("GONOGO_DATA"):
        return Path(named)
    here = Path(".gonogo").absolute()
    account = server_account(environ)
    return here if account is None or reaches(account, here) else Path("/var/lib/gonogo")


class DataFolder:
    """An open, locked data folder. Close it to let the next one in; the death of the process does so too."""

    def __init__(self, path: Path, lock: int, account: Account | None) -> None:
        self.path = path
        self.account = account
        self._lock = lock
        self.secrets = path / "secrets"
        self.postgres = path / "postgres"
        self.nats = path / "nats"
        self.logs = path / "logs"
        self.programs = path / "programs"
        self.run = path / "run"

    @classmethod
    def open(cls, path: Path, environ: Mapping[str, str] = os.environ) -> Self:
        """Makes the folder if need be, locks it, checks its version. `Misconfigured` with one sentence otherwise."""
        account = server_account(environ)
        path = path.absolute()
        try:
            _make(path, account)
            lock = _locked(path)
            try:
                _check_format(path)
                folder = cls(path, lock, account)
                for part in (folder.secrets, folder.logs, folder.nats, folder.run):
                    part.mkdir(mode=0o700, exist_ok=True)
            except BaseException:
                os.close(lock)
                raise
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise Misconfigured(
                f"the data folder {path} cannot be used ({reason}: {error.filename}); choose another with GONOGO_DATA"
            ) from None
        return folder

    def close(self) -> None:
        os.close(self._lock)


def holder_of(path: Path) -> int | None:
    """The process that has this folder open now; None when nobody has. It takes nothing and changes nothing."""
    try:
        descriptor = os.open(path / "lock", os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        return int(text) if text.isdigit() else None
    finally:
        os.close(descriptor)
    return None


def _make(path: Path, account: Account | None) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    strangers = [entry for entry in os.listdir(path) if entry != "lock"]
    if strangers and not (path / "format").exists():
        raise Misconfigured(
            f"the folder {path} is not empty and holds no GoNoGo data; choose an empty one with GONOGO_DATA"
        )
    if account is None:
        path.chmod(0o700)
        return
    # Root: PostgreSQL's account may pass through to its own folder, and see nothing else.
    os.chown(path, -1, account.gid)
    path.chmod(0o710)
    if not reaches(account, path / "postgres"):
        raise Misconfigured(
            f"as root, PostgreSQL runs as user {account.name!r}, who may not enter a parent of {path}; "
            "choose a folder such as /var/lib/gonogo with GONOGO_DATA"
        )


def _locked(path: Path) -> int:
    descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise Misconfigured(
            f"the data folder {path} is in use by process {owner}; stop that one, or choose another with GONOGO_DATA"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def _check_format(path: Path) -> None:
    file = path / "format"
    if not file.exists():
        file.write_text(f"{FORMAT}\n")
        return
    text = file.read_text().strip()
    if not text.isdigit():
        raise Misconfigured(f"{file} does not hold a version number; is {path} a data folder of GoNoGo?")
    if int(text) > FORMAT:
        raise Misconfigured(
            f"the data folder {path} is of a newer version (format {text}, this GoNoGo knows {FORMAT}); "
            "use the newer GoNoGo, or choose another folder with GONOGO_DATA"
        )
