"""The inbox: what waits for the person who asks.

The list of plans only says which plans to look at. What they wait for, and whether it is for this person, is said by the
plans as the log has them and by the person's groups at this moment; so an entry is never staler than the plan itself.
"""

import asyncio
from collections.abc import Mapping

from aiohttp import web

from contracts import http_inbox as hi
from contracts.commands import Actor
from contracts.guidance import ADMINISTRATORS
from contracts.plan import Plan
from contracts.waiting import Kind, Reader, Waiting, asked_through, waiting
from infra.commands import Desk
from infra.eventlog import EventLog
from infra.postgres import load_sql
from services.gateway.bodies import Query
from services.gateway.listing import PLANS, Listing, cursor_of, page_end
from services.gateway.orders import json_answer
from services.gateway.readers import Readers
from services.gateway.route import Call, Route
from services.gateway.views import when

_WHY: dict[Kind, str] = {
    "vote": "Your vote is asked for what was sealed.",
    "review": "An emergency approval waits for your review.",
    "item": "This item can be done now.",
    "failed_item": "This item failed: retry it, or skip or waive it with a reason.",
    "gate": "An outside answer is awaited; you may act in its place.",
    "failed_gate": "The check failed: ask again, go on with a reason, reopen or cancel.",
    "submit": "The plan is sealed; ask the approvers.",
    "start": "Everything is given; start the plan.",
    "denied": "The plan was denied: reopen it and amend it, or cancel.",
    "drift": "The plan would not run as it was approved: reopen it.",
}
_ORDER = "inbox"


def inbox_routes(log: EventLog, desk: Desk[Plan], listing: Listing, readers: Readers) -> list[Route]:
    """The one route."""
    return [
        Route(
            method="GET",
            path="/api/v1/inbox",
            handler=Inbox(log, desk, listing, readers).read,
            name="get_inbox",
            summary="What waits for you, why, since when, until when.",
            tag="people",
            answer=hi.InboxPage,
            query=hi.InboxQuery,
        )
    ]


class Inbox:
    """Reads inboxes."""

    def __init__(self, log: EventLog, desk: Desk[Plan], listing: Listing, readers: Readers) -> None:
        self._log = log
        self._desk = desk
        self._listing = listing
        self._readers = readers
        self._query = Query(hi.InboxQuery)
        self._sql = load_sql("services.gateway", "inbox")

    async def read(self, call: Call) -> web.StreamResponse:
        query = self._query.read(call.request)
        after, after_index = page_end(_ORDER, query.cursor, [int, int])
        position = await self._listing.reached(PLANS, query.min_position)
        reader = await self._readers.of(call.actor)
        refs = {*reader.people.identities(call.actor.id), *call.actor.groups, *_office(call.actor)}
        refs |= {ref for one in reader.principals for ref in (one, *reader.groups.get(one, ()))}
        rows = await self._log.pool.fetch(self._sql, sorted(refs), after, after_index, query.limit + 1)
        shown = rows[: query.limit]
        plans = await asyncio.gather(*(self._desk.read(f"plan-{row['id']}") for row in shown))
        entries = [entry for plan in plans if plan for entry in await self._entries(plan, reader, query)]
        following = None
        if len(rows) > query.limit:
            following = cursor_of(_ORDER, [shown[-1]["asked_until"], shown[-1]["idx"]])
        return json_answer(hi.InboxPage(entries=tuple(entries), next=following, position=position))

    async def _entries(self, plan: Plan, reader: Reader, query: hi.InboxQuery) -> list[hi.InboxEntry]:
        reader = await self._readers.on(plan, reader)
        wanted = (one for one in waiting(plan) if not query.kind or one.kind in query.kind)
        found = ((one, asked_through(plan, one, reader)) for one in wanted)
        names = {item.id: item.name for item in plan.content.items}
        return [_entry(plan, one, through, names) for one, through in found if through]


def _office(actor: Actor) -> tuple[str, ...]:
    return (ADMINISTRATORS,) if actor.administrator else ()


def _entry(plan: Plan, one: Waiting, through: tuple[str, ...], names: Mapping[str, str]) -> hi.InboxEntry:
    return hi.InboxEntry(
        kind=one.kind,
        plan=plan.id,
        index=plan.index,
        project=plan.project,
        name=plan.content.name,
        status=plan.status,
        item=one.item,
        item_name=names.get(one.item, ""),
        gate=one.gate,
        why=_WHY[one.kind],
        through=through,
        since=when(one.since),
        until=when(one.until),
    )
