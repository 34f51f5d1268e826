"""Keeps one process alive: starts it, notices its readiness and its death, starts it again after a growing pause.

It gives up, loudly, on a process that says its settings are wrong, and on one that dies again and again without ever having
been ready. One that was ready is started again for ever.
"""

import asyncio
import signal
from collections import deque
from collections.abc import Awaitable

from infra.embedded.child import Child
from infra.embedded.logfile import last_words, length
from infra.errors import Misconfigured
from infra.supervise.report import Reporter
from infra.supervise.spec import GaveUp
from infra.supervise.workload import Workload

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 10.0
_CALM_SECONDS = 10.0
"""A process that lived so long after it was ready has recovered: the next pause is the first again."""

_DEATHS = 5
_DEATHS_WITHIN_SECONDS = 180.0
"""Much longer than five starts and their pauses take anywhere: on a slow machine it is just as hopeless."""
_MISCONFIGURED = 2


class Keeper:
    """`keep()` is run as a task; `end()` stops the process once that task is cancelled."""

    def __init__(self, workload: Workload, report: Reporter) -> None:
        self._workload = workload
        self._report = report
        self._asked_to_restart = False
        self._deaths: deque[float] = deque(maxlen=_DEATHS)
        self._pause = _FIRST_PAUSE_SECONDS
        self._log_before = 0
        """How long the log was before this life: what stands there is an earlier one's."""
        self.ready = asyncio.Event()

    @property
    def name(self) -> str:
        return self._workload.name

    @property
    def child(self) -> Child | None:
        """The process of this life, or of the last."""
        return self._workload.child

    async def keep(self) -> None:
        """Runs until cancelled. GaveUp when it makes no sense to go on."""
        while True:
            code, was_ready, lived = await self._one_life()
            if self._asked_to_restart:
                self._asked_to_restart = False
                continue
            self._check_hope(code, was_ready)
            if was_ready and lived > _CALM_SECONDS:
                self._pause = _FIRST_PAUSE_SECONDS
            self._report.notice(f"{self.name} {_ending(code)}; starting it again in {self._pause:g} s")
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * 2, _LONGEST_PAUSE_SECONDS)

    async def restart(self) -> None:
        """Ends the process in good order; the keeper starts it at once. Returns when the new one is ready."""
        child = self.child
        if child is None or not child.running:
            await self.ready.wait()
            return
        self._asked_to_restart = True
        self.ready.clear()
        await child.stop(*self._workload.farewell)
        await self.ready.wait()

    def kill(self, number: int = signal.SIGKILL) -> None:
        if self.child is not None:
            self.child.signal(number)

    async def end(self, *, hurry: bool) -> None:
        """Stops the process. The keeping task must have been cancelled before."""
        if (child := self.child) is not None:
            await child.stop(*(() if hurry else self._workload.farewell))
            child.kill_group()
        self.ready.clear()

    async def _one_life(self) -> tuple[int, bool, float]:
        """Exit code, whether it was ever ready, and how long it lived, in seconds."""
        loop = asyncio.get_running_loop()
        born = loop.time()
        self._log_before = length(self._workload.log)
        try:
            child = await self._workload.start()
        except Misconfigured as fault:
            raise GaveUp(str(fault)) from None
        except OSError as error:
            raise GaveUp(f"{self.name} cannot be started: {error.strerror}: {error.filename}") from None
        watching = asyncio.create_task(self._watch_readiness(self._workload.wait_ready(child)))
        try:
            code = await child.wait()
        finally:
            watching.cancel()
            was_ready = self.ready.is_set()
            self.ready.clear()
        child.kill_group()  # what it started itself must not meet its successor
        return code, was_ready, loop.time() - born

    async def _watch_readiness(self, wait_ready: Awaitable[None]) -> None:
        await wait_ready
        self.ready.set()

    def _check_hope(self, code: int, was_ready: bool) -> None:
        if was_ready:
            self._deaths.clear()
            return
        log = self._workload.log
        words = last_words(log, self._log_before)
        if code == _MISCONFIGURED:
            raise GaveUp(f"{self.name} cannot start: {words} (see {log})")
        now = asyncio.get_running_loop().time()
        self._deaths.append(now)
        if len(self._deaths) == _DEATHS and now - self._deaths[0] < _DEATHS_WITHIN_SECONDS:
            last = f"at last it {_ending(code)}: {words}"
            raise GaveUp(f"{self.name} ended {_DEATHS} times before it was ready; {last} (see {log})")


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
