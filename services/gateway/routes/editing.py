"""Edits of a draft: sections, single items, their order, an earlier version.

The version in `If-Match` is what the edit is based on, not a lock on the whole plan: what others changed since in other
sections and items is kept, and only what both changed is refused, with the differences (`contracts.merging`). That goes
further than RFC 9110 asks, where any newer version would be refused; `If-Match: *` is based on what is there now.
"""

from typing import Any

import msgspec
from aiohttp import web

from contracts import edit_commands as e
from contracts import http as h
from contracts import http_editing as he
from contracts.commands import EditPlan
from contracts.refusals import Fault, Refused
from contracts.values import Changes, Content
from infra.limits import PLAN_BODY_BYTES
from services.gateway.bodies import Body, Query, read_bytes
from services.gateway.names import item_of, plan_of, section_of
from services.gateway.orders import Order, Orders, done, order_of
from services.gateway.route import Call, Route
from services.gateway.routes.order import Make, order_route

_PLAN = "/api/v1/plans/{plan}"
_ITEM = f"{_PLAN}/items/{{item}}"
_CODES = ("plan_not_found", "not_planning", "version_conflict")
_TABLE: dict[str, Any] = {"answer": h.Done, "writes": True, "if_match": "required"}


def editing_routes(orders: Orders) -> list[Route]:
    """The routes that change a draft."""
    return [*_sections(orders), *_items(orders), *_whole(orders)]


def _sections(orders: Orders) -> list[Route]:
    return [
        _edit_route(
            orders,
            lambda call, body: EditPlan(plan=plan_of(call), changes=body),
            method="PATCH",
            path=_PLAN,
            name="edit_plan",
            summary="Change some sections; those that are absent stay as they are.",
            tag="plans",
            body=Changes,
            largest=PLAN_BODY_BYTES,
            codes=(*_CODES, "not_found"),
        ),
        Route(
            method="PUT",
            path=f"{_PLAN}/sections/{{section}}",
            handler=Sections(orders).put,
            name="put_section",
            summary="Replace one section. The body is the section's value, as in the plan's content.",
            tag="plans",
            body=Any,
            codes=(*_CODES, "not_found"),
            **_TABLE,
        ),
    ]


def _items(orders: Orders) -> list[Route]:
    return [
        Route(
            method="PUT",
            path=_ITEM,
            handler=Items(orders).put,
            name="put_item",
            summary="Add an item to a draft, or replace it.",
            tag="items",
            body=he.ItemBody,
            query=he.PutItemQuery,
            codes=(*_CODES, "item_not_found"),
            **_TABLE,
        ),
        _edit_route(
            orders,
            lambda call, body: e.ChangeItem(plan=plan_of(call), item=item_of(call), changes=body),
            method="PATCH",
            path=_ITEM,
            name="change_item",
            summary="Change some fields of an item of a draft.",
            tag="items",
            body=e.ItemChanges,
            codes=(*_CODES, "item_not_found"),
        ),
        _edit_route(
            orders,
            lambda call, _: e.RemoveItem(plan=plan_of(call), item=item_of(call)),
            method="DELETE",
            path=_ITEM,
            name="remove_item",
            summary="Take an item out of a draft.",
            tag="items",
            body=h.Nothing,
            body_optional=True,
            codes=(*_CODES, "item_not_found"),
        ),
        _edit_route(
            orders,
            lambda call, body: e.MoveItem(plan=plan_of(call), item=item_of(call), after=body.after),
            method="POST",
            path=f"{_ITEM}/move",
            name="move_item",
            summary="Put an item of a draft behind another, or in front of all.",
            tag="items",
            body=he.Place,
            body_optional=True,
            codes=(*_CODES, "item_not_found"),
        ),
    ]


def _whole(orders: Orders) -> list[Route]:
    return [
        _edit_route(
            orders,
            lambda call, body: e.ReorderItems(plan=plan_of(call), items=body.items),
            method="POST",
            path=f"{_PLAN}/reorder",
            name="reorder_items",
            summary="Put all items of a draft into an order. Every item is named once, so none can be lost.",
            tag="items",
            body=he.ItemOrder,
            codes=(*_CODES, "order_incomplete"),
        ),
        _edit_route(
            orders,
            lambda call, body: e.RestorePlan(plan=plan_of(call), version=body.version),
            method="POST",
            path=f"{_PLAN}/restore",
            name="restore_plan",
            summary="Bring the content of an earlier version back, as a new change.",
            tag="versions",
            body=he.Restoration,
            codes=(*_CODES, "version_not_found"),
        ),
    ]


def _edit_route(orders: Orders, make: Make, **table: Any) -> Route:
    return order_route(orders, make, if_match="required", based=True, **table)


class Sections:
    """Replaces one section of a plan."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._bodies: dict[str, Body[Any]] = {name: Body(kind) for name, kind in section_types().items()}

    async def put(self, call: Call) -> web.StreamResponse:
        plan, section = plan_of(call), section_of(call)
        body = await read_bytes(call.request, "application/json", PLAN_BODY_BYTES)
        order = order_of(call, body)
        changes = Changes(**{section: self._bodies[section].read(body)})
        return await _edited(self._orders, call, order, EditPlan(plan=plan, changes=changes, base=order.if_match))


def section_types() -> dict[str, Any]:
    """The type of each section's value, by its name."""
    return dict(Content.__annotations__)


class Items:
    """Adds and replaces single items."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._body: Body[he.ItemBody] = Body(he.ItemBody)
        self._query = Query(he.PutItemQuery)

    async def put(self, call: Call) -> web.StreamResponse:
        plan, item = plan_of(call), item_of(call)
        sent = await read_bytes(call.request, "application/json")
        order = order_of(call, sent)
        body, query = self._body.read(sent), self._query.read(call.request)
        if body.id not in {None, item}:
            raise Refused(
                "invalid_body", "The body has 1 fault.", [Fault("/id", f"is not {item}, as the address has it")]
            )
        command = e.PutItem(plan=plan, item=body.item(item), after=query.after, base=order.if_match)
        return await _edited(self._orders, call, order, command)


async def _edited(orders: Orders, call: Call, order: Order, command: EditPlan | e.PutItem) -> web.Response:
    return done(await orders.send(call, msgspec.structs.replace(order, if_match=None), command), command.plan)
