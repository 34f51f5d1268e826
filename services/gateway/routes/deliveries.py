"""Deliveries: listed, looked at with their attempts, tried again one by one, by range, or all since.

Lists are read from the table of deliveries, one delivery from the log. Whether somebody may resend is decided for each
delivery by the dispatcher: administrators all, who moves a plan those of the plan.
"""

import asyncio
from typing import Any, Literal

import structlog
from aiohttp import web

from contracts import commands as c
from contracts import hook_http as d
from contracts import http as h
from contracts.delivery import (
    DeliveryAttempted,
    DeliveryCreated,
    DeliveryDied,
    DeliveryFailed,
    DeliveryResent,
    DeliverySucceeded,
)
from contracts.envelope import Fact
from contracts.moments import micros, moment
from contracts.plan import Plan
from contracts.refusals import Fault, Refused
from contracts.registry import DECODERS
from infra.commands import Desk
from infra.eventlog import EventLog
from infra.ids import derived_id
from infra.postgres import Row, load_sql
from services.gateway.bodies import Body, Query, read_bytes
from services.gateway.listing import cursor_of, page_end
from services.gateway.names import delivery_of, plan_of
from services.gateway.orders import Order, Orders, done, json_answer, order_of
from services.gateway.route import Call, Route
from services.gateway.routes.reading import existing_plan
from services.gateway.views import when

log = structlog.get_logger(__name__)

_PACKAGE = "services.gateway"
_AT_ONCE = 200
_SIDE_BY_SIDE = 16
_NEWEST = "deliveries"
_OLDEST = "resending"


def delivery_routes(orders: Orders, event_log: EventLog, desk: Desk[Plan]) -> list[Route]:
    """Everything about deliveries."""
    reading, resending = Reading(event_log, desk), Resending(orders, event_log)
    return [*_reading(reading), *_resending(resending)]


def _reading(reading: "Reading") -> list[Route]:
    return [
        Route(
            method="GET",
            path="/api/v1/deliveries",
            handler=reading.many,
            name="list_deliveries",
            summary="Hooks on their way out and at their end, the newest first. Without a plan for administrators.",
            tag="hooks",
            answer=d.DeliveryPage,
            query=d.DeliveryQuery,
            codes=("forbidden",),
        ),
        Route(
            method="GET",
            path="/api/v1/plans/{plan}/deliveries",
            handler=reading.of_plan,
            name="get_deliveries",
            summary="The hooks that went out for a plan, and how they fared.",
            tag="hooks",
            answer=d.DeliveryPage,
            query=d.PlanDeliveryQuery,
            codes=("plan_not_found",),
        ),
        Route(
            method="GET",
            path="/api/v1/deliveries/{delivery}",
            handler=reading.one,
            name="get_delivery",
            summary="One delivery with its attempts.",
            tag="hooks",
            answer=d.OneDelivery,
            codes=("delivery_not_found", "forbidden"),
        ),
    ]


def _resending(resending: "Resending") -> list[Route]:
    return [
        Route(
            method="POST",
            path="/api/v1/deliveries/resend",
            handler=resending.many,
            name="resend_deliveries",
            summary="Try many once more, now: these, or all of an endpoint or a plan since a time.",
            tag="hooks",
            answer=d.Resent,
            body=d.Resending,
            writes=True,
        ),
        Route(
            method="POST",
            path="/api/v1/deliveries/{delivery}/resend",
            handler=resending.one,
            name="resend_delivery",
            summary="Try a delivery once more, now.",
            tag="hooks",
            answer=h.Done,
            codes=("delivery_not_found",),
            body=h.Nothing,
            body_optional=True,
            writes=True,
        ),
    ]


