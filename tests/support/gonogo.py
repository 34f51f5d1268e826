"""The command line as its users meet it: a process of its own, with its own stdout, stderr and exit code."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from tests.support.wait import PATIENCE_SECONDS, eventually

ROOT = Path(__file__).parents[2]
GONOGO = (sys.executable, "-m", "services.cli")


class Ended(msgspec.Struct, frozen=True):
    """How a command ended."""

    code: int
    out: str
    err: str


def environment(extra: Mapping[str, str] = {}) -> dict[str, str]:
    """Ours, without the settings of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GONOGO_")}
    return {**kept, "PYTHONPATH": str(ROOT), **extra}


async def start(*arguments: str, env: Mapping[str, str] = {}) -> asyncio.subprocess.Process:
    """A command that goes on; its stdin is empty."""
    return await asyncio.create_subprocess_exec(
        *GONOGO,
        *arguments,
        env=environment(env),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def gonogo(*arguments: str, env: Mapping[str, str] = {}, timeout_seconds: float = 180) -> Ended:
    """A command to its end. It is killed, and the test fails, when it does not end."""
    process = await start(*arguments, env=env)
    try:
        out, err = await asyncio.wait_for(process.communicate(), timeout_seconds)
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    return Ended(process.returncode or 0, out.decode(), err.decode())


@asynccontextmanager
async def data_home() -> AsyncIterator[Path]:
    """A folder for a data folder. Not under pytest's own: as root, PostgreSQL's account must be able to enter it."""
    home = Path(tempfile.mkdtemp(prefix="gonogo-e2e-"))
    home.chmod(0o711)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


class Up(msgspec.Struct, frozen=True):
    """A system that `gonogo up` runs."""

    process: asyncio.subprocess.Process
    data: Path
    url: str
    tokens: dict[str, str]

    def env(self, user: str) -> dict[str, str]:
        """The environment of somebody who uses it."""
        return {"GONOGO_URL": self.url, "GONOGO_TOKEN": self.tokens[user]}


@asynccontextmanager
async def up(data: Path) -> AsyncIterator[Up]:
    """`gonogo up` on this folder and a free port, stopped by Ctrl-C."""
    process = await start("up", "--data", str(data), "--port", "0")
    told: list[str] = []
    readers = [asyncio.create_task(_read(stream, told)) for stream in (process.stdout, process.stderr)]
    try:
        await eventually(lambda: _complete(told, process), timeout=180, what="gonogo up to be ready")
        url = next(line.split()[1] for line in told if line.startswith("Address"))
        tokens = msgspec.json.decode((data / "secrets" / "tokens.json").read_bytes(), type=dict[str, str])
        assert all(any(token in line for line in told) for token in tokens.values())
        yield Up(process, data, url, tokens)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.wait(), PATIENCE_SECONDS)
        await asyncio.gather(*readers)


async def _read(stream: asyncio.StreamReader | None, told: list[str]) -> None:
    assert stream is not None
    async for line in stream:
        told.append(line.decode().rstrip())


def _complete(told: list[str], process: asyncio.subprocess.Process) -> bool:
    assert process.returncode is None, "\n".join(told)
    return any("Ctrl-C" in line for line in told)
