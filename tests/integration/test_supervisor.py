"""The supervisor: everything is started, kept alive and stopped; nothing is left behind, whatever happens."""

import asyncio
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from infra.embedded.child import Child, spawn
from infra.supervise import GaveUp, System
from tests.support.supervised import stub
from tests.support.wait import eventually

START_SECONDS = 120


def living(folder: Path) -> list[int]:
    """Every process that works on the folder: named on its command line or in its environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if str(folder).encode() in told and state != "Z":
            found.append(int(process.name))
    return [pid for pid in found if pid != os.getpid()]


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="gonogo-test-"))
    yield path / "data"
    assert living(path) == []
    shutil.rmtree(path)


@pytest.fixture(autouse=True)
def passable(folder: Path) -> None:
    folder.parent.chmod(0o711)  # as root, PostgreSQL's account must be able to enter


class Supervisor:
    """A supervisor process and what it said."""

    def __init__(self, child: Child, log: Path) -> None:
        self.child = child
        self._log = log

    @property
    def said(self) -> str:
        return self._log.read_text()

    async def says(self, text: str) -> None:
        await eventually(lambda: text in self.said or self._ended_early(), START_SECONDS, f"{text!r} in: {self.said}")
        assert text in self.said

    async def ends(self) -> int:
        return await asyncio.wait_for(self.child.wait(), START_SECONDS)

    def _ended_early(self) -> bool:
        return not self.child.running


Supervise = Callable[..., Awaitable[Supervisor]]


@pytest_asyncio.fixture
async def supervise(folder: Path, tmp_path: Path) -> AsyncIterator[Supervise]:
    started: list[Supervisor] = []

    async def supervise(*services: str, port: int = 0) -> Supervisor:
        log = tmp_path / f"supervisor{len(started)}.log"
        argv = [sys.executable, "-m", "tests.support.supervised", str(folder), str(port), *services]
        child = await spawn("supervisor", argv, env=os.environ, log=log, death_signal=signal.SIGTERM)
        started.append(Supervisor(child, log))
        return started[-1]

    yield supervise
    for supervisor in started:
        await supervisor.child.stop((signal.SIGTERM, 30))
    await eventually(lambda: not living(folder), what="everything has ended")


async def test_a_signal_stops_everything_with_exit_code_zero(supervise: Supervise, folder: Path) -> None:
    supervisor = await supervise("planner", "relay")
    await supervisor.says("ready in ")
    assert len(living(folder)) > 4
    supervisor.child.signal(signal.SIGINT)
    assert await supervisor.ends() == 0
    assert living(folder) == []


async def test_a_signal_during_the_first_start_leaves_nothing_behind_and_the_next_start_works(
    supervise: Supervise, folder: Path
) -> None:
    supervisor = await supervise("planner")
    await eventually(lambda: (folder / "postgres" / "cluster.new").exists(), START_SECONDS)
    supervisor.child.signal(signal.SIGTERM)
    assert await supervisor.ends() == 0
    assert living(folder) == []
    again = await supervise("planner")
    await again.says("ready in ")


async def test_a_second_supervisor_on_the_folder_is_refused_and_the_first_runs_on(supervise: Supervise) -> None:
    first = await supervise("planner")
    await first.says("ready in ")
    second = await supervise("planner")
    assert await second.ends() == 2
    assert f"in use by process {first.child.pid}" in second.said
    assert "Traceback" not in second.said
    assert first.child.running


async def test_a_gateway_port_that_is_taken_is_one_sentence_and_nothing_runs(
    supervise: Supervise, folder: Path
) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        supervisor = await supervise("gateway", port=port)
        assert await supervisor.ends() == 2
    assert f"port {port}" in supervisor.said
    assert len(supervisor.said.splitlines()) == 1
    assert living(folder) == []


async def test_a_service_that_dies_before_it_is_ready_each_time_stops_everything(
    supervise: Supervise, folder: Path
) -> None:
    supervisor = await supervise("planner", "audit:dies")
    assert await supervisor.ends() == 1
    assert "audit ended with exit code 1; starting it again in 0.4 s" in supervisor.said
    assert (
        "audit ended 5 times before it was ready; at last it ended with exit code 1: RuntimeError: this one always dies"
        in (supervisor.said)
    )
    assert str(folder / "logs" / "audit.log") in supervisor.said
    assert "Traceback" not in supervisor.said
    assert living(folder) == []


async def test_a_service_with_wrong_settings_is_not_tried_again(supervise: Supervise, folder: Path) -> None:
    supervisor = await supervise("planner", "audit:misconfigured")
    assert await supervisor.ends() == 1
    assert "audit cannot start: the moon is in the wrong quarter" in supervisor.said
    assert "again" not in supervisor.said
    assert living(folder) == []


async def test_a_killed_supervisor_leaves_nothing_behind_and_the_next_finds_the_data(
    supervise: Supervise, folder: Path
) -> None:
    supervisor = await supervise("planner")
    await supervisor.says("ready in ")
    secrets = {file.name: file.read_bytes() for file in (folder / "secrets").iterdir()}
    supervisor.child.signal(signal.SIGKILL)
    await supervisor.ends()
    await eventually(lambda: not living(folder), what="the children end by themselves")
    again = await supervise("planner")
    await again.says("0 migrations applied")
    await again.says("ready in ")
    assert {file.name: file.read_bytes() for file in (folder / "secrets").iterdir()} == secrets


async def test_a_service_that_ignores_the_signal_is_killed_after_its_drain(supervise: Supervise, folder: Path) -> None:
    supervisor = await supervise("planner:hangs")
    await supervisor.says("ready in ")
    supervisor.child.signal(signal.SIGTERM)
    assert await supervisor.ends() == 0
    assert living(folder) == []


# Inside one process, as the demo and the chaos tests use it


class Notices:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def step(self, text: str) -> None: ...

    def notice(self, text: str) -> None:
        self.lines.append(text)


async def test_whatever_is_killed_comes_back_at_the_same_address_and_it_is_said(folder: Path) -> None:
    notices = Notices()
    async with System(folder, [stub("planner")], http_port=0, report=notices) as system:
        before, urls = system.pids, system.urls
        assert set(before) == {"postgres", "nats", "planner"}
        connection = await asyncpg.connect(urls["database"], ssl=False)
        await connection.execute("create table mark (n int)")
        await connection.close()
        for name in before:
            system.kill(name)
            await eventually(
                lambda name=name: any(line.startswith(f"{name} was ended by SIGKILL") for line in notices.lines)
            )
            await system.wait_ready(name)
        assert not set(before.values()) & set(system.pids.values())
        assert {name: url for name, url in system.urls.items() if "status" not in name} == {
            name: url for name, url in urls.items() if "status" not in name
        }
        connection = await asyncpg.connect(urls["database"], ssl=False)
        assert await connection.fetchval("select to_regclass('mark')") == "mark"
        await connection.close()


async def test_a_restart_on_request_is_orderly_and_no_notice(folder: Path) -> None:
    notices = Notices()
    async with System(folder, [stub("planner")], http_port=0, report=notices) as system:
        for name, pid in system.pids.items():
            await system.restart(name)
            assert system.pids[name] != pid
    assert notices.lines == []


async def test_a_service_logs_in_as_itself_with_its_environment(folder: Path) -> None:
    async with System(folder, [stub("planner")], http_port=0) as system:
        environment = system.env_for("executor")
        connection = await asyncpg.connect(environment["GONOGO_DATABASE_URL"], ssl=False)
        assert await connection.fetchval("select session_user") == "gonogo_executor"
        await connection.close()
        assert environment["GONOGO_NATS_USER"] == "executor"
        assert Path(environment["GONOGO_MASTER_KEY_FILE"]).stat().st_mode & 0o777 == 0o600


async def test_a_service_that_is_never_ready_is_named_with_its_own_reason(folder: Path) -> None:
    system = System(folder, [stub("planner:never")], http_port=0, ready_seconds=5)
    with pytest.raises(GaveUp, match=r"planner is not ready after 5 s: waiting for the moon .*planner\.log"):
        await system.start()
    assert system.pids == {}
