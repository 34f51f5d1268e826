"""The state of a workflow run, as the fold of its events gives it. Times are Unix microseconds, 0 for "not yet"."""

from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec.structs import replace

from contracts.envelope import Fact, stream_id
from contracts.plan_events import Event
from contracts.registry import DECODERS
from contracts.run import (
    Blob,
    RunCancelRequested,
    RunClaimed,
    RunCreated,
    RunFinished,
    RunOutcome,
    StepFinished,
    StepStarted,
)


class StepState(msgspec.Struct, frozen=True):
    """The newest attempt of a step. `running`: intent recorded, no outcome yet."""

    state: Literal["todo", "running", "passed", "failed", "cancelled", "timeout", "unknown"] = "todo"
    attempt: int = 0
    started_at: int = 0
    ended_at: int = 0
    exit_code: int | None = None
    error: str = ""
    output: Blob | None = None
    outputs: dict[str, str] = {}
    place: str = ""


class Run(msgspec.Struct, frozen=True):
    """A workflow run at `version` of its stream and `position` of the log."""

    id: str
    created: RunCreated
    created_at: int
    created_by: str
    version: int
    steps: tuple[StepState, ...]
    owner: str = ""
    until: int = 0
    cancel_reason: str | None = None
    outcome: RunOutcome | None = None
    error: str = ""
    outputs: dict[str, str] = {}
    log: str = ""
    ended_at: int = 0
    position: int = 0

    @property
    def next_step(self) -> int | None:
        """The index of the step that is running or comes next; `None` when all have passed."""
        return next((i for i, step in enumerate(self.steps) if step.state != "passed"), None)


def fold_run(facts: Iterable[Fact], run: Run | None = None) -> Run | None:
    """The run after these facts of its stream. Facts of an unknown type move only the version."""
    for fact in facts:
        event = DECODERS[fact.type](fact.payload) if fact.type in DECODERS else None
        if run is None:
            run = _created(event, fact) if isinstance(event, RunCreated) else None
        else:
            run = replace(_after(run, event, fact), version=fact.version, position=fact.position)
    return run


def _created(event: RunCreated, fact: Fact) -> Run:
    total = sum(len(stage.steps) for stage in event.definition.stages)
    steps = tuple(StepState("passed" if i < event.first_step else "todo") for i in range(total))
    return Run(
        stream_id(fact.stream),
        event,
        fact.at,
        fact.actor,
        fact.version,
        steps,
        outputs=event.outputs,
        position=fact.position,
    )


def _after(run: Run, event: Event | None, fact: Fact) -> Run:
    match event:
        case RunClaimed():
            return replace(run, owner=event.owner, until=event.until)
        case StepStarted():
            return _with_step(run, event.step, StepState("running", event.attempt, fact.at, place=event.place))
        case StepFinished():
            before = run.steps[event.step]
            step = replace(
                before,
                state=event.outcome,
                ended_at=fact.at,
                exit_code=event.exit_code,
                error=event.error,
                output=event.output,
                outputs=event.outputs,
            )
            return replace(_with_step(run, event.step, step), outputs={**run.outputs, **event.outputs})
        case RunCancelRequested():
            return replace(run, cancel_reason=event.reason)
        case RunFinished():
            return replace(
                run, outcome=event.outcome, error=event.error, outputs=event.outputs, log=event.log, ended_at=fact.at
            )
        case _:
            return run


def _with_step(run: Run, index: int, step: StepState) -> Run:
    return replace(run, steps=(*run.steps[:index], step, *run.steps[index + 1 :]))
