"""The calendar, what is in a plan's way, and sealing, which tells it."""

import asyncio

import structlog
from aiohttp import web

from contracts import commands as c
from contracts import http as h
from contracts import http_calendar as hc
from contracts.calendar import span_of
from contracts.plan import Plan
from infra.commands import Desk
from infra.errors import Unavailable
from services.gateway.bodies import Body, Query, read_bytes
from services.gateway.calendar import Calendar, warnings
from services.gateway.names import plan_of
from services.gateway.orders import Orders, answered, facts_of, json_answer, order_of
from services.gateway.route import Call, Route
from services.gateway.routes.reading import existing_plan

log = structlog.get_logger(__name__)


def calendar_routes(orders: Orders, desk: Desk[Plan], calendar: Calendar) -> list[Route]:
    """Calendar, conflicts, seal."""
    routes = Calendars(orders, desk, calendar)
    return [
        Route(
            method="GET",
            path="/api/v1/calendar",
            handler=routes.between,
            name="get_calendar",
            summary="Plans by their time, occurrences of freezes, conflicts.",
            tag="calendar",
            answer=hc.CalendarView,
            query=hc.CalendarQuery,
        ),
        Route(
            method="GET",
            path="/api/v1/calendar.ics",
            handler=routes.icalendar,
            name="get_icalendar",
            summary="The same as iCalendar (RFC 5545).",
            tag="calendar",
            answer=str,
            answer_media="text/calendar",
            query=hc.CalendarQuery,
        ),
        Route(
            method="GET",
            path="/api/v1/plans/{plan}/conflicts",
            handler=routes.around,
            name="get_conflicts",
            summary="What a plan should be planned around: plans that touch the same at the same time, and freezes.",
            tag="calendar",
            answer=hc.PlanConflicts,
            codes=("plan_not_found",),
        ),
        Route(
            method="POST",
            path="/api/v1/plans/{plan}/seal",
            handler=routes.seal,
            name="seal_plan",
            summary="Finish planning: check everything and bind what will run. Conflicts are told, and refuse nothing.",
            tag="plans",
            answer=hc.Sealed,
            body=h.Nothing,
            body_optional=True,
            if_match="required",
            writes=True,
            codes=("plan_not_found", "not_planning", "not_sealable"),
        ),
    ]


class Calendars:
    """Serves the routes."""

    def __init__(self, orders: Orders, desk: Desk[Plan], calendar: Calendar) -> None:
        self._orders = orders
        self._desk = desk
        self._calendar = calendar
        self._query = Query(hc.CalendarQuery)
        self._nothing: Body[h.Nothing] = Body(h.Nothing, optional=True)

    async def between(self, call: Call) -> web.StreamResponse:
        return json_answer(await self._calendar.between(self._query.read(call.request)))

    async def icalendar(self, call: Call) -> web.StreamResponse:
        from services.gateway.ics import (  # its library weighs more than a gateway should that exports nothing
            MEDIA,
            icalendar_of,
        )

        view = await self._calendar.between(self._query.read(call.request))
        body = await asyncio.to_thread(icalendar_of, view)
        headers = {"Content-Disposition": 'inline; filename="releases.ics"', "Cache-Control": "no-cache"}
        return web.Response(body=body, content_type=MEDIA, charset="utf-8", headers=headers)

    async def around(self, call: Call) -> web.StreamResponse:
        plan = await existing_plan(self._desk, plan_of(call))
        return json_answer(await self._calendar.around(plan), headers={"ETag": f'"{plan.version}"'})

    async def seal(self, call: Call) -> web.StreamResponse:
        plan = plan_of(call)
        body = await read_bytes(call.request, "application/json")
        order = order_of(call, body)
        self._nothing.read(body)
        done = await self._orders.send(call, order, c.SealPlan(plan=plan))
        told = await self._warnings(plan)
        return answered(done, hc.Sealed(**facts_of(done, plan), warnings=told))

    async def _warnings(self, plan_id: str) -> tuple[str, ...]:
        """The plan is sealed whatever comes of this, so nothing that fails here may look as if it were not."""
        try:
            plan = await self._desk.read(f"plan-{plan_id}")
            if plan is None or span_of(plan.content) is None:
                return ()  # what takes no certain time is in nobody's way
            return warnings(await self._calendar.around(plan))
        except Unavailable:
            log.warning("no_conflicts_told", plan=plan_id)
            return ("Conflicts could not be looked for; ask for them again.",)
