"""Kept output: readable while it grows, found by digest when complete, never mixed between two writers."""

import hashlib
from pathlib import Path

import pytest

from infra.blobs import Blobs

RUN = "ab" * 12


def test_output_can_be_read_while_it_grows_and_by_its_digest_once_complete(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    writer = blobs.writer(RUN, 0, 1)
    writer.write(b"one ")
    assert b"".join(blobs.read_run(RUN)) == b"one "
    writer.write(b"two")
    blob = writer.close()
    assert (blob.size, blob.sha256) == (7, hashlib.sha256(b"one two").hexdigest())
    assert b"".join(blobs.read(blob.sha256)) == b"one two"
    assert not list((tmp_path / "parts").iterdir())


def test_a_run_is_read_step_by_step_in_numeric_order_from_any_byte(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    for step, attempt, said in ((10, 1, b"ten"), (2, 1, b"two"), (2, 10, b"again")):
        writer = blobs.writer(RUN, step, attempt)
        writer.write(said)
        writer.close()
    assert b"".join(blobs.read_run(RUN)) == b"twoagainten"
    assert [b"".join(blobs.read_run(RUN, n)) for n in (2, 3, 8, 11, 99)] == [
        b"oagainten",
        b"againten",
        b"ten",
        b"",
        b"",
    ]
    assert blobs.digest_of_run(RUN) == hashlib.sha256(b"twoagainten").hexdigest()


def test_a_run_that_said_nothing_here_is_empty(tmp_path: Path) -> None:
    assert Blobs(tmp_path).of_run(RUN) == []
    assert Blobs(tmp_path).digest_of_run(RUN) == ""


def test_a_writer_that_was_superseded_changes_nothing_and_learns_it(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    paused, later = blobs.writer(RUN, 0, 1), blobs.writer(RUN, 0, 1)
    later.write(b"right")
    paused.write(b"stale stale")
    blob = later.close()
    with pytest.raises(FileNotFoundError):
        paused.close()
    paused.abandon()
    assert b"".join(blobs.read_run(RUN)) == b"".join(blobs.read(blob.sha256)) == b"right"


@pytest.mark.parametrize("name", ["../../etc", "AB", "", "a/b"])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        Blobs(tmp_path).writer(name, 0, 1)
    with pytest.raises(ValueError, match="not a name"):
        Blobs(tmp_path).path(name)


def test_kept_output_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs")
    blobs.writer(RUN, 0, 1).abandon()
    (kept,) = blobs.of_run(RUN)
    assert kept.path.stat().st_mode & 0o077 == 0
    assert kept.path.parent.stat().st_mode & 0o077 == 0


def test_what_two_runs_said_alike_is_kept_until_both_are_dropped(tmp_path: Path) -> None:
    blobs, runs = Blobs(tmp_path), ("ab" * 12, "cd" * 12)
    for run in runs:
        writer = blobs.writer(run, 0, 1)
        writer.write(b"the same")
        blob = writer.close()
    for gone, left in (runs, runs[::-1]):
        copy = Blobs(tmp_path / gone)
        for run in runs:
            writer = copy.writer(run, 0, 1)
            writer.write(b"the same")
            writer.close()
        copy.drop_run(gone, [blob.sha256])
        assert b"".join(copy.read(blob.sha256)) == b"".join(copy.read_run(left)) == b"the same"
        copy.drop_run(left, [blob.sha256])
        with pytest.raises(FileNotFoundError):
            copy.path(blob.sha256)