class Reading:
    """Lists and shows deliveries."""

    def __init__(self, event_log: EventLog, desk: Desk[Plan]) -> None:
        self._log = event_log
        self._desk = desk
        self._page = load_sql(_PACKAGE, "deliveries")
        self._one = load_sql(_PACKAGE, "delivery")
        self._query = Query(d.DeliveryQuery)
        self._plan_query = Query(d.PlanDeliveryQuery)

    async def many(self, call: Call) -> web.StreamResponse:
        query = self._query.read(call.request)
        if query.plan is None and not call.actor.administrator:
            raise Refused("forbidden", f"{call.actor.id} may see deliveries by plan; administrators see all.")
        return json_answer(await self._found(query))

    async def of_plan(self, call: Call) -> web.StreamResponse:
        plan = plan_of(call)
        query = self._plan_query.read(call.request)
        page = await self._found(d.DeliveryQuery(plan=plan, limit=query.limit, cursor=query.cursor))
        if not page.deliveries:
            await existing_plan(self._desk, plan)
        return json_answer(page)

    async def one(self, call: Call) -> web.StreamResponse:
        delivery = delivery_of(call)
        rows = await self._log.pool.fetch(self._one, delivery)
        if not rows:
            raise Refused("delivery_not_found", f"There is no delivery {delivery}.")
        if not rows[0]["plan"] and not call.actor.administrator:
            raise Refused("forbidden", "Tests and challenges of endpoints are shown to administrators.")
        facts = await self._log.read_stream(f"delivery-{delivery}")
        return json_answer(one_delivery(rows[0], facts))

    async def _found(self, query: d.DeliveryQuery) -> d.DeliveryPage:
        start = page_end(_NEWEST, query.cursor, [int, str])
        rows = await self._log.pool.fetch(
            self._page,
            derived_id("endpoint", query.endpoint) if query.endpoint else None,
            query.plan,
            list(query.state) or None,
            micros(query.since) if query.since else None,
            micros(query.until) if query.until else None,
            *start,
            query.limit + 1,
        )
        shown = rows[: query.limit]
        following = None
        if len(rows) > query.limit:
            following = cursor_of(_NEWEST, [shown[-1]["raised_by"], shown[-1]["id"]])
        return d.DeliveryPage(deliveries=tuple(delivery_view(row) for row in shown), next=following)


class Resending:
    """Has deliveries tried again. The key of each is made of the asker's, so asking twice resends once."""

    def __init__(self, orders: Orders, event_log: EventLog) -> None:
        self._orders = orders
        self._log = event_log
        self._found = load_sql(_PACKAGE, "deliveries_to_resend")
        self._body: Body[d.Resending] = Body(d.Resending)
        self._nothing: Body[h.Nothing] = Body(h.Nothing, optional=True)

    async def one(self, call: Call) -> web.StreamResponse:
        delivery = delivery_of(call)
        body = await read_bytes(call.request, "application/json")
        order = order_of(call, body)
        self._nothing.read(body)
        return done(await self._orders.send(call, order, c.ResendDelivery(delivery=delivery)), delivery)

    async def many(self, call: Call) -> web.StreamResponse:
        body = await read_bytes(call.request, "application/json")
        order = order_of(call, body)
        wanted = self._body.read(body)
        if not (wanted.deliveries or wanted.endpoint or wanted.plan or wanted.since):
            fault = Fault("", "name deliveries, an endpoint, a plan or a time since when", "missing")
            raise Refused("invalid_body", "The body does not say which deliveries.", [fault])
        if not (wanted.deliveries or wanted.plan or call.actor.administrator):
            detail = f"{call.actor.id} may resend what belongs to a plan; administrators may resend all."
            raise Refused("forbidden", detail)
        ids, following = (wanted.deliveries, None) if wanted.deliveries else await self._ids(wanted)
        return json_answer(await self._sent(call, order, ids, following))

    async def of_round(self, call: Call, order: Order, ids: tuple[str, ...]) -> d.Resent:
        """These, whatever has become of them so far."""
        return await self._sent(call, order, ids, None)

    async def _sent(self, call: Call, order: Order, ids: tuple[str, ...], following: str | None) -> d.Resent:
        room = asyncio.Semaphore(_SIDE_BY_SIDE)

        async def send(delivery: str) -> d.NotResent | None:
            own = Order(f"{order.key}/{delivery}"[-200:], order.fingerprint, None)
            async with room:
                try:
                    await self._orders.send(call, own, c.ResendDelivery(delivery=delivery))
                except Refused as refused:
                    return d.NotResent(delivery=delivery, code=refused.code, detail=refused.detail)
            return None

        outcomes = await asyncio.gather(*(send(one) for one in dict.fromkeys(ids)))
        refused = tuple(one for one in outcomes if one is not None)
        not_sent = {one.delivery for one in refused}
        sent = tuple(one for one in dict.fromkeys(ids) if one not in not_sent)
        log.info("deliveries_resent", count=len(sent), refused=len(refused), by=call.actor.id)
        return d.Resent(resent=sent, refused=refused, next=following)

    async def _ids(self, wanted: d.Resending) -> tuple[tuple[str, ...], str | None]:
        start = page_end(_OLDEST, wanted.after, [int, str])
        rows = await self._log.pool.fetch(
            self._found,
            derived_id("endpoint", wanted.endpoint) if wanted.endpoint else None,
            wanted.plan,
            list(wanted.state),
            micros(wanted.since) if wanted.since else None,
            micros(wanted.until) if wanted.until else None,
            *start,
            _AT_ONCE + 1,
        )
        shown = rows[:_AT_ONCE]
        more = len(rows) > _AT_ONCE
        following = cursor_of(_OLDEST, [shown[-1]["raised_by"], shown[-1]["id"]]) if more else None
        return tuple(row["id"] for row in shown), following


