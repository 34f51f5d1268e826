"""Orders about a plan as a whole: create, copy, import, seal, submit, start, reopen, cancel."""

import asyncio
from typing import Any

from aiohttp import web

from contracts import commands as c
from contracts import http as h
from contracts import http_editing as he
from contracts.plan_events import Source
from contracts.refusals import Fault, Refused
from contracts.values import Content
from infra.ids import derived_id
from infra.limits import PLAN_BODY_BYTES
from services.gateway.bodies import Body, Query, read_bytes
from services.gateway.names import plan_of
from services.gateway.orders import Orders, answered, done, facts_of, order_of
from services.gateway.route import Call, Route
from services.gateway.routes.order import Make, order_route

_PLAN = "/api/v1/plans/{plan}"


def plan_orders(orders: Orders) -> list[Route]:
    """The routes that change a plan."""
    return [*_making(orders), *_moving(orders)]


def _making(orders: Orders) -> list[Route]:
    making = Making(orders)
    created: dict[str, Any] = {"status": 201, "answer": h.Done, "writes": True, "tag": "plans", "method": "POST"}
    return [
        Route(
            path="/api/v1/plans",
            handler=making.create,
            name="create_plan",
            summary="Create a plan.",
            body=h.NewPlan,
            codes=("plan_exists",),
            **created,
        ),
        Route(
            path="/api/v1/plans/import",
            handler=making.import_checklist,
            name="import_plan",
            summary="Create a plan from a Markdown checklist: its check boxes become items.",
            media="text/markdown",
            query=h.ImportQuery,
            codes=("checklist_without_boxes", "plan_exists"),
            **created,
        ),
        Route(
            path=f"{_PLAN}/copy",
            handler=making.copy,
            name="copy_plan",
            summary="Create a plan with the content of another one, without its window and schedule.",
            body=h.CopyOf,
            body_optional=True,
            codes=("plan_not_found", "plan_exists"),
            **(created | {"answer": he.Copied}),
        ),
    ]


class Making:
    """Makes new plans. The id follows from who asks and the key, so asking twice makes one."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._new_plan: Body[h.NewPlan] = Body(h.NewPlan)
        self._copy: Body[h.CopyOf] = Body(h.CopyOf, optional=True)
        self._import = Query(h.ImportQuery)

    async def create(self, call: Call) -> web.StreamResponse:
        body = await read_bytes(call.request, "application/json", PLAN_BODY_BYTES)
        order = order_of(call, body)
        new = self._new_plan.read(body)
        plan = derived_id(call.actor.id, order.key)
        command = c.CreatePlan(plan=plan, project=new.project, content=new.content())
        return _created(await self._orders.send(call, order, command), plan)

    async def import_checklist(self, call: Call) -> web.StreamResponse:
        from services.gateway.checklist import parse_checklist  # its Markdown library weighs 3 MB

        body = await read_bytes(call.request, "text/markdown", PLAN_BODY_BYTES)
        order = order_of(call, body)
        query = self._import.read(call.request)
        checklist = await asyncio.to_thread(parse_checklist, markdown_of(body))  # a long one takes a second
        content = Content(name=query.name or checklist.title[:200] or "Imported checklist", items=checklist.items)
        source = Source(kind="checklist", name=query.source or checklist.title[:200])
        plan = derived_id(call.actor.id, order.key)
        command = c.CreatePlan(plan=plan, project=query.project, content=content, source=source)
        return _created(await self._orders.send(call, order, command), plan)

    async def copy(self, call: Call) -> web.StreamResponse:
        origin = plan_of(call)
        body = await read_bytes(call.request, "application/json")
        order = order_of(call, body)
        plan = derived_id(call.actor.id, order.key)
        command = c.CopyPlan(plan=plan, origin=origin, name=self._copy.read(body).name)
        accepted = await self._orders.send(call, order, command)
        left = tuple(accepted.body.get("left_behind", ()))
        body_ = he.Copied(**facts_of(accepted, plan), left_behind=left)
        return answered(accepted, body_, created_at=_address(plan))


def _created(accepted: c.Accepted, plan: str) -> web.Response:
    return done(accepted, plan, created_at=_address(plan))


def _address(plan: str) -> str:
    return f"/api/v1/plans/{plan}"


def markdown_of(body: bytes) -> str:
    """The text of a checklist. Raises Refused where it is none."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body[: error.start].count(b"\n") + 1
        raise Refused("malformed_body", f"The checklist is not UTF-8 (line {line}).", line=line) from None
    if "\x00" in text:
        detail = "The checklist has the character U+0000 in it."
        raise Refused("invalid_body", detail, [Fault("", "must not contain the character U+0000")])
    return text


def _moving(orders: Orders) -> list[Route]:
    def route(verb: str, summary: str, make: Make, *codes: str, body: Any = h.Nothing, insists: bool = True) -> Route:
        return order_route(
            orders,
            make,
            method="POST",
            path=f"{_PLAN}/{verb}",
            name=f"{verb.replace('/', '_')}_plan",
            summary=summary,
            tag="plans",
            body=body,
            body_optional=True,
            if_match="required" if insists else "optional",
            codes=("plan_not_found", *codes),
        )

    return [
        route(
            "submit",
            "Ask the approvers.",
            lambda call, _: c.SubmitPlan(plan=plan_of(call)),
            *("not_sealed", "no_approval_asked"),
        ),
        route(
            "start",
            "Start the plan, where its owner starts it.",
            lambda call, _: c.StartPlan(plan=plan_of(call)),
            *(
                "not_approved",
                "not_sealed",
                "gate_not_passed",
                "already_started",
                "outside_window",
                "frozen",
                "before_schedule",
                "seal_drift",
                "final",
            ),
            insists=False,
        ),
        route(
            "start/override",
            "Start the plan now, before its window or its schedule, with a reason. Administrators only.",
            lambda call, body: c.OverrideStart(plan=plan_of(call), reason=body.reason),
            *("not_approved", "not_sealed", "gate_not_passed", "already_started", "outside_window", "frozen"),
            *("seal_drift", "final", "reason_required"),
            body=h.Reason,
            insists=False,
        ),
        route(
            "reopen",
            "Go back to planning. What runs is cancelled, the open round ends.",
            lambda call, body: c.ReopenPlan(plan=plan_of(call), reason=body.reason),
            "final",
            body=h.Reason,
        ),
        route(
            "cancel",
            "End the plan without success.",
            lambda call, body: c.CancelPlan(plan=plan_of(call), reason=body.reason),
            *("final", "reason_required"),
            body=h.Reason,
        ),
    ]
