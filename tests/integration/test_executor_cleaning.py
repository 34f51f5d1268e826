"""What runs leave in files is dropped by a rule: nothing of a run under way, nothing early, and no claim that is needed."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from structlog.testing import capture_logs

from contracts.commands import ExecuteItem
from contracts.run import run_id
from infra.blobs import Blobs
from infra.clock import SetClock, SystemClock
from services.executor.adapters.folder import StepFolder
from services.executor.handlers.cleaning import Cleaning, Keep
from tests.support.executing import House, deploy, open_house, script, workflow_item
from tests.support.servers import Postgres
from tests.support.wait import eventually

DAY = 86_400


@pytest_asyncio.fixture(loop_scope="session")
async def house(postgres: Postgres, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(await postgres.fresh_database(), tmp_path) as one:
        yield one


def cleaning(house: House, days_later: float, **keep: float) -> Cleaning:
    clock = SetClock(SystemClock().now() + int(days_later * DAY * 1_000_000))
    return Cleaning(house.admin, clock, house.data / "runs", Blobs(house.data / "blobs"), Keep(**keep))


async def test_folders_go_after_a_week_logs_after_a_year_and_the_log_of_events_keeps_its_digest(house: House) -> None:
    async with house.executor() as executor:
        definition = await executor.put(deploy(script("echo said")))
        plans = [await house.executing(workflow_item(), definition=definition) for _ in range(2)]
        for plan in plans:
            await executor.ask(ExecuteItem(plan=plan, item="deploy"))
            await house.item_is(plan, "done")
    runs = [run_id(plan, "deploy", 1) for plan in plans]
    blobs = Blobs(house.data / "blobs")
    state = await house.run(runs[0])
    assert state.steps[0].output is not None
    kept = blobs.path(state.steps[0].output.sha256)
    (house.data / "runs" / runs[0] / "0-1" / "output").write_text("left by one that was killed")

    await cleaning(house, 6).once()
    assert sorted(path.name for path in (house.data / "runs").iterdir()) == sorted([*runs, "place"])
    assert not (house.data / "runs" / runs[0] / "0-1" / "output").exists()

    await cleaning(house, 8).once()
    assert [path.name for path in (house.data / "runs").iterdir()] == ["place"]
    assert b"".join(blobs.read_run(runs[0])) == b"said\n"

    await cleaning(house, 10_000, logs_days=0).once()
    assert blobs.runs() == sorted(runs)
    await cleaning(house, 366).once()
    assert blobs.runs() == []
    assert not kept.exists()
    assert (await house.item(plans[0])).attempts[-1].log


async def test_nothing_of_a_run_under_way_is_dropped_however_old_it_is(house: House, tmp_path: Path) -> None:
    go = tmp_path / "go"
    async with house.executor() as executor:
        definition = await executor.put(deploy(script(f"echo one; while [ ! -e {go} ]; do sleep 0.05; done; echo two")))
        plan = await house.executing(workflow_item(), definition=definition)
        await executor.ask(ExecuteItem(plan=plan, item="deploy"))
        run = run_id(plan, "deploy", 1)
        blobs = Blobs(house.data / "blobs")
        await eventually(lambda: b"".join(blobs.read_run(run)) == b"one\n", what="it says something")
        await cleaning(house, 10_000).once()
        go.touch()
        await house.item_is(plan, "done")
    assert b"".join(blobs.read_run(run)) == b"one\ntwo\n"


async def test_what_the_log_does_not_know_is_left_alone(house: House) -> None:
    foreign = house.data / "runs" / ("ab" * 12)
    foreign.mkdir(parents=True)
    Blobs(house.data / "blobs").writer("cd" * 12, 0, 1).close()
    await cleaning(house, 10_000).once()
    assert foreign.exists()
    assert Blobs(house.data / "blobs").runs() == ["cd" * 12]


async def test_what_cannot_be_cleaned_or_is_none_of_ours_holds_up_no_other(house: House) -> None:
    async with house.executor() as executor:
        definition = await executor.put(deploy(script("echo said")))
        plans = [await house.executing(workflow_item(), definition=definition) for _ in range(2)]
        for plan in plans:
            await executor.ask(ExecuteItem(plan=plan, item="deploy"))
            await house.item_is(plan, "done")
    root, runs = house.data / "runs", [run_id(plan, "deploy", 1) for plan in plans]
    os.mkdir(os.fsencode(root) + b"/\xff")
    (root / "notes.txt").touch()
    for run in runs:
        (root / run / "0-0").touch()
        (root / run / "0-1" / "output" / "kept").mkdir(parents=True)  # a folder cannot be unlinked
        (root / run / "0-2").mkdir()
        (root / run / "0-2" / "output").touch()

    with capture_logs() as logs:
        await cleaning(house, 6).once()
    assert {one["run"] for one in logs if one["event"] == "not_cleaned"} == set(runs)
    assert not any((root / run / "0-2" / "output").exists() for run in runs)

    await cleaning(house, 366).once()
    assert sorted(path.name for path in root.iterdir()) == sorted(["notes.txt", "place", "\udcff"])
    assert Blobs(house.data / "blobs").runs() == []


async def test_a_starter_that_wakes_long_after_its_lease_starts_nothing_although_the_claim_is_gone(
    tmp_path: Path,
) -> None:
    folder, now = StepFolder(tmp_path / "0-1", "key"), SystemClock().now() // 1_000_000
    env = {"PATH": os.defpath}
    late = await asyncio.to_thread(folder.spawn, f"touch {tmp_path}/ran", env, now - 1)
    await eventually(lambda: late.poll() is not None, what="it gives up")
    assert folder.started is None
    assert not (tmp_path / "ran").exists()
    in_time = await asyncio.to_thread(folder.spawn, f"touch {tmp_path}/ran", env, now + 100)
    await eventually(lambda: in_time.poll() is not None, what="it ends")
    assert (tmp_path / "ran").exists()