def delivery_view(row: Row) -> d.DeliveryView:
    """A delivery as its row has it."""
    return d.DeliveryView(**_fields(row))


def one_delivery(row: Row, facts: list[Fact]) -> d.OneDelivery:
    """A delivery with what its stream tells of it."""
    events = [(fact, DECODERS[fact.type](fact.payload)) for fact in facts if fact.type in DECODERS]
    created = next((event for _, event in events if isinstance(event, DeliveryCreated)), None)
    died = [event.reason for _, event in events if isinstance(event, DeliveryDied)]
    return d.OneDelivery(
        **_fields(row),
        raised_by=row["raised_by"],
        size=created.size if created else 0,
        sha256=created.sha256 if created else "",
        reason=died[-1] if died and row["state"] == "dead" else "",
        resent_by=tuple(fact.actor for fact, event in events if isinstance(event, DeliveryResent)),
        tried=tuple(_attempts(events)),
    )


def _attempts(events: list[tuple[Fact, Any]]) -> list[d.DeliveryAttemptView]:
    begun: dict[int, Fact] = {}
    ended: dict[int, d.DeliveryAttemptView] = {}
    for fact, event in events:
        match event:
            case DeliveryAttempted():
                begun[event.attempt] = fact
            case DeliverySucceeded():
                ended[event.attempt] = _attempt(event.attempt, begun, fact, "delivered", event)
            case DeliveryFailed():
                ended[event.attempt] = _attempt(event.attempt, begun, fact, "failed", event)
            case _:
                pass
    return [ended.get(number) or _attempt(number, begun, None, "", None) for number in sorted(begun)]


def _attempt(
    number: int,
    begun: dict[int, Fact],
    end: Fact | None,
    outcome: Literal["", "delivered", "failed"],
    event: DeliverySucceeded | DeliveryFailed | None,
) -> d.DeliveryAttemptView:
    first = begun.get(number) or end
    return d.DeliveryAttemptView(
        number=number,
        at=moment(first.at if first else 0),
        ended_at=moment(end.at) if end else None,
        outcome=outcome,
        status=event.status if event else None,
        latency_ms=event.latency_ms if event else None,
        error=event.error if isinstance(event, DeliveryFailed) else "",
        detail=event.detail if event else "",
    )


def _fields(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "plan": row["plan"],
        "event": row["event"],
        "format": row["format"],
        "round": row["round"],
        "endpoint": row["endpoint"],
        "endpoint_name": row["endpoint_name"] or row["endpoint"],
        "state": row["state"],
        "attempts": row["attempts"],
        "created_at": when(row["created_at"]),
        "ended_at": when(row["ended_at"]),
        "status": row["last_status"],
        "error": row["last_error"],
        "next_at": when(row["next_at"]),
        "version": row["version"],
    }
