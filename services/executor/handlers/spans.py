"""Spans of runs and their steps, where traces are kept. They go on with the trace stored with the run's first event.

That is read again for each driver, so it makes no difference which executor has the run, nor how long it waited. Names
and attributes follow the semantic conventions for CI/CD. What a step was given, said or gave is never among them.
"""

from collections.abc import Awaitable, Callable

from contracts.run import StepFinished
from contracts.run_state import Run
from infra.commands import Desk
from infra.errors import Unavailable
from infra.eventlog import EventLog
from infra.telemetry.tracing import Tracing, fail
from services.executor.adapters.step import Stop
from services.executor.decider.runs import Perform, step_of

_RESULTS = {
    "passed": "success",
    "failed": "failure",
    "cancelled": "cancellation",
    "timeout": "timeout",
    "unknown": "error",
}


class RunSpans:
    """Those of one executor."""

    def __init__(self, log: EventLog, runs: Desk[Run], tracing: Tracing) -> None:
        self._log = log
        self._runs = runs
        self._tracing = tracing

    async def driven(self, stream: str, stop: Stop, drive: Callable[[str, Stop], Awaitable[None]]) -> None:
        """Drive a run within its span."""
        try:
            facts = await self._log.read_stream(stream)
            run = await self._runs.recall(stream)
        except Unavailable:  # the driver will find out, and wait
            facts, run = [], None
        attributes: dict[str, str | int | list[str]] = {"gonogo.stream": stream}
        name = "RUN"
        if run is not None:
            pipeline = f"{run.created.definition.project}/{run.created.definition.name}"
            name = f"RUN {pipeline}"
            attributes |= {"cicd.pipeline.name": pipeline, "cicd.pipeline.run.id": run.id}
            attributes |= {"gonogo.plan": run.created.plan, "gonogo.item": run.created.item}
        with self._tracing.span(name, "internal", attributes, parent=facts[0].trace if facts else "") as span:
            await drive(stream, stop)
            now = self._runs.remembered(stream)
            if now is not None and now.outcome is not None:
                span.set_attribute("cicd.pipeline.result", _RESULTS[now.outcome])
                if now.outcome != "passed":
                    fail(span, now.outcome)

    async def step(
        self, run: Run, move: Perform, stop: Stop, perform: Callable[[Run, Perform, Stop], Awaitable[StepFinished]]
    ) -> StepFinished:
        """Perform a step within its span."""
        name = step_of(run, move.index).name
        attributes: dict[str, str | int | list[str]] = {
            "cicd.pipeline.task.name": name,
            "cicd.pipeline.task.run.id": f"{run.id}/{move.index}/{move.attempt}",
            "cicd.pipeline.run.id": run.id,
        }
        with self._tracing.span(name, "internal", attributes) as span:
            finished = await perform(run, move, stop)
            span.set_attribute("cicd.pipeline.task.run.result", _RESULTS[finished.outcome])
            if finished.outcome != "passed":
                fail(span, finished.outcome)
            return finished
