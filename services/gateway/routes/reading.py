"""What can be read: plans, their record, deliveries and logs, runs, workflows."""

from typing import Any

from aiohttp import web

from contracts import http as h
from contracts.envelope import stream_id
from contracts.moments import moment
from contracts.plan import Plan
from contracts.refusals import Refused
from contracts.registry import DECODERS
from contracts.run_state import fold_run
from contracts.workflow import WorkflowRevised, workflow_stream
from infra.commands import Desk
from infra.eventlog import EventLog
from services.gateway.bodies import Query
from services.gateway.listing import NO_PLAN, Listing
from services.gateway.names import no_plan, plan_of, run_of, slug_of
from services.gateway.orders import json_answer
from services.gateway.route import Call, Route
from services.gateway.routes.lists import with_saved
from services.gateway.views import plan_view, run_view


def reading_routes(log: EventLog, desk: Desk[Plan], listing: Listing) -> list[Route]:
    """The routes that change nothing."""
    return [*_plans(Plans(log, desk, listing)), *_around(Around(log, desk))]


def _plans(plans: "Plans") -> list[Route]:
    return [
        Route(
            method="GET",
            path="/api/v1/plans/{plan}",
            handler=plans.one,
            name="get_plan",
            summary="One plan, as the log has it now. The ETag is its version.",
            tag="plans",
            answer=h.PlanView,
            headers=("If-None-Match",),
            codes=("plan_not_found",),
        ),
        Route(
            method="GET",
            path="/api/v1/plans",
            handler=plans.many,
            name="list_plans",
            summary="Plans, filtered, page by page.",
            tag="plans",
            answer=h.PlanPage,
            query=h.PlanQuery,
            codes=("list_not_found",),
        ),
        Route(
            method="GET",
            path="/api/v1/plans/{plan}/record",
            handler=plans.record,
            name="get_record",
            summary="The operation record of a plan: who did what, when, by which channel.",
            tag="record",
            answer=h.RecordPage,
            query=h.RecordQuery,
            codes=("plan_not_found",),
        ),
        Route(
            method="GET",
            path="/api/v1/record",
            handler=plans.record_of_none,
            name="get_installation_record",
            summary="The operation record of what is no plan's: freezes, endpoints, templates, workflows, people and rights.",
            tag="record",
            answer=h.RecordPage,
            query=h.RecordQuery,
            access="administrator",
        ),
    ]


class Plans:
    """Reads plans from the log and lists from their projections."""

    def __init__(self, log: EventLog, desk: Desk[Plan], listing: Listing) -> None:
        self._log = log
        self._desk = desk
        self._listing = listing
        self._plan_query = Query(h.PlanQuery)
        self._record_query = Query(h.RecordQuery)

    async def one(self, call: Call) -> web.StreamResponse:
        plan = await existing_plan(self._desk, plan_of(call))
        tag = f'"{plan.version}"'
        headers = {"ETag": tag, "Gonogo-Position": str(plan.position)}
        if call.request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=headers)
        return json_answer(plan_view(plan), headers=headers)

    async def many(self, call: Call) -> web.StreamResponse:
        query = await with_saved(self._log, call, self._plan_query.read(call.request))
        page = await self._listing.plans(query)
        return json_answer(page, headers=next_link(call, page.next))

    async def record(self, call: Call) -> web.StreamResponse:
        plan = plan_of(call)
        page = await self._listing.record(plan, self._record_query.read(call.request))
        if not page.entries:
            await existing_plan(self._desk, plan)
        return json_answer(page, headers=next_link(call, page.next))

    async def record_of_none(self, call: Call) -> web.StreamResponse:
        page = await self._listing.record(NO_PLAN, self._record_query.read(call.request))
        return json_answer(page, headers=next_link(call, page.next))


async def existing_plan(desk: Desk[Plan], plan_id: str) -> Plan:
    """The plan now. Raises Refused(plan_not_found)."""
    plan = await desk.read(f"plan-{plan_id}")
    if plan is None:
        raise no_plan(plan_id)
    return plan


def next_link(call: Call, cursor: str | None) -> dict[str, str]:
    """Where the next page is (RFC 8288)."""
    if cursor is None:
        return {}
    return {"Link": f'<{call.request.rel_url.update_query(cursor=cursor)}>; rel="next"'}


def _around(around: "Around") -> list[Route]:
    def route(path: str, handler: Any, name: str, summary: str, tag: str, *codes: str, **more: Any) -> Route:
        return Route(
            method="GET",
            path=f"/api/v1{path}",
            handler=handler,
            name=name,
            summary=summary,
            tag=tag,
            codes=codes,
            **more,
        )

    return [
        route(
            "/runs/{run}",
            around.run,
            "get_run",
            "A workflow run with its steps.",
            "runs",
            "run_not_found",
            answer=h.RunView,
        ),
        route(
            "/workflows/{project}/{name}",
            around.workflow,
            "get_workflow",
            "A workflow, in its newest or any revision.",
            "workflows",
            *("workflow_not_found", "not_found"),
            answer=h.WorkflowView,
            query=h.WorkflowQuery,
        ),
    ]


class Around:
    """Reads what stands around plans: deliveries, runs, workflows."""

    def __init__(self, log: EventLog, desk: Desk[Plan]) -> None:
        self._log = log
        self._desk = desk
        self._workflow_query = Query(h.WorkflowQuery)

    async def run(self, call: Call) -> web.StreamResponse:
        run_id = run_of(call)
        run = fold_run(await self._log.read_stream(f"run-{run_id}"))
        if run is None:
            raise Refused("run_not_found", f"There is no run {run_id}.")
        return json_answer(run_view(run), headers={"ETag": f'"{run.version}"'})

    async def workflow(self, call: Call) -> web.StreamResponse:
        project, name = slug_of(call, "project"), slug_of(call, "name")
        wanted = self._workflow_query.read(call.request).revision
        stream = workflow_stream(project, name)
        found: h.WorkflowView | None = None
        for fact in await self._log.read_stream(stream):
            event = DECODERS[fact.type](fact.payload) if fact.type in DECODERS else None
            if isinstance(event, WorkflowRevised) and wanted in {None, event.revision}:
                found = h.WorkflowView(
                    id=stream_id(stream),
                    project=project,
                    name=name,
                    revision=event.revision,
                    digest=event.digest,
                    definition=event.definition,
                    put_by=fact.actor,
                    put_at=moment(fact.at),
                )
        if found is None:
            raise Refused("workflow_not_found", f"Project {project} has no workflow {name} of that revision.")
        return json_answer(found, headers={"ETag": f'"{found.revision}"'})
