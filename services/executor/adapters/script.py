"""Script steps: real processes that start once, are found again after a crash, and end with their whole group.

The adapter looks at the step's folder at a short, growing interval; it never owns the process in the sense of the
operating system, so it makes no difference whether this executor started it or an earlier one did.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import msgspec
import structlog

from contracts.run import Blob, StepOutcome
from contracts.workflow import ScriptStep, step_env
from infra.blobs import Blobs
from infra.clock import Clock, SystemClock
from services.executor.adapters.folder import StepFolder
from services.executor.adapters.saying import Masker, Outputs
from services.executor.adapters.step import Ended, Job, Stop, Why, lost, stopped

log = structlog.get_logger()

_FIRST_LOOK_SECONDS = 0.005
_LONGEST_LOOK_SECONDS = 0.2
_PIECE_BYTES = 256 * 1024
_FAREWELL_SECONDS = 1.0
_PIECES_PER_LOOK = 64
_LATE_SECONDS = 3600


class Limits(msgspec.Struct, frozen=True):
    """`grace_seconds`: from SIGTERM to SIGKILL. `output_bytes`: a step that says more is ended."""

    grace_seconds: float = 5.0
    output_bytes: int = 1024 * 1024 * 1024


class Scripts:
    """Carries out script steps in folders under `root` (`<data>/runs`). `place` is that folder's own name."""

    def __init__(self, root: Path, place: str, blobs: Blobs, clock: Clock, limits: Limits | None = None) -> None:
        self._root = root
        self.place = place
        self._blobs = blobs
        self._clock = clock
        self._limits = limits or Limits()
        self._children: list[subprocess.Popen[bytes]] = []

    async def perform(self, job: Job, stop: Stop) -> Ended:
        """Start it, or find it again; follow it to its end."""
        folder = self._folder(job)
        if folder.started is None:
            if job.resumed and job.place != self.place and not folder.path.exists():
                return Ended(*lost(job))  # it was started, if at all, where we cannot look
            failure = await self._start(folder, job)
            if failure:
                return Ended("failed", failure)
        watch = await asyncio.to_thread(_Watch, self._blobs, folder, job, self._clock, self._limits)
        try:
            return await watch.follow(stop)
        finally:
            watch.close()
            self._reap()

    async def forget(self, job: Job) -> None:
        await asyncio.to_thread(self._folder(job).forget)

    def kill_now(self, job: Job) -> None:
        """The last resort of a stopping executor: no grace, no record."""
        folder = self._folder(job)
        if not folder.forbid():
            folder.signal_group(signal.SIGKILL)

    def _folder(self, job: Job) -> StepFolder:
        return StepFolder(self._root / job.run / f"{job.index}-{job.attempt}", job.key)

    async def _start(self, folder: StepFolder, job: Job) -> str:
        """Empty, or why it could not be started (and now never will be)."""
        step = job.step
        assert isinstance(step, ScriptStep)
        try:
            await asyncio.to_thread(self._spawn, folder, step.script, _environment(job, step), self._start_before(job))
        except (OSError, ValueError) as error:
            log.warning("step_not_started", run=job.run, step=step.name, error=repr(error))
            if await asyncio.to_thread(folder.forbid):
                return f"the process could not be started: {_reason(error)}"
        return ""

    def _start_before(self, job: Job) -> int | None:
        """A starter may be paused for as long as it likes: an hour after its lease its process refuses to begin.

        The processes know the machine's clock only. It is read first: a pause after that makes the time shorter.
        """
        now = SystemClock().now()
        left = job.until - self._clock.now()
        return (now + left) // 1_000_000 + _LATE_SECONDS if job.until else None

    def _spawn(self, folder: StepFolder, script: str, environment: Mapping[str, str], start_before: int | None) -> None:
        """In a thread, which goes on where its driver is cancelled: the child must be known whoever waits for it."""
        self._children.append(folder.spawn(script, environment, start_before))

    async def close(self) -> None:
        """Wait for wrappers that have said their last word and are just about to end. Others live on without us."""
        await asyncio.to_thread(self._wait_for_children)

    def _wait_for_children(self) -> None:
        for child in list(self._children):
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_FAREWELL_SECONDS)
        self._reap()

    def _reap(self) -> None:
        """Ask after ended children, so that none stays a zombie. Those that another executor follows go on."""
        for child in list(self._children):  # in place: a thread may be adding one
            if child.poll() is not None:
                self._children.remove(child)


