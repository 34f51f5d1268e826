"""The shell of a service, as a process: exit codes, what it says about itself, how it waits and how it ends."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest_asyncio

from infra.embedded.child import Child, spawn
from tests.support.servers import Nats, Postgres
from tests.support.wait import PATIENCE_SECONDS, eventually


class Service:
    """A stub service and what it logged."""

    def __init__(self, child: Child, log: Path, status: Path) -> None:
        self.child = child
        self._log = log
        self._status = status

    @property
    def said(self) -> str:
        return self._log.read_text()

    def lines(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(line) for line in self.said.splitlines() if line.startswith("{")]

    def events(self) -> list[str]:
        return [str(line["event"]) for line in self.lines()]

    async def ask(self, path: str) -> tuple[int, str]:
        """Status and body; 0 while nobody listens."""
        if not self._status.exists():
            return 0, ""
        reader, writer = await asyncio.open_connection("127.0.0.1", int(self._status.read_text()))
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
        writer.close()
        return int(head.split()[1]), body.strip()

    async def is_ready(self) -> bool:
        return (await self.ask("/readyz"))[0] == 200

    async def ends(self) -> int:
        return await asyncio.wait_for(self.child.wait(), PATIENCE_SECONDS)


Run = Callable[..., Awaitable[Service]]


@pytest_asyncio.fixture
async def run(tmp_path: Path) -> AsyncIterator[Run]:
    started: list[Child] = []

    async def run(fault: str = "", **settings: str) -> Service:
        log, status = tmp_path / "log", tmp_path / "status"
        env = {**os.environ, "GONOGO_STATUS_FILE": str(status), "GONOGO_DRAIN_SECONDS": "60"}
        env |= {f"GONOGO_{name.upper()}": value for name, value in settings.items()}
        argv = [sys.executable, "-m", "tests.support.stub_service", "planner", fault]
        started.append(await spawn("planner", argv, env=env, log=log, death_signal=signal.SIGTERM))
        return Service(started[-1], log, status)

    yield run
    for child in started:
        await child.stop((signal.SIGTERM, 10))


async def test_wrong_settings_are_one_line_and_exit_code_two(run: Run) -> None:
    service = await run(status_port="many")
    assert await service.ends() == 2
    assert len(service.said.splitlines()) == 1
    assert "GONOGO_DATABASE_URL is missing" in service.said
    assert "GONOGO_STATUS_PORT" in service.said


async def test_a_signal_ends_a_service_with_exit_code_zero(run: Run) -> None:
    service = await run("offline", database_url="x")
    await eventually(service.is_ready)
    service.child.signal(signal.SIGTERM)
    assert await service.ends() == 0
    assert service.events()[-1] == "service_stopped"


async def test_a_part_that_fails_ends_the_service_with_exit_code_one_and_its_reason(run: Run) -> None:
    service = await run("fails", database_url="x")
    assert await service.ends() == 1
    assert "RuntimeError: the writer died" in service.said


async def test_a_drain_that_never_ends_is_ended(run: Run) -> None:
    service = await run("clings", database_url="x", drain_seconds="0.2")
    await eventually(service.is_ready)
    service.child.signal(signal.SIGTERM)
    assert await service.ends() == 0
    assert service.events()[-1] == "drain_never_ended"


async def test_a_service_waits_for_its_servers_and_says_so_and_a_signal_ends_the_waiting(run: Run) -> None:
    service = await run(database_url="postgresql://planner:hunter2@127.0.0.1:1/gonogo")

    async def waits() -> bool:
        status, reason = await service.ask("/readyz")
        return status == 503 and "refused" in reason

    await eventually(waits)
    assert await service.ask("/healthz") == (200, "alive")
    service.child.signal(signal.SIGTERM)
    assert await service.ends() == 0
    reasons = [line["reason"] for line in service.lines() if line["event"] == "waiting_for_server"]
    assert all(before != after for before, after in pairwise(reasons)), "said once, not at each try"
    assert "hunter2" not in service.said


async def test_a_service_is_ready_once_its_start_file_and_its_servers_are_there(
    run: Run, postgres: Postgres, nats: Nats, tmp_path: Path
) -> None:
    dsns = await postgres.fresh_database()
    login = {f"nats_{name}": value for name, value in nats.login("planner").items()}
    start = tmp_path / "start"
    service = await run(
        database_url=dsns.of("planner"), nats_url=nats.url, start_file=str(start), log_level="debug", **login
    )
    await eventually(lambda: "service_starting" in service.events() if service.said else False)
    assert await service.ask("/readyz") == (503, "starting")
    start.touch()
    await eventually(service.is_ready)
    status, metrics = await service.ask("/metrics")
    assert status == 200
    assert "process_resident_memory_bytes" in metrics
    assert (await service.ask("/elsewhere"))[0] == 404
