"""A child process that cannot outlive us: in its own session (Ctrl-C does not reach it), signalled when we die.

The kernel sends the death signal when the *thread* that started the child ends, so start children from the main thread.
Where the kernel has no such signal (not Linux), a kill -9 of the parent leaves its children behind.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from infra.embedded.account import Account

_PR_SET_PDEATHSIG = 1


class Child:
    """A running (or ended) process that we started."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    @property
    def returncode(self) -> int | None:
        """None while running; negative signal number when a signal ended it."""
        return self._process.returncode

    async def wait(self) -> int:
        return await self._process.wait()

    def signal(self, number: int) -> None:
        """To the process alone. A process that is gone is not an error."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def kill_group(self) -> None:
        """SIGKILL to it and to whatever it started in its session."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    async def stop(self, *steps: tuple[int, float]) -> int:
        """Sends each signal in turn, waiting its seconds for the end; after the last one kills the group."""
        for number, seconds in steps:
            self.signal(number)
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(asyncio.shield(self.wait()), seconds)
        self.kill_group()
        return await self.wait()


async def spawn(
    name: str,
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    log: Path,
    death_signal: int,
    account: Account | None = None,
    cwd: Path | None = None,
) -> Child:
    """Starts a program. Its stdout and stderr are appended to `log`; its stdin is empty. OSError if it cannot start."""
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
            preexec_fn=_bind_to_parent(death_signal),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    return Child(name, process)


def _bind_to_parent(death_signal: int) -> Callable[[], None] | None:
    """Runs in the child between fork and exec, after the change of user (which would clear the setting)."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return bind
