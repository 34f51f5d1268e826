"""Lists of plans that a person keeps under a name: saved, shown, dropped by that person alone."""

from aiohttp import web
from msgspec.structs import replace

from contracts import commands as c
from contracts import http as h
from contracts.refusals import Refused
from contracts.saved_list import Filters, fold_lists
from infra.eventlog import EventLog
from infra.ids import lists_stream
from services.gateway.bodies import Body, read_bytes
from services.gateway.names import slug_of
from services.gateway.orders import Orders, done, json_answer, order_of
from services.gateway.route import Call, Route

_LIST = "/api/v1/lists/{name}"


def list_routes(orders: Orders, log: EventLog) -> list[Route]:
    """Save, show all, drop."""
    lists = Lists(orders, log)
    return [
        Route(
            method="PUT",
            path=_LIST,
            handler=lists.save,
            name="save_list",
            summary="Keep filters and their order under a name; GET /api/v1/plans?saved=NAME asks by them.",
            tag="plans",
            answer=h.Done,
            body=Filters,
            codes=("not_found", "too_many_lists"),
            writes=True,
        ),
        Route(
            method="DELETE",
            path=_LIST,
            handler=lists.drop,
            name="drop_list",
            summary="Keep a list no longer.",
            tag="plans",
            answer=h.Done,
            codes=("not_found", "list_not_found"),
            writes=True,
        ),
        Route(
            method="GET",
            path="/api/v1/lists",
            handler=lists.many,
            name="list_lists",
            summary="Your lists, by name.",
            tag="plans",
            answer=h.SavedListPage,
        ),
    ]


class Lists:
    """Serves the routes."""

    def __init__(self, orders: Orders, log: EventLog) -> None:
        self._orders = orders
        self._log = log
        self._body: Body[Filters] = Body(Filters)

    async def save(self, call: Call) -> web.StreamResponse:
        name = slug_of(call, "name")
        body = await read_bytes(call.request, "application/json")
        order = order_of(call, body)
        command = c.SaveList(name=name, filters=self._body.read(body))
        return done(await self._orders.send(call, order, command), name)

    async def drop(self, call: Call) -> web.StreamResponse:
        name = slug_of(call, "name")
        return done(await self._orders.send(call, order_of(call, b""), c.DropList(name=name)), name)

    async def many(self, call: Call) -> web.StreamResponse:
        lists = await _lists_of(self._log, call.actor.id)
        views = (h.SavedListView(name=name, filters=lists[name]) for name in sorted(lists))
        return json_answer(h.SavedListPage(lists=tuple(views)))


async def _lists_of(log: EventLog, actor: str) -> dict[str, Filters]:
    state = fold_lists(await log.read_stream(lists_stream(actor)))
    return dict(state.lists) if state is not None else {}


async def with_saved(log: EventLog, call: Call, query: h.PlanQuery) -> h.PlanQuery:
    """The query with the saved filters for whatever the address itself does not say. Raises Refused(list_not_found)."""
    if query.saved is None:
        return query
    saved = (await _lists_of(log, call.actor.id)).get(query.saved)
    if saved is None:
        raise Refused("list_not_found", f"You have no list {query.saved}.")
    left = (name for name in Filters.__struct_fields__ if name not in call.request.query)
    return replace(query, **{name: getattr(saved, name) for name in left})
