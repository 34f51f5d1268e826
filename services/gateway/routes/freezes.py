"""Freezes: written by administrators, read by everybody, overridden for one plan. All of it is kept in the log."""

from itertools import islice

from aiohttp import web

from contracts import commands as c
from contracts import http as h
from contracts import http_freezes as hf
from contracts.freeze import FreezeState
from contracts.moments import micros, moment
from contracts.refusals import Refused
from infra.clock import Clock
from infra.freezes import Freezes
from infra.ids import derived_id
from infra.recurrence import occurrences
from services.gateway.bodies import Body, Query, read_bytes
from services.gateway.names import plan_of, slug_of
from services.gateway.orders import Orders, done, json_answer, order_of
from services.gateway.route import Call, Route
from services.gateway.routes.order import order_route

_FREEZE = "/api/v1/freezes/{name}"
_YEARS = 10 * 366 * 86_400 * 1_000_000
"""How far occurrences are looked for: a rule that takes place less often shows none."""


def freeze_routes(orders: Orders, freezes: Freezes, clock: Clock) -> list[Route]:
    """Put, list, show, delete, override."""
    return [*_writing(orders), *_reading(FreezeReading(freezes, clock))]


def _writing(orders: Orders) -> list[Route]:
    writing = FreezeWriting(orders)
    return [
        Route(
            method="PUT",
            path=_FREEZE,
            handler=writing.put,
            name="put_freeze",
            summary="A freeze, new or changed. The same again changes nothing.",
            tag="calendar",
            answer=h.Done,
            body=hf.FreezeBody,
            codes=("invalid_freeze", "not_found"),
            writes=True,
            access="administrator",
        ),
        Route(
            method="DELETE",
            path=_FREEZE,
            handler=writing.delete,
            name="delete_freeze",
            summary="Delete a freeze. Plans that it holds start.",
            tag="calendar",
            answer=h.Done,
            query=hf.DeletionQuery,
            codes=("freeze_not_found", "not_found"),
            writes=True,
            access="administrator",
        ),
        order_route(
            orders,
            lambda call, body: c.OverrideFreeze(plan=plan_of(call), reason=body.reason),
            method="POST",
            path="/api/v1/plans/{plan}/freezes/override",
            name="override_freeze",
            summary="The freezes that hold the plan now, or would in its window or at its schedule, do not.",
            tag="calendar",
            body=h.Reason,
            codes=("plan_not_found", "reason_required", "not_frozen", "final"),
            access="administrator",
        ),
    ]


class FreezeWriting:
    """Puts and deletes freezes."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._body: Body[hf.FreezeBody] = Body(hf.FreezeBody)
        self._deletion = Query(hf.DeletionQuery)

    async def put(self, call: Call) -> web.StreamResponse:
        name = slug_of(call, "name")
        body = await read_bytes(call.request, "application/json")
        order = order_of(call, body)
        freeze = freeze_id(name)
        command = c.PutFreeze(freeze=freeze, definition=self._body.read(body).freeze(name))
        return done(await self._orders.send(call, order, command), freeze)

    async def delete(self, call: Call) -> web.StreamResponse:
        freeze = freeze_id(slug_of(call, "name"))
        reason = self._deletion.read(call.request).reason
        command = c.DeleteFreeze(freeze=freeze, reason=reason)
        return done(await self._orders.send(call, order_of(call, b""), command), freeze)


def freeze_id(name: str) -> str:
    """The id of the freeze with this name."""
    return derived_id("freeze", name)


def _reading(reading: "FreezeReading") -> list[Route]:
    return [
        Route(
            method="GET",
            path="/api/v1/freezes",
            handler=reading.many,
            name="list_freezes",
            summary="All freezes, each with its next occurrences.",
            tag="calendar",
            answer=hf.FreezePage,
            query=hf.FreezeQuery,
        ),
        Route(
            method="GET",
            path=_FREEZE,
            handler=reading.one,
            name="get_freeze",
            summary="A freeze, with its next occurrences.",
            tag="calendar",
            answer=hf.FreezeView,
            query=hf.FreezeQuery,
            codes=("freeze_not_found", "not_found"),
        ),
    ]


class FreezeReading:
    """Reads freezes from the log."""

    def __init__(self, freezes: Freezes, clock: Clock) -> None:
        self._freezes = freezes
        self._clock = clock
        self._query = Query(hf.FreezeQuery)

    async def many(self, call: Call) -> web.StreamResponse:
        query = self._query.read(call.request)
        states = [state for state in (await self._freezes.read()).values() if state.freeze is not None]
        views = [self._view(state, query) for state in states]
        return json_answer(hf.FreezePage(freezes=tuple(sorted(views, key=lambda view: view.freeze.name))))

    async def one(self, call: Call) -> web.StreamResponse:
        name = slug_of(call, "name")
        query = self._query.read(call.request)
        state = (await self._freezes.read()).get(freeze_id(name))
        if state is None or state.freeze is None:
            raise Refused("freeze_not_found", f"There is no freeze {name}.")
        return json_answer(self._view(state, query), headers={"ETag": f'"{state.version}"'})

    def _view(self, state: FreezeState, query: hf.FreezeQuery) -> hf.FreezeView:
        freeze = state.freeze
        assert freeze is not None
        after = micros(query.after) if query.after else self._clock.now()
        following = islice(occurrences(freeze, after, after + _YEARS), query.limit)
        return hf.FreezeView(
            id=state.id,
            freeze=freeze,
            put_by=state.put_by,
            put_at=moment(state.put_at),
            version=state.version,
            occurrences=tuple(
                h.FrozenView(freeze=state.id, name=freeze.name, start=moment(one.start), end=moment(one.end))
                for one in following
            ),
        )
