"""Plans as files: applying one, and the JSON Schema by which an editor helps to write it."""

import msgspec
from aiohttp import web

from contracts import http as h
from contracts.commands import ApplyPlan
from contracts.plan_file import SCHEMA_PATH, Applied, PlanFile, identity_faults, plan_file_schema
from contracts.refusals import Refused
from infra.limits import PLAN_BODY_BYTES
from services.gateway.bodies import Body, Query, read_bytes
from services.gateway.orders import Orders, answered, order_of
from services.gateway.route import Call, Route


def file_routes(orders: Orders) -> list[Route]:
    """The routes of plan files."""
    files = Files(orders)
    return [
        Route(
            method="POST",
            path="/api/v1/plans/apply",
            handler=files.apply,
            name="apply_plan_file",
            summary="Create the plan of a file, or change it to match; a dry run only says what differs.",
            tag="plans",
            body=PlanFile,
            query=h.ApplyQuery,
            answer=Applied,
            writes=True,
            codes=("plan_not_found", "plan_exists", "not_planning", "final", "precondition_required"),
        ),
        Route(
            method="GET",
            path=SCHEMA_PATH,
            handler=files.schema,
            name="plan_file_schema",
            summary="The JSON Schema of plan files.",
            tag="system",
            access="open",
            answer=dict,
            answer_media="application/schema+json",
        ),
    ]


class Files:
    """Applies plan files."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._body: Body[PlanFile] = Body(PlanFile)
        self._query = Query(h.ApplyQuery)

    async def apply(self, call: Call) -> web.StreamResponse:
        body = await read_bytes(call.request, "application/json", PLAN_BODY_BYTES)
        order = order_of(call, body)
        dry_run = self._query.read(call.request).dry_run
        file = self._body.read(body)
        if faults := tuple(identity_faults(file.key, file.plan)):
            raise Refused("invalid_body", "The body has 1 fault.", faults)
        if not dry_run and "If-Match" not in call.request.headers:
            detail = (
                'Say which version you change: If-Match with the ETag of a dry run ("0": there is no plan yet), or *.'
            )
            raise Refused("precondition_required", detail)
        command = ApplyPlan(
            plan=file.plan_id,
            project=file.project,
            content=file.content(),
            source=file.source,
            base=file.version,
            dry_run=dry_run,
        )
        accepted = await self._orders.send(call, order, command)
        return answered(
            accepted,
            {"version": accepted.version, "position": accepted.position, "dry_run": dry_run, **accepted.body},
        )

    async def schema(self, call: Call) -> web.StreamResponse:
        headers = {"Content-Type": "application/schema+json", "Cache-Control": "max-age=300"}
        return web.Response(body=msgspec.json.encode(plan_file_schema()), headers=headers)
