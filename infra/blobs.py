"""Large things beside the log, as plain files: the kept output of steps, found by run or by SHA-256.

A file grows while its step runs, can be read meanwhile, and is complete once its event names its digest. Two writers of
one name (an owner that lost its lease and the one that took over) never mix: each has its own file, the name belongs to
the later one. Everything here blocks; call it in a thread when the amounts are large.

    <root>/runs/<run>/<step>-<attempt>    what was said so far, also while it is being said
    <root>/sha256/<2 digits>/<digest>     the same file, once complete
    <root>/parts/...                      files of writers that have not finished
"""

import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from contracts.run import Blob
from infra.ids import random_id

_RUN = re.compile(r"[0-9a-f]{1,64}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_KEPT = re.compile(r"(\d+)-(\d+)")
_PIECE_BYTES = 256 * 1024


class Kept(msgspec.Struct, frozen=True):
    """The output of one attempt of one step, complete or still growing."""

    step: int
    attempt: int
    path: Path
    size: int


class Blobs:
    """The folder `<data>/blobs`. Made when something is first written."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def writer(self, run: str, step: int, attempt: int) -> "BlobWriter":
        """A fresh, empty file under this name; what an earlier writer had written under it is dropped."""
        folder = self._root / "runs" / _checked(_RUN, run)
        parts = self._root / "parts"
        for one in (folder, parts):
            one.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = f"{run}-{step}-{attempt}"
        for stale in parts.glob(f"{name}.*"):
            stale.unlink(missing_ok=True)
        return BlobWriter(self._root, parts / f"{name}.{random_id()}", folder / f"{step}-{attempt}")

    def of_run(self, run: str) -> list[Kept]:
        """What the run has said, by step and attempt. Empty when nothing was kept here."""
        folder = self._root / "runs" / _checked(_RUN, run)
        kept = []
        # Names first: where the next step's file is there, the one before has its full size.
        for path in list(folder.iterdir()) if folder.is_dir() else ():
            if match := _KEPT.fullmatch(path.name):
                kept.append(Kept(int(match[1]), int(match[2]), path, path.stat().st_size))
        return sorted(kept, key=lambda one: (one.step, one.attempt))

    def read_run(self, run: str, offset: int = 0) -> Iterator[bytes]:
        """The outputs of a run's steps one after the other, from this byte on, in pieces of at most 256 KiB."""
        for one in self.of_run(run):
            if offset >= one.size:
                offset -= one.size
                continue
            with one.path.open("rb") as file:
                file.seek(offset)
                yield from _pieces(file)
            offset = 0

    def digest_of_run(self, run: str) -> str:
        """SHA-256 (hex) of what `read_run` gives; empty when the run said nothing here."""
        digest = hashlib.sha256()
        said = False
        for piece in self.read_run(run):
            digest.update(piece)
            said = True
        return digest.hexdigest() if said else ""

    def runs(self) -> list[str]:
        """The runs of which something is kept here."""
        folder = self._root / "runs"
        return sorted(path.name for path in folder.iterdir() if _RUN.fullmatch(path.name)) if folder.is_dir() else []

    def touched_at(self, run: str) -> int:
        """When an attempt of it last began to say something, in Unix microseconds; 0 when nothing is kept."""
        try:
            return (self._root / "runs" / _checked(_RUN, run)).stat().st_mtime_ns // 1_000
        except FileNotFoundError:
            return 0

    def drop_run(self, run: str, digests: Iterable[str]) -> None:
        """Drop what the run said, for good. A blob of these digests goes with it unless another run said the very same."""
        shutil.rmtree(self._root / "runs" / _checked(_RUN, run), ignore_errors=True)
        for part in (self._root / "parts").glob(f"{run}-*"):
            part.unlink(missing_ok=True)
        for digest in digests:
            home = _home(self._root, _checked(_DIGEST, digest))
            if home.is_file() and home.stat().st_nlink == 1:
                home.unlink(missing_ok=True)

    def path(self, sha256: str) -> Path:
        """Where a complete blob is. FileNotFoundError when it is not here; ValueError for what is no digest."""
        path = _home(self._root, _checked(_DIGEST, sha256))
        if not path.is_file():
            raise FileNotFoundError(f"no blob {sha256}")
        return path

    def read(self, sha256: str) -> Iterator[bytes]:
        """A complete blob in pieces of at most 256 KiB. Raises as `path` does."""
        with self.path(sha256).open("rb") as file:
            yield from _pieces(file)


class BlobWriter:
    """One growing file. `close` makes it complete; a writer that is abandoned leaves what it has said so far."""

    def __init__(self, root: Path, part: Path, name: Path) -> None:
        self._root = root
        self._part = part
        self._name = name
        self._file = os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0)
        self._digest = hashlib.sha256()
        self._size = 0
        fresh = part.with_name(f"{part.name}.name")
        os.link(part, fresh)
        os.replace(fresh, name)  # in one step: a reader sees the old file or the new one

    @property
    def size(self) -> int:
        return self._size

    def write(self, data: bytes) -> None:
        if data:
            self._file.write(data)
            self._digest.update(data)
            self._size += len(data)

    def close(self) -> Blob:
        """On disk, and from now on found by its digest. FileNotFoundError when a later writer took the name over."""
        os.fsync(self._file.fileno())
        self._file.close()
        digest = self._digest.hexdigest()
        home = _home(self._root, digest)
        home.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if home.is_file():  # another run has said the very same: one file for both, since `drop_run` counts its names
            self._join(home)
        else:
            os.replace(self._part, home)
        return Blob(size=self._size, sha256=digest)

    def _join(self, home: Path) -> None:
        fresh = self._part.with_name(f"{self._part.name}.name")
        try:
            os.link(home, fresh)
        except OSError:  # it has as many names as a file may have, or was dropped just now
            os.replace(self._part, home)
            return
        try:
            self._part.unlink()
            os.replace(fresh, self._name)
        finally:
            fresh.unlink(missing_ok=True)  # a name that was for that file already left it there

    def abandon(self) -> None:
        """Let go of the file without completing it."""
        self._file.close()


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_PIECE_BYTES):
        yield piece


def _home(root: Path, digest: str) -> Path:
    return root / "sha256" / digest[:2] / digest


def _checked(form: re.Pattern[str], name: str) -> str:
    if not form.fullmatch(name):
        raise ValueError(f"not a name of a run or blob: {name!r}")
    return name
