"""Between a run and its adapters: what a step is given, who carries it out, what is recorded of it."""

import asyncio
from collections.abc import Mapping

import msgspec
import structlog

from contracts.run import StepFinished, StepStarted, step_key
from contracts.run_state import Run
from contracts.workflow import HttpStep, ScriptStep
from infra.blobs import Blobs
from infra.config import Secret
from infra.errors import Misconfigured
from services.executor.adapters.script import Scripts
from services.executor.adapters.step import Adapter, Ended, FindSecret, Job, Stop
from services.executor.decider.runs import Perform, step_of

log = structlog.get_logger()

OUTPUTS_BYTES = 16 * 1024
"""All outputs of a run together, as JSON: they go into its last event and into its item's."""


class SecretMissing(Exception):
    """The step needs a credential that the key store does not have. Names it, never its value."""


class Steps:
    """Carries out steps. `scripts` also has the last resort: killing what still runs here."""

    def __init__(self, scripts: Scripts, requests: Adapter, find_secret: FindSecret, blobs: Blobs) -> None:
        self._scripts = scripts
        self._requests = requests
        self._find_secret = find_secret
        self._blobs = blobs
        self._running: dict[str, Job] = {}

    def intent(self, run: Run, move: Perform) -> StepStarted:
        """The fact that precedes the effect."""
        step = step_of(run, move.index)
        return StepStarted(
            step=move.index,
            name=step.name,
            attempt=move.attempt,
            key=step_key(run.id, step.name, move.attempt),
            place=self._scripts.place,
        )

    async def perform(self, run: Run, move: Perform, stop: Stop) -> StepFinished:
        """The effect, and the fact of its outcome. Cancelled, it leaves the effect to the run's new owner."""
        job = _job(run, move)
        try:
            secrets = await self._credentials(run)
        except (SecretMissing, Misconfigured) as error:
            return Ended("failed", str(error)).event(job)
        job = msgspec.structs.replace(job, secrets=secrets)
        self._running[job.key] = job
        try:
            ended = await self._adapter(job).perform(job, stop)
        finally:
            del self._running[job.key]
        return _bounded(run, ended).event(job)

    async def forget(self, run: Run, move: Perform) -> None:
        """The outcome is recorded."""
        job = _job(run, move)
        await self._adapter(job).forget(job)

    async def log_of(self, run: Run) -> str:
        """SHA-256 of all that the run said here."""
        return await asyncio.to_thread(self._blobs.digest_of_run, run.id)

    def kill_all(self) -> None:
        """Every process of a step that still runs here ends now."""
        for job in self._running.values():
            if isinstance(job.step, ScriptStep):
                log.warning("step_killed", run=job.run, step=job.step.name)
                self._scripts.kill_now(job)

    def _adapter(self, job: Job) -> Adapter:
        return self._requests if isinstance(job.step, HttpStep) else self._scripts

    async def _credentials(self, run: Run) -> Mapping[str, Secret]:
        """The credential inputs in the clear, by input name. Read for each step anew, and kept nowhere."""
        secrets = {}
        for declared in run.created.definition.inputs:
            reference = run.created.inputs.get(declared.name, "")
            if declared.credential and reference:
                name = reference.removeprefix("secret:")
                secret = await self._find_secret(name)
                if secret is None:
                    raise SecretMissing(f"secret_not_found: the key store has no {name} for input {declared.name}")
                secrets[declared.name] = secret
        return secrets


def _job(run: Run, move: Perform) -> Job:
    step, state = step_of(run, move.index), run.steps[move.index]
    return Job(
        plan=run.created.plan,
        item=run.created.item,
        run=run.id,
        index=move.index,
        attempt=move.attempt,
        key=step_key(run.id, step.name, move.attempt),
        step=step,
        inputs=run.created.inputs,
        secrets={},
        started_at=state.started_at,
        resumed=move.resumed,
        place=state.place,
        until=run.until,
    )


def _bounded(run: Run, ended: Ended) -> Ended:
    """What an event can hold: outputs that would make the run's too large are left out, and that is said."""
    if len(msgspec.json.encode({**run.outputs, **ended.outputs})) <= OUTPUTS_BYTES:
        return ended
    error = f"{ended.error}; " if ended.error else ""
    return msgspec.structs.replace(ended, outputs={}, error=f"{error}its outputs were too large and left out")
