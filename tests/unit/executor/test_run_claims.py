"""Who says that a run was taken over: only the executor that the log gave it to."""

from collections.abc import Awaitable, Callable, Sequence
from typing import cast

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from contracts.commands import Accepted, Request
from contracts.plan import Plan
from contracts.plan_events import Event
from contracts.run import RunClaimed, RunCreated, RunFinished
from contracts.run_state import Run, StepState
from infra.clock import SetClock
from infra.commands import Desk
from services.executor.handlers.runs import Runs
from services.executor.handlers.steps import Steps
from tests.support.wait import eventually
from tests.unit.executor.given import DEPLOY, NOON, PLAN

CREATED = RunCreated(plan=PLAN, item="deploy", attempt=1, revision=1, digest="d", definition=DEPLOY, inputs={})
LEFT = Run(
    id="ab" * 12,
    created=CREATED,
    created_at=NOON,
    created_by="service:executor",
    version=2,
    steps=(StepState(), StepState()),
    owner="elsewhere-1-1-a",
    until=NOON - 1,
    cancel_reason="the plan was reopened",
)


class OneRun:
    """A desk with one run, left by its owner. `meanwhile` is the run as the log has it when the claim is decided."""

    def __init__(self, meanwhile: Run) -> None:
        self._run, self._meanwhile = LEFT, meanwhile

    async def read(self, _: str) -> Run:
        return self._run

    recall = read

    async def execute(
        self, _: Request, stream: str, decide: Callable[[Run], Awaitable[Sequence[Event]]], *, cause: int
    ) -> Accepted:
        if self._run is LEFT:
            self._run = self._meanwhile
        (event,) = await decide(self._run)
        if isinstance(event, RunClaimed):
            self._run = replace(self._run, owner=event.owner, until=event.until, version=self._run.version + 1)
        else:
            assert isinstance(event, RunFinished)
            self._run = replace(self._run, outcome=event.outcome, version=self._run.version + 1)
        return Accepted(self._run.version, 9, {})


class NoPlan:
    async def recall(self, _: str) -> None:
        return None


class NoStep:
    async def log_of(self, _: Run) -> str:
        return ""


@pytest.mark.parametrize(
    ("meanwhile", "told"),
    [
        (replace(LEFT, version=3), ["run_taken_over", "run_finished"]),
        (replace(LEFT, owner="quicker-1-1-b", until=NOON + 1, version=3), ["run_let_go"]),
        (replace(LEFT, owner="", version=3), ["run_finished"]),
    ],
    ids=["ours", "another's", "handed back"],
)
async def test_a_run_is_told_as_taken_over_only_by_whom_the_log_gave_it_to(meanwhile: Run, told: list[str]) -> None:
    ended: list[str] = []
    runs = Runs(
        cast("Desk[Run]", OneRun(meanwhile)),
        cast("Desk[Plan]", NoPlan()),
        cast("Steps", NoStep()),
        SetClock(NOON),
        "here-1-1-c",
        ended.append,
    )
    with capture_logs() as logs:
        await runs.look("run-" + LEFT.id)
        await eventually(lambda: ended, what="the driver has ended")
    assert [entry["event"] for entry in logs] == told
