"""Templates of plans: put one (also from a checklist or a plan), list, show, delete, and make a plan from one."""

import asyncio
from typing import Any

import msgspec
from aiohttp import web

from contracts import commands as c
from contracts import template_http as t
from contracts.envelope import stream_id
from contracts.http import Done
from contracts.moments import moment
from contracts.plan import Plan
from contracts.refusals import Refused
from contracts.template import Template, template_stream
from contracts.template_filling import escaped
from contracts.template_state import fold_template
from contracts.template_values import text_of
from infra.commands import Desk
from infra.eventlog import EventLog
from infra.ids import derived_id
from infra.postgres import load_sql
from services.gateway.bodies import Body, Query, read_bytes
from services.gateway.listing import cursor_of, page_end
from services.gateway.names import slug_of
from services.gateway.orders import Orders, done, json_answer, order_of
from services.gateway.route import Call, Route
from services.gateway.routes.plans import markdown_of
from services.gateway.routes.reading import existing_plan, next_link

_TEMPLATE = "/api/v1/templates/{name}"
_LIST = "templates"


def template_routes(orders: Orders, log: EventLog, desk: Desk[Plan]) -> list[Route]:
    """The routes of templates."""
    putting, using = Putting(orders, desk), Using(orders, log)
    puts: dict[str, Any] = {
        "tag": "templates",
        "answer": Done,
        "writes": True,
        "codes": ("invalid_template", "not_found"),
    }
    return [
        Route(
            method="PUT",
            path=_TEMPLATE,
            handler=putting.put,
            name="put_template",
            summary="A new revision of a template. The same again makes none.",
            body=Template,
            **puts,
        ),
        Route(
            method="PUT",
            path=f"{_TEMPLATE}/checklist",
            handler=putting.from_checklist,
            name="put_template_from_checklist",
            summary="A new revision of a template, made from a Markdown checklist.",
            media="text/markdown",
            **{**puts, "codes": (*puts["codes"], "checklist_without_boxes")},
        ),
        Route(
            method="PUT",
            path=f"{_TEMPLATE}/plan",
            handler=putting.from_plan,
            name="put_template_from_plan",
            summary="A new revision of a template with the content of a plan, without its window and schedule.",
            body=t.FromPlan,
            **{**puts, "codes": (*puts["codes"], "plan_not_found")},
        ),
        Route(
            method="DELETE",
            path=_TEMPLATE,
            handler=putting.delete,
            name="delete_template",
            summary="Offer the template no more; its revisions stay for the plans that were made from them.",
            **{**puts, "codes": ("template_not_found", "not_found")},
        ),
        *_using(using),
    ]


def _using(using: "Using") -> list[Route]:
    return [
        Route(
            method="GET",
            path="/api/v1/templates",
            handler=using.many,
            name="list_templates",
            summary="The templates that are offered, by name, page by page.",
            tag="templates",
            answer=t.TemplatePage,
            query=t.TemplatesQuery,
        ),
        Route(
            method="GET",
            path=_TEMPLATE,
            handler=using.one,
            name="get_template",
            summary="A template: its newest revision, or the one asked for.",
            tag="templates",
            answer=t.TemplateView,
            query=t.TemplateQuery,
            codes=("template_not_found", "not_found"),
        ),
        Route(
            method="POST",
            path=f"{_TEMPLATE}/plans",
            handler=using.fill,
            name="fill_template",
            summary="Create a plan from a template.",
            tag="templates",
            body=t.FilledTemplate,
            body_optional=True,
            answer=Done,
            status=201,
            writes=True,
            codes=("template_not_found", "not_found", "invalid_values", "plan_exists"),
        ),
    ]


