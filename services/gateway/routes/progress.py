"""How far a plan is, and when it may end."""

from aiohttp import web

from contracts.plan import Plan
from contracts.progress import ProgressView
from infra.clock import Clock
from infra.commands import Desk
from infra.eventlog import EventLog
from infra.postgres import load_sql
from services.gateway.names import plan_of
from services.gateway.orders import json_answer
from services.gateway.progress import Usual, Workflow, progress_view, workflows_of
from services.gateway.route import Call, Route
from services.gateway.routes.reading import existing_plan


def progress_routes(log: EventLog, desk: Desk[Plan], clock: Clock) -> list[Route]:
    """The one route of progress."""
    return [
        Route(
            method="GET",
            path="/api/v1/plans/{plan}/progress",
            handler=Progress(log, desk, clock).one,
            name="get_progress",
            summary="How far a plan is, and when it may end by earlier runs of the same workflows.",
            tag="plans",
            answer=ProgressView,
            codes=("plan_not_found",),
        )
    ]


class Progress:
    """Reads the plan from the log and the usual times from their projection."""

    def __init__(self, log: EventLog, desk: Desk[Plan], clock: Clock) -> None:
        self._log = log
        self._desk = desk
        self._clock = clock
        self._usual_times = load_sql("infra", "usual_times")

    async def one(self, call: Call) -> web.StreamResponse:
        plan = await existing_plan(self._desk, plan_of(call))
        view = progress_view(plan, await self._usual(plan), self._clock.now())
        return json_answer(view, headers={"Gonogo-Position": str(plan.position)})

    async def _usual(self, plan: Plan) -> dict[Workflow, Usual]:
        wanted = workflows_of(plan)
        if not wanted:
            return {}
        projects, names = map(list, zip(*wanted, strict=True))
        rows = await self._log.pool.fetch(self._usual_times, projects, names)
        return {(row["project"], row["workflow"]): Usual(row["median"], row["runs"]) for row in rows}
