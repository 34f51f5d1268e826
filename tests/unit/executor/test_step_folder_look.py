"""A step's folder seen while its wrapper moves on: between any two looks of ours it may claim, end and let go."""

import fcntl
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.executor.adapters import folder as module
from services.executor.adapters.folder import Started, StepFolder


class Wrapper:
    """What the wrapper does to the folder, one thing after the other, each before one given look."""

    def __init__(self, path: Path, before_looks: tuple[int, ...]) -> None:
        self._path = path
        self._lock = os.open(path / "lock.t", os.O_RDWR | os.O_CREAT)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._deeds: Iterator[tuple[int, Callable[[], object]]] = iter(
            zip(before_looks, (self._claim, self._exit, self._let_go), strict=True)
        )
        self._next = next(self._deeds, None)
        self.looks = 0

    def _claim(self) -> None:
        (self._path / "started").write_text("123456 t\n")

    def _exit(self) -> None:
        (self._path / "exit").write_text("0\n")

    def _let_go(self) -> None:
        os.close(self._lock)

    def look(self) -> None:
        """One of our looks is about to happen."""
        while self._next is not None and self._next[0] <= self.looks:
            self._next[1]()
            self._next = next(self._deeds, None)
        self.looks += 1


class Seen(StepFolder):
    """Lets the wrapper move on before each look."""

    wrapper: Wrapper

    @property
    def started(self) -> Started | None:
        self.wrapper.look()
        return super().started

    @property
    def exit_code(self) -> int | None:
        self.wrapper.look()
        return super().exit_code


@pytest.mark.parametrize("before", list(itertools.combinations_with_replacement(range(7), 3)))
def test_a_step_that_ended_well_is_never_taken_for_lost_however_our_looks_fall(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: tuple[int, int, int]
) -> None:
    folder = Seen(tmp_path, "key")
    folder.wrapper = Wrapper(tmp_path, before)
    held = module._held

    def looked(lock: Path) -> bool:
        folder.wrapper.look()
        return held(lock)

    monkeypatch.setattr(module, "_held", looked)
    while folder.goes_on:
        assert folder.wrapper.looks < 100
    assert folder.exit_code == 0


def test_a_step_whose_wrapper_died_before_it_claimed_the_start_goes_on_no_more(tmp_path: Path) -> None:
    (tmp_path / "lock.t").touch()
    assert not StepFolder(tmp_path, "key").goes_on