class Putting:
    """Changes templates."""

    def __init__(self, orders: Orders, desk: Desk[Plan]) -> None:
        self._orders = orders
        self._desk = desk
        self._template: Body[Template] = Body(Template)
        self._plan: Body[t.FromPlan] = Body(t.FromPlan)

    async def put(self, call: Call) -> web.StreamResponse:
        body = await read_bytes(call.request, "application/json")
        return await self._put(call, body, self._template.read(body))

    async def from_checklist(self, call: Call) -> web.StreamResponse:
        from services.gateway.checklist import parse_checklist  # its Markdown library weighs 3 MB

        body = await read_bytes(call.request, "text/markdown")
        checklist = await asyncio.to_thread(parse_checklist, markdown_of(body))  # a long one takes a second
        plan = {"name": checklist.title[:200] or "Release", "items": msgspec.to_builtins(checklist.items)}
        return await self._put(call, body, Template(plan=escaped(plan)))

    async def from_plan(self, call: Call) -> web.StreamResponse:
        body = await read_bytes(call.request, "application/json")
        plan = await existing_plan(self._desk, self._plan.read(body).plan)
        sections = msgspec.to_builtins(msgspec.structs.replace(plan.content, window=None, schedule=None, owner=()))
        template = Template(plan=escaped(sections), project=plan.project)
        return await self._put(call, body, template)

    async def _put(self, call: Call, body: bytes, template: Template) -> web.StreamResponse:
        name = slug_of(call, "name")
        accepted = await self._orders.send(call, order_of(call, body), c.PutTemplate(name=name, template=template))
        return done(accepted, stream_id(template_stream(name)))

    async def delete(self, call: Call) -> web.StreamResponse:
        name = slug_of(call, "name")
        accepted = await self._orders.send(call, order_of(call, b""), c.DeleteTemplate(name=name))
        return done(accepted, stream_id(template_stream(name)))


class Using:
    """Shows templates, and makes plans from them."""

    def __init__(self, orders: Orders, log: EventLog) -> None:
        self._orders = orders
        self._log = log
        self._all = load_sql("services.gateway", "templates")
        self._query = Query(t.TemplateQuery)
        self._page = Query(t.TemplatesQuery)
        self._filled: Body[t.FilledTemplate] = Body(t.FilledTemplate, optional=True)

    async def many(self, call: Call) -> web.StreamResponse:
        query = self._page.read(call.request)
        [after] = page_end(_LIST, query.cursor, [str])
        rows = await self._log.pool.fetch(self._all, query.limit + 1, after)
        views = [t.TemplateRow(**{**dict(row), "put_at": moment(row["put_at"])}) for row in rows[: query.limit]]
        following = cursor_of(_LIST, [views[-1].name]) if len(rows) > query.limit else None
        return json_answer(t.TemplatePage(templates=tuple(views), next=following), headers=next_link(call, following))

    async def one(self, call: Call) -> web.StreamResponse:
        name, wanted = slug_of(call, "name"), self._query.read(call.request).revision
        state = fold_template(await self._log.read_stream(template_stream(name)))
        revised = state.revision(wanted) if state is not None else None
        if state is None or revised is None:
            raise Refused("template_not_found", f"There is no such template {name}.")
        view = t.TemplateView(
            name=name,
            revision=revised.revision,
            template=revised.template,
            put_by=state.put_by,
            put_at=moment(state.put_at),
            created_by=state.created_by,
            deleted=state.deleted,
            version=state.version,
        )
        return json_answer(view, headers={"ETag": f'"{state.version}"'})

    async def fill(self, call: Call) -> web.StreamResponse:
        name = slug_of(call, "name")
        body = await read_bytes(call.request, "application/json")
        order = order_of(call, body)
        filled = self._filled.read(body)
        plan = derived_id(call.actor.id, order.key)
        command = c.FillTemplate(
            plan=plan,
            template=name,
            values={parameter: text_of(value) for parameter, value in filled.values.items()},
            revision=filled.revision,
            project=filled.project,
            name=filled.name,
        )
        return done(await self._orders.send(call, order, command), plan, created_at=f"/api/v1/plans/{plan}")
