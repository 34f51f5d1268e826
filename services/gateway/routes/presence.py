"""Who is on a plan: a screen says so every few seconds, everybody may look, the live feed tells changes."""

from typing import Any

from aiohttp import web

from contracts import presence as p
from contracts.plan import Plan
from infra.commands import Desk
from services.gateway.bodies import Body, Query, read_bytes
from services.gateway.names import plan_of
from services.gateway.orders import json_answer
from services.gateway.presence import Presences
from services.gateway.route import Call, Route
from services.gateway.routes.reading import existing_plan

_PATH = "/api/v1/plans/{plan}/presence"


def presence_routes(desk: Desk[Plan], presences: Presences) -> list[Route]:
    """The three routes of presence."""
    screens = Screens(desk, presences)
    table: dict[str, Any] = {"path": _PATH, "tag": "feed", "answer": p.PresencePage, "codes": ("plan_not_found",)}
    return [
        Route(
            method="GET",
            handler=screens.look,
            name="get_presence",
            summary="Who is on which section of a plan now.",
            **table,
        ),
        Route(
            method="POST",
            handler=screens.come,
            name="put_presence",
            summary="Say that you are there, again before `ttl_seconds` are over. The feed of the plan tells it as `presence`.",
            body=p.PresenceBody,
            **table,
        ),
        Route(
            method="DELETE",
            handler=screens.leave,
            name="delete_presence",
            summary="Say that you left.",
            query=p.LeaveQuery,
            **table,
        ),
    ]


class Screens:
    """Answers screens."""

    def __init__(self, desk: Desk[Plan], presences: Presences) -> None:
        self._desk = desk
        self._presences = presences
        self._body: Body[p.PresenceBody] = Body(p.PresenceBody)
        self._leave = Query(p.LeaveQuery)

    async def look(self, call: Call) -> web.StreamResponse:
        return await self._page(call)

    async def come(self, call: Call) -> web.StreamResponse:
        body = self._body.read(await read_bytes(call.request, "application/json"))
        plan = await existing_plan(self._desk, plan_of(call))
        await self._presences.came(plan.id, call.actor.id, body)
        return json_answer(self._presences.page(plan.id))

    async def leave(self, call: Call) -> web.StreamResponse:
        query = self._leave.read(call.request)
        await self._presences.left(plan_of(call), call.actor.id, query.session)
        return await self._page(call)

    async def _page(self, call: Call) -> web.StreamResponse:
        plan = await existing_plan(self._desk, plan_of(call))
        return json_answer(self._presences.page(plan.id))
