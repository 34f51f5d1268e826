"""One workflow run: the events of a `run-<id>` stream.

A step is always intent, effect, outcome: `run.step_started.v1` before anything outside happens, under the key
`<run>/<step>/<attempt>`, then the effect, then `run.step_finished.v1`. Work is leased: `run.claimed.v1` names the owner
and until when; the stream version is the fence, since an old owner that wakes up appends at a version that has passed.
"""

import hashlib
from typing import Literal

from contracts.plan_events import Event
from contracts.workflow import WorkflowDefinition

RunOutcome = Literal["passed", "failed", "cancelled", "unknown"]
StepOutcome = Literal["passed", "failed", "cancelled", "timeout", "unknown"]


class Blob(Event, frozen=True, gc=False):
    """Something large that is kept beside the log: its size in bytes and its SHA-256."""

    size: int
    sha256: str


class RunCreated(Event, frozen=True, gc=False):
    """`first_step` is where to begin: a retry starts at the step that failed, the earlier ones are kept as passed.

    `inputs` are complete (defaults filled in); a credential stays the reference `secret:NAME`. `retry_of` is the run that
    failed, `outputs` what its passed steps gave.
    """

    plan: str
    item: str
    attempt: int
    revision: int
    digest: str
    definition: WorkflowDefinition
    inputs: dict[str, str]
    first_step: int = 0
    retry_of: str = ""
    outputs: dict[str, str] = {}


class RunClaimed(Event, frozen=True, gc=False):
    """`owner` works on it until `until` (Unix µs). Claiming again extends; another may claim when the time is over."""

    owner: str
    until: int


class StepStarted(Event, frozen=True, gc=False):
    """Intent. `place` names the folder of runs where a process of this attempt can be found, and nowhere else."""

    step: int
    name: str
    attempt: int
    key: str
    place: str = ""


class StepFinished(Event, frozen=True, gc=False):
    """`unknown`: it was started, the outcome cannot be found out, and its effect class forbids to guess."""

    step: int
    attempt: int
    outcome: StepOutcome
    exit_code: int | None = None
    error: str = ""
    output: Blob | None = None
    outputs: dict[str, str] = {}


class RunCancelRequested(Event, frozen=True, gc=False):
    reason: str


class RunFinished(Event, frozen=True, gc=False):
    """`log` is the SHA-256 of the kept output of all its steps, one after the other."""

    outcome: RunOutcome
    error: str = ""
    outputs: dict[str, str] = {}
    log: str = ""


EVENTS: dict[str, type[Event]] = {
    "run.created.v1": RunCreated,
    "run.claimed.v1": RunClaimed,
    "run.step_started.v1": StepStarted,
    "run.step_finished.v1": StepFinished,
    "run.cancel_requested.v1": RunCancelRequested,
    "run.finished.v1": RunFinished,
}
OWNERS: dict[str, tuple[str, ...]] = {"executor": tuple(EVENTS)}


def run_id(plan: str, item: str, attempt: int) -> str:
    """The id of the run that an item's attempt is: the same for everybody who asks, so it is created once."""
    return hashlib.sha256("\x00".join((plan, item, str(attempt))).encode()).hexdigest()[:24]


def run_stream(run: str) -> str:
    """The stream of a run."""
    return f"run-{run}"


def step_key(run: str, step: str, attempt: int) -> str:
    """The idempotency key under which a step's effect is asked for."""
    return f"{run}/{step}/{attempt}"
