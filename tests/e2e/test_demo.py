"""`gonogo demo`: a real release from draft to success, in a process of its own, doubted from outside."""

import asyncio
import os
import signal
from pathlib import Path

import msgspec
import pytest

from tests.support.gonogo import ROOT, Ended, data_home, gonogo, start
from tests.support.wait import PATIENCE_SECONDS

DATA = ROOT.parent / "shared" / "data" / "kubernetes-sig-release"


def left_behind(marker: str) -> list[str]:
    """Processes that still have this text in their command line or environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            text = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:
            continue
        if marker.encode() in text and int(entry.name) != os.getpid():
            found.append(entry.name)
    return found


def outcome_of(ended: Ended) -> dict[str, object]:
    assert ended.code == 0, ended.err
    document: dict[str, dict[str, object]] = msgspec.json.decode(ended.out)
    assert document["verification"]["findings"] == []
    return document["outcome"]


async def test_the_example_reaches_success_and_leaves_nothing_behind() -> None:
    async with data_home() as home:
        outcome = outcome_of(await gonogo("demo", "-o", "json", env={"TMPDIR": str(home)}))
        assert list(home.iterdir()) == []
        assert left_behind(str(home)) == []
    assert outcome["hooks"] == 3
    assert outcome["boxes"] == 9 + 5
    assert outcome["skipped"] == "send-the-announcement-to-the-mailing-list-1"
    assert outcome["steps_run"] == {"pack": 1, "check": 2}


async def test_the_record_is_printed_as_a_table_and_the_steps_on_stderr() -> None:
    ended = await gonogo("demo")
    assert ended.code == 0, ended.err
    assert "Operation record of plan" in ended.out
    assert "user:ana" in ended.out
    assert "\x1b" not in ended.out + ended.err
    ticks = [line for line in ended.err.splitlines() if line.startswith("✓")]
    assert len(ticks) >= 14, ended.err
    assert "self_approval" not in ended.out


@pytest.mark.parametrize(("name", "boxes"), [("cut-release.md", 11), ("release-team-lead-progress.md", 112)])
async def test_a_real_checklist_of_kubernetes_reaches_success(name: str, boxes: int) -> None:
    checklist = DATA / name
    if not checklist.exists():
        pytest.skip(f"{checklist.name} of the shared data is not here")
    outcome = outcome_of(await gonogo("demo", str(checklist), "-o", "json"))
    assert outcome["hooks"] == 3
    entries = outcome["entries"]
    assert isinstance(entries, list)
    completed = [entry for entry in entries if entry["type"] in ("item.completed.v1", "item.sub_step_ticked.v1")]
    assert len(completed) == outcome["boxes"]
    assert len(completed) == boxes - 1


async def test_a_checklist_without_boxes_is_refused_with_a_sentence_and_everything_is_stopped(tmp_path: Path) -> None:
    checklist = tmp_path / "empty.md"
    checklist.write_text("# Nothing to do\n\nReally.\n")
    async with data_home() as home:
        ended = await gonogo("demo", str(checklist), env={"TMPDIR": str(home)})
        assert left_behind(str(home)) == []
        (kept,) = home.iterdir()
        assert str(kept / "data" / "logs") in ended.err
    assert ended.code == 1
    assert ended.out == ""
    assert "checklist_without_boxes" in ended.err
    assert "Traceback" not in ended.err


async def test_a_checklist_that_is_not_there_starts_nothing() -> None:
    ended = await gonogo("demo", "/nowhere/list.md")
    assert (ended.code, ended.out, ended.err) == (2, "", "gonogo: There is no file /nowhere/list.md.\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_quietly_with_130_and_leaves_nothing_behind(number: signal.Signals) -> None:
    async with data_home() as home:
        process = await start("demo", env={"TMPDIR": str(home)})
        assert process.stderr is not None
        while b"seals" not in await asyncio.wait_for(process.stderr.readline(), PATIENCE_SECONDS):
            assert process.returncode is None
        process.send_signal(number)
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
        assert process.returncode == 130
        assert out == b""
        assert b"Traceback" not in err
        assert list(home.iterdir()) == []
        assert left_behind(str(home)) == []
