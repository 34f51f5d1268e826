"""The folder of one attempt of a script step: the claim to start it, the process, its output and its exit code, on disk.

So a step outlives the executor that started it and is found again by the next one. What stands in the folder:

    script, work/     what runs, and where
    lock.<token>      locked by the wrapper of that token as long as it lives (flock; ends with the process, always)
    started           the claim, "<pid> <token>": made once, by a hard link; "0 -" means that it will never start
    output            what it says, unmasked, readable by us alone; deleted when the outcome is recorded
    stopped           why we ended it, written before the first signal
    exit              the exit code, renamed into place at the end

It waits for nothing and knows no events; `script.py` does.
"""

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import msgspec

from infra.ids import random_id

_NEVER = "0 -\n"
_RUN = re.compile(r"[0-9a-f]{1,64}")


class Started(msgspec.Struct, frozen=True):
    """Who claimed the start: the wrapper's process (also its group), and the token of its lock. 0: nobody ever will."""

    pid: int
    token: str


class StepFolder:
    """One attempt's folder. `key` is the step's idempotency key, which its processes carry in their environment."""

    def __init__(self, path: Path, key: str) -> None:
        self.path = path
        self._key = key

    @property
    def output(self) -> Path:
        return self.path / "output"

    def spawn(self, script: str, env: Mapping[str, str], start_before: int | None = None) -> "subprocess.Popen[bytes]":
        """Try to be the one who starts it. Who comes second has done nothing: see `started`. OSError if it cannot be.

        `start_before` (Unix seconds): it does not start any more from then on, however long we were paused before this.
        """
        (self.path / "work").mkdir(parents=True, exist_ok=True, mode=0o700)
        self._write_once("script", script)
        self._write_once("output", "")
        token = random_id()
        lock = os.open(self.path / f"lock.{token}", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)  # a fresh file: nobody else has it
            return subprocess.Popen(
                ["/bin/sh", "-c", _wrapper(), "gonogo-step", token, str(start_before or "")],
                stdin=lock,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=self.path,
                env=dict(env),
                start_new_session=True,
            )
        finally:
            os.close(lock)

    def _write_once(self, name: str, text: str) -> None:
        with contextlib.suppress(FileExistsError):
            fresh = self.path / f"{name}.{random_id()}"
            fresh.touch(mode=0o600)
            fresh.write_text(text)
            try:
                os.link(fresh, self.path / name)
            finally:
                fresh.unlink()

    @property
    def started(self) -> Started | None:
        """The claim, once there is one."""
        try:
            pid, token = (self.path / "started").read_text().split()
        except FileNotFoundError:
            return None
        return Started(int(pid), token)

    def forbid(self) -> bool:
        """Claim the start so that it never happens. False when it has happened already."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self.path / f"claim.{random_id()}"
        fresh.write_text(_NEVER)
        try:
            os.link(fresh, self.path / "started")
        except FileExistsError:
            return False
        return True

    @property
    def starting(self) -> bool:
        """Some wrapper lives that may claim the start yet."""
        return any(_held(lock) for lock in self.path.glob("lock.*"))

    @property
    def goes_on(self) -> bool:
        """It runs, or may start yet. Once False it stays so, and `started` and `exit_code` say the last word.

        The wrapper moves on while we look, so the order matters: "not claimed" may be old by the time the lock is seen,
        but a lock that is free belongs to a wrapper that has done all that it ever will, and only then we look at that.
        """
        if self.started is None and self.starting:
            return True
        return self.alive

    @property
    def alive(self) -> bool:
        """The process that claimed the start lives and has not told its end.

        The lock alone would not do: a starter that was stopped before it let go of it holds it as well.
        """
        started = self.started
        if started is None or started.pid == 0 or self.exit_code is not None:
            return False
        return _held(self.path / f"lock.{started.token}")

    @property
    def exit_code(self) -> int | None:
        """As the shell gives it: above 128 the script was ended by signal minus 128. None while it is not known."""
        try:
            return int((self.path / "exit").read_text())
        except FileNotFoundError:
            return None

    def note_stop(self, why: str) -> None:
        """Say that its end is our doing, for whoever finds it ended and does not know."""
        self._write_once("stopped", why)

    @property
    def stopped(self) -> str:
        """Why it was ended, empty when nobody did."""
        try:
            return (self.path / "stopped").read_text()
        except FileNotFoundError:
            return ""

    def signal_group(self, number: signal.Signals) -> None:
        """To the process and all that it started in its session, if it still lives."""
        started = self.started
        if started is not None and self.alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(started.pid, number)

    def kill_leftovers(self) -> None:
        """End what a dead wrapper left in its group. Where processes cannot be looked at (no /proc), nothing is done."""
        started = self.started
        if started is None or started.pid == 0 or self.alive:
            return
        for process in Path("/proc").glob("[0-9]*"):
            if _belongs(process, started.pid, self._key):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(int(process.name), signal.SIGKILL)

    def forget(self) -> None:
        """Drop what is large or secret. The claim stays: a paused starter that wakes up must find it."""
        self.output.unlink(missing_ok=True)
        shutil.rmtree(self.path / "work", ignore_errors=True)


class RunFolder:
    """The folders of all steps of one run, when the run is over."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def all_in(cls, root: Path) -> "list[RunFolder]":
        """Those of all runs that have begun here. What has no run's name is not ours."""
        if not root.is_dir():
            return []
        return [cls(path) for path in root.iterdir() if _RUN.fullmatch(path.name) and path.is_dir()]

    @property
    def run(self) -> str:
        return self._path.name

    @property
    def touched_at(self) -> int:
        """When a step was last put into it, in Unix microseconds; 0 when it is gone."""
        try:
            return self._path.stat().st_mtime_ns // 1_000
        except FileNotFoundError:
            return 0

    @property
    def left(self) -> bool:
        """Something is here that goes with a step's end."""
        return any(self._path.glob("*/output")) or any(self._path.glob("*/work"))

    @property
    def alive(self) -> bool:
        """Some wrapper of it still lives."""
        return any(_held(lock) for lock in self._path.glob("*/lock.*"))

    def forget(self) -> None:
        """As `StepFolder.forget`, for all of them. Raises the first OSError, after all others are forgotten."""
        failed: OSError | None = None
        for step in self._path.iterdir():
            try:
                if step.is_dir():
                    StepFolder(step, "").forget()
            except OSError as error:
                failed = failed or error
        if failed is not None:
            raise failed

    def drop(self) -> None:
        """No claim stands any more."""
        shutil.rmtree(self._path, ignore_errors=True)


def _wrapper() -> str:
    return files("services.executor.adapters").joinpath("wrapper.sh").read_text(encoding="utf-8")


def _held(lock: Path) -> bool:
    """Whether a process holds this lock. Looking takes a shared lock, so that two who look do not see each other."""
    try:
        descriptor = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _belongs(process: Path, group: int, key: str) -> bool:
    """Its process group and its environment both say so: a number alone may have been given to somebody else."""
    try:
        after_name = (process / "stat").read_text().rpartition(")")[2].split()
        if int(after_name[2]) != group:
            return False
        return f"GONOGO_KEY={key}".encode() in (process / "environ").read_bytes().split(b"\x00")
    except (OSError, ValueError, IndexError):
        return False