class _Watch:
    """Follows one started step: keeps what it says, sees its end, ends it."""

    def __init__(self, blobs: Blobs, folder: StepFolder, job: Job, clock: Clock, limits: Limits) -> None:
        self._folder = folder
        self._job = job
        self._clock = clock
        self._limits = limits
        self._masker = Masker(secret.reveal() for secret in job.secrets.values())
        self._outputs = Outputs()
        self._writer = blobs.writer(job.run, job.index, job.attempt)
        self._raw = os.open(folder.output, os.O_RDONLY) if folder.output.exists() else -1
        self._read = 0

    async def follow(self, stop: Stop) -> Ended:
        pause = _FIRST_LOOK_SECONDS
        while True:
            more = await asyncio.to_thread(self._pump)
            if not self._folder.goes_on:
                return await self._ended()
            if stop.asked and stop.why is not None:
                await asyncio.to_thread(self._folder.note_stop, stop.why)
                await self._end_group()
                return await self._finish(*stopped(self._job, stop.why), known=stop.why != "cancelled")
            if self._clock.now() >= self._job.started_at + self._job.step.timeout_seconds * 1_000_000:
                await self._end_group()
                return await self._finish("timeout", f"ran longer than {self._job.step.timeout_seconds} s")
            if self._read > self._limits.output_bytes:
                await self._end_group()
                return await self._finish("failed", f"said more than {self._limits.output_bytes} bytes")
            if not more:
                await stop.wait(pause)
                pause = min(pause * 1.5, _LONGEST_LOOK_SECONDS)

    def close(self) -> None:
        if self._raw >= 0:
            os.close(self._raw)
            self._raw = -1
        self._writer.abandon()

    async def _ended(self) -> Ended:
        """It no longer runs: by itself, ended by an executor that could not tell it any more, or lost."""
        if noted := self._folder.stopped:
            why: Why = "cancelled" if noted == "cancelled" else "executor_stopped"
            await asyncio.to_thread(self._folder.forbid)
            await asyncio.to_thread(self._folder.kill_leftovers)
            return await self._finish(*stopped(self._job, why), known=why == "executor_stopped")
        code = self._folder.exit_code
        if code is not None:
            return await self._finish("passed" if code == 0 else "failed", "" if code == 0 else _said(code), code=code)
        if await asyncio.to_thread(self._folder.forbid):
            return await self._finish("failed", "the process could not be started")
        started = self._folder.started
        if started is not None and started.pid == 0:
            return await self._finish("cancelled", "it was stopped before it started")
        await asyncio.to_thread(self._folder.kill_leftovers)
        return await self._finish(*lost(self._job))

    async def _end_group(self) -> None:
        """SIGTERM, grace, SIGKILL, all to the whole group; or see to it that it never starts."""
        if await asyncio.to_thread(self._folder.forbid):
            return
        for number, seconds in ((signal.SIGTERM, self._limits.grace_seconds), (signal.SIGKILL, 10.0)):
            self._folder.signal_group(number)
            if await self._gone(seconds):
                return
        log.error("step_survives_kill", run=self._job.run, step=self._job.step.name)

    async def _gone(self, seconds: float) -> bool:
        pause, deadline = _FIRST_LOOK_SECONDS, asyncio.get_running_loop().time() + seconds
        while self._folder.alive:
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_LOOK_SECONDS)
        return True

    def _pump(self) -> bool:
        """Keep what was said since the last look. True when there is more already. Bounded memory, whatever is said."""
        for _ in range(_PIECES_PER_LOOK):
            piece = os.read(self._raw, _PIECE_BYTES) if self._raw >= 0 else b""
            if not piece or self._read > self._limits.output_bytes:
                return False
            self._read += len(piece)
            self._keep(self._masker.feed(piece))
        return True

    def _keep(self, shown: bytes) -> None:
        self._writer.write(shown)
        self._outputs.feed(shown)

    def _complete(self) -> Blob:
        while self._pump():
            pass
        self._keep(self._masker.end())
        self._outputs.end()
        return self._writer.close()

    async def _finish(self, outcome: StepOutcome, error: str, *, code: int | None = None, known: bool = False) -> Ended:
        """Keep the rest and tell. `known`: a step that we ended, but that ended well in its grace, has passed."""
        output = await asyncio.to_thread(self._complete)
        if known and self._folder.exit_code == 0:
            outcome, error, code = "passed", "", 0
        if self._outputs.left_out:
            left_out = f"{self._outputs.left_out} outputs were too large and left out"
            error = f"{error}; {left_out}" if error else left_out
        return Ended(outcome, error, code, output, self._outputs.found)


def _environment(job: Job, step: ScriptStep) -> Mapping[str, str]:
    """All that the process is given. Ours, with its addresses and passwords, is none of its business."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.environ.get("HOME", "/"),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
        **step.env,
        **step_env({name: job.value(name) for name in job.inputs}),
        "GONOGO_PLAN": job.plan,
        "GONOGO_ITEM": job.item,
        "GONOGO_RUN": job.run,
        "GONOGO_STEP": step.name,
        "GONOGO_ATTEMPT": str(job.attempt),
        "GONOGO_KEY": job.key,
    }


def _said(code: int) -> str:
    """An exit code in words. The shell says 128 + n for a process that signal n ended."""
    if code > 128:
        with contextlib.suppress(ValueError):
            return f"ended by {signal.Signals(code - 128).name}"
    return f"exit code {code}"


def _reason(error: Exception) -> str:
    """Without what an error may quote from the environment."""
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else type(error).__name__
