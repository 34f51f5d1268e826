"""Keeps `view.open_attempt`, the attempts of workflow items that have begun and are not told as ended, and
`view.attempt_time`, how long whole successful runs took.

The executor's sweep reads the first, so that no run and no outcome is forgotten, whatever became of its plan meanwhile.
The second is only for telling people when a plan may end.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from contracts.envelope import Fact, stream_id
from contracts.plan_events import ItemFinished, ItemStarted
from contracts.registry import decode
from contracts.run import RunCreated, RunFinished, run_id
from infra.postgres import load_sql

if TYPE_CHECKING:
    from infra.checkpoint import Connection

_PACKAGE = "services.executor"


class OpenAttempts:
    """The projection `open_attempts`. A run's id follows from plan, item and attempt, so its end finds its row."""

    name: ClassVar[str] = "open_attempts"
    tables: ClassVar[Sequence[str]] = ("view.open_attempt",)
    types: ClassVar[frozenset[str]] = frozenset({"item.started.v1", "item.finished.v1"})

    def __init__(self) -> None:
        self._put = load_sql(_PACKAGE, "put_open_attempts")
        self._drop = load_sql(_PACKAGE, "drop_open_attempts")

    async def apply(self, conn: "Connection", facts: list[Fact]) -> None:
        """Fold the facts, then at most one statement each way."""
        opened: dict[str, str] = {}
        ended: set[str] = set()
        for fact in facts:
            if fact.type == "item.started.v1":
                started = decode(fact.type, fact.payload)
                assert isinstance(started, ItemStarted)
                opened[started.run] = stream_id(fact.stream)
            elif fact.type == "item.finished.v1":
                finished = decode(fact.type, fact.payload)
                assert isinstance(finished, ItemFinished)
                run = run_id(stream_id(fact.stream), finished.item, finished.attempt)
                opened.pop(run, None)
                ended.add(run)
        if opened:
            await conn.execute(self._put, list(opened), list(opened.values()))
        if ended:
            await conn.execute(self._drop, sorted(ended))


class AttemptTimes:
    """The projection `attempt_times`. A retry from a failed step is shorter than a whole run, so it is left out."""

    name: ClassVar[str] = "attempt_times"
    tables: ClassVar[Sequence[str]] = ("view.attempt_time",)
    types: ClassVar[frozenset[str]] = frozenset({"run.created.v1", "run.finished.v1"})

    def __init__(self) -> None:
        self._put = load_sql(_PACKAGE, "put_attempt_times")
        self._end = load_sql(_PACKAGE, "end_attempt_times")
        self._drop = load_sql(_PACKAGE, "drop_attempt_times")

    async def apply(self, conn: "Connection", facts: list[Fact]) -> None:
        """Fold the facts, then at most one statement each way."""
        begun: list[tuple[str, str, str, int]] = []
        passed: list[tuple[str, int]] = []
        others: list[str] = []
        for fact in facts:
            if fact.type == "run.created.v1":
                created = decode(fact.type, fact.payload)
                assert isinstance(created, RunCreated)
                if not created.first_step:
                    definition = created.definition
                    begun.append((stream_id(fact.stream), definition.project, definition.name, fact.at))
            elif fact.type == "run.finished.v1":
                finished = decode(fact.type, fact.payload)
                assert isinstance(finished, RunFinished)
                if finished.outcome == "passed":
                    passed.append((stream_id(fact.stream), fact.at))
                else:
                    others.append(stream_id(fact.stream))
        if begun:
            await conn.execute(self._put, *map(list, zip(*begun, strict=True)))
        if passed:
            await conn.execute(self._end, *map(list, zip(*passed, strict=True)))
        if others:
            await conn.execute(self._drop, others)
