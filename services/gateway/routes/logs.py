"""What the runs of an item have printed, as text, also while they still print."""

import asyncio
from collections.abc import Iterator

from aiohttp import web

from contracts import http as h
from contracts.plan import Attempt, Plan
from contracts.refusals import Refused
from infra.blobs import Blobs
from infra.commands import Desk
from services.gateway.bodies import Query
from services.gateway.names import item_of, plan_of
from services.gateway.route import Call, Route
from services.gateway.routes.reading import existing_plan


def log_routes(desk: Desk[Plan], blobs: Blobs) -> list[Route]:
    """The one route of logs."""
    return [
        Route(
            method="GET",
            path="/api/v1/plans/{plan}/items/{item}/log",
            handler=Logs(desk, blobs).read,
            name="get_item_log",
            summary="What an attempt of a workflow item printed. Gonogo-Complete says whether more may come.",
            tag="runs",
            answer=str,
            answer_media="text/plain",
            query=h.LogQuery,
            codes=("plan_not_found", "item_not_found", "run_not_found", "log_gone"),
        )
    ]


class Logs:
    """Reads logs out of the files beside the log of events."""

    def __init__(self, desk: Desk[Plan], blobs: Blobs) -> None:
        self._desk = desk
        self._blobs = blobs
        self._query = Query(h.LogQuery)

    async def read(self, call: Call) -> web.StreamResponse:
        query = self._query.read(call.request)
        plan = await existing_plan(self._desk, plan_of(call))
        attempt = attempt_of(plan, item_of(call), query.attempt)
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/plain; charset=utf-8",
                "Cache-Control": "no-cache",
                "X-Content-Type-Options": "nosniff",
                "Gonogo-Attempt": str(attempt.number),
                "Gonogo-Complete": "true" if attempt.outcome else "false",
            }
        )
        await demand_kept(self._blobs, attempt)
        pieces = self._blobs.read_run(attempt.run, query.offset)
        first = await asyncio.to_thread(_next, pieces)  # what cannot be read becomes a problem, not half an answer
        await response.prepare(call.request)
        while first:
            await response.write(first)
            first = await asyncio.to_thread(_next, pieces)
        await response.write_eof()
        return response


def attempt_of(plan: Plan, item_id: str, number: int | None) -> Attempt:
    """This attempt of the item that has a run, or the newest. Raises Refused."""
    if plan.item(item_id) is None and item_id not in plan.items:
        raise Refused("item_not_found", f"The plan has no item {item_id!r}.")
    attempts = [one for one in plan.state_of(item_id).attempts if one.run and number in {None, one.number}]
    if not attempts:
        raise Refused("run_not_found", f"Item {item_id!r} has no such run, so there is nothing to show.")
    return attempts[-1]


async def demand_kept(blobs: Blobs, attempt: Attempt) -> None:
    """Raises Refused(log_gone) where the attempt has said something and nothing of it is here any more."""
    if attempt.log and not await asyncio.to_thread(blobs.of_run, attempt.run):
        detail = "The log of this attempt is not kept any more; what it was is still proved by its digest."
        raise Refused("log_gone", detail, sha256=attempt.log)


def _next(pieces: Iterator[bytes]) -> bytes:
    return next(pieces, b"")
