"""What is given to an adapter to do, how it is told to stop, and what it answers. Both adapters keep to it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, Protocol

import msgspec

from contracts.run import Blob, StepFinished, StepOutcome
from contracts.workflow import HttpStep, ScriptStep
from infra.config import Secret
from services.executor.decider.runs import LOST, STOPPED, UNKNOWN_EFFECT, repeatable

FindSecret = Callable[[str], Awaitable[Secret | None]]
"""The key store's `get`."""

Why = Literal["cancelled", "executor_stopped"]


class Job(msgspec.Struct, frozen=True):
    """One attempt of one step. `resumed`: its intent was recorded before, perhaps by another process in `place`.

    `until`: the end of the lease under which it is begun (Unix µs of the executor's clock), 0 where there is none.
    """

    plan: str
    item: str
    run: str
    index: int
    attempt: int
    key: str
    step: ScriptStep | HttpStep
    inputs: Mapping[str, str]
    secrets: Mapping[str, Secret]
    started_at: int
    resumed: bool = False
    place: str = ""
    until: int = 0

    def value(self, name: str) -> str:
        """An input in the clear. Only for the process or the request that needs it."""
        secret = self.secrets.get(name)
        return secret.reveal() if secret is not None else self.inputs[name]


class Stop:
    """The order to end a step early. Asked once; a later reason does not change the first."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self.why: Why | None = None

    def ask(self, why: Why) -> None:
        self.why = self.why or why
        self._asked.set()

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    async def wait(self, timeout_seconds: float) -> None:
        """Until it is asked, or the time has passed."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._asked.wait()
        except TimeoutError:
            return


class Ended(msgspec.Struct, frozen=True):
    """How an attempt ended: the outcome's fields without its place in the run."""

    outcome: StepOutcome
    error: str = ""
    exit_code: int | None = None
    output: Blob | None = None
    outputs: dict[str, str] = {}

    def event(self, job: Job) -> StepFinished:
        """The fact of it."""
        return StepFinished(
            step=job.index,
            attempt=job.attempt,
            outcome=self.outcome,
            exit_code=self.exit_code,
            error=self.error,
            output=self.output,
            outputs=self.outputs,
        )


class Adapter(Protocol):
    """Carries out one type of step. Cancelling `perform` leaves the effect to whoever owns the run now."""

    async def perform(self, job: Job, stop: Stop) -> Ended: ...

    async def forget(self, job: Job) -> None:
        """The outcome is recorded: what is only needed to find it out may go."""
        ...


def stopped(job: Job, why: Why) -> tuple[StepOutcome, str]:
    """How a step ends that we ended. After our own stop a step that may be repeated goes on elsewhere; others ask."""
    if why == "cancelled":
        return "cancelled", "cancelled"
    if repeatable(job.step):
        return "cancelled", STOPPED
    return "unknown", STOPPED


def lost(job: Job) -> tuple[StepOutcome, str]:
    """How a step ends of which only the start is known."""
    return "unknown", LOST if repeatable(job.step) else UNKNOWN_EFFECT
