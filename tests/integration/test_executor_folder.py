"""The folder of a step's attempt: started once by whoever comes first, however many try, and found again."""

import asyncio
import fcntl
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.workflow import ScriptStep
from infra.blobs import Blobs
from infra.clock import SystemClock
from services.executor.adapters.folder import StepFolder
from services.executor.adapters.place import is_gone, owner_name, place_of
from services.executor.adapters.script import Scripts
from services.executor.adapters.step import Job, Stop
from tests.support.wait import eventually

ENV = {"PATH": os.defpath, "GONOGO_KEY": "run/step/1"}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[StepFolder]:
    one = StepFolder(tmp_path / "0-1", "run/step/1")
    yield one
    one.signal_group(signal.SIGKILL)


async def _ended(folder: StepFolder, *children: "subprocess.Popen[bytes]") -> None:
    await eventually(lambda: not folder.alive and all(child.poll() is not None for child in children), what="it ends")


async def test_of_twenty_starters_one_starts(folder: StepFolder, tmp_path: Path) -> None:
    script = f"echo ran >> {tmp_path}/count"
    children = await asyncio.gather(*(asyncio.to_thread(folder.spawn, script, ENV) for _ in range(20)))
    await eventually(lambda: folder.exit_code is not None, what="it ends")
    await _ended(folder, *children)
    assert (tmp_path / "count").read_text() == "ran\n"
    assert folder.exit_code == 0


async def test_a_forbidden_start_never_happens(folder: StepFolder, tmp_path: Path) -> None:
    assert folder.forbid()
    child = await asyncio.to_thread(folder.spawn, f"touch {tmp_path}/ran", ENV)
    await _ended(folder, child)
    assert not (tmp_path / "ran").exists()
    assert folder.exit_code is None


async def test_what_has_started_cannot_be_forbidden(folder: StepFolder) -> None:
    child = await asyncio.to_thread(folder.spawn, "sleep 1000", ENV)
    await eventually(lambda: folder.alive, what="it lives")
    assert not folder.forbid()

    def asked_to_end() -> bool:
        # Again and again, as its executor would kill it in the end: the first may come before the script has begun.
        folder.signal_group(signal.SIGTERM)
        return folder.exit_code is not None

    await eventually(asked_to_end, what="it ends")
    await _ended(folder, child)
    assert folder.exit_code == 128 + signal.SIGTERM


async def test_an_end_is_known_although_its_starter_was_stopped_before_it_let_go_of_the_lock(
    folder: StepFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []

    def lock_and_keep(descriptor: int, operation: int) -> None:
        flock(descriptor, operation)
        if operation == fcntl.LOCK_EX:
            kept.append(os.dup(descriptor))

    flock = fcntl.flock
    monkeypatch.setattr(fcntl, "flock", lock_and_keep)
    child = await asyncio.to_thread(folder.spawn, "exit 3", ENV)
    try:
        await _ended(folder, child)
        assert folder.exit_code == 3
        assert folder.starting  # somebody still holds the lock
    finally:
        for descriptor in kept:
            os.close(descriptor)


async def test_what_a_killed_wrapper_left_behind_is_found_and_ended(folder: StepFolder, tmp_path: Path) -> None:
    child = await asyncio.to_thread(folder.spawn, f"echo $$ > {tmp_path}/pid; while :; do sleep 0.05; done", ENV)
    await eventually(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip(), what="it runs")
    started = folder.started
    assert started is not None
    os.kill(started.pid, signal.SIGKILL)
    await _ended(folder, child)
    left = int((tmp_path / "pid").read_text())
    assert Path(f"/proc/{left}").exists()
    folder.kill_leftovers()
    await eventually(lambda: not _lives(left), what="it is gone")


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except FileNotFoundError:
        return False


async def test_after_forgetting_the_claim_still_stands(folder: StepFolder, tmp_path: Path) -> None:
    first = await asyncio.to_thread(folder.spawn, f"echo ran >> {tmp_path}/count", ENV)
    await eventually(lambda: folder.exit_code is not None, what="it ends")
    await _ended(folder, first)
    folder.forget()
    assert not folder.output.exists()
    late = await asyncio.to_thread(folder.spawn, f"echo ran >> {tmp_path}/count", ENV)  # a starter that was paused
    await _ended(folder, late)
    assert (tmp_path / "count").read_text() == "ran\n"


def test_a_folder_of_runs_keeps_its_name_and_another_has_another(tmp_path: Path) -> None:
    assert place_of(tmp_path / "a") == place_of(tmp_path / "a") != place_of(tmp_path / "b")


def test_only_an_owner_whose_process_has_certainly_ended_is_gone() -> None:
    me = owner_name()
    assert not is_gone(me)
    assert not is_gone("")
    machine, pid, started, _ = me.split("-")
    if machine != "unknown":
        assert is_gone(f"{machine}-{pid}-{int(started) + 1}-abc")
    assert not is_gone(f"elsewhere-{pid}-1-abc")


async def test_an_end_that_a_stopping_executor_made_and_could_not_tell_is_not_blamed_on_the_step(
    tmp_path: Path,
) -> None:
    scripts = Scripts(tmp_path / "runs", "here", Blobs(tmp_path / "blobs"), SystemClock())
    step = ScriptStep(name="one", script="", effect="idempotent")
    job = Job("p", "i", "ab", 0, 1, "key", step, {}, {}, SystemClock().now(), resumed=True, place="here")
    folder = StepFolder(tmp_path / "runs" / "ab" / "0-1", "key")
    child = await asyncio.to_thread(folder.spawn, "sleep 1000", ENV)
    await eventually(lambda: folder.alive, what="it lives")
    folder.note_stop("executor_stopped")

    def asked_to_end() -> bool:
        folder.signal_group(signal.SIGTERM)
        return folder.exit_code is not None

    await eventually(asked_to_end, what="it ends")
    await _ended(folder, child)
    ended = await scripts.perform(job, Stop())
    assert (ended.outcome, ended.error) == ("cancelled", "executor_stopped")
