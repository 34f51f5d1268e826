"""Orders about one item of a plan, and about its gates."""

from typing import Any

import msgspec
from aiohttp import web

from contracts import commands as c
from contracts import http as h
from contracts.commands import Accepted
from contracts.http_items import ItemDone
from contracts.plan_events import NextMove
from services.gateway.names import gate_of, item_of, plan_of
from services.gateway.orders import Orders, answered, facts_of
from services.gateway.route import Route
from services.gateway.routes.order import Make, order_route

_ITEM = "/api/v1/plans/{plan}/items/{item}"
_GATE = "/api/v1/plans/{plan}/gates/{gate}"
_ANY_ITEM = ("plan_not_found", "item_not_found", "not_executing", "outside_window", "frozen", "seal_drift")


def item_orders(orders: Orders) -> list[Route]:
    """What can be done with an item."""

    def route(verb: str, summary: str, body: Any, make: Make, *codes: str) -> Route:
        known = (*_ANY_ITEM, *codes)
        path, name = f"{_ITEM}/{verb}", f"{verb}_item"
        return _route(orders, path, name, summary, "items", body, make, known, answer=ItemDone, answers=item_done)

    return [
        route(
            "complete",
            "Confirm that a text item is done.",
            h.Completion,
            lambda call, body: c.CompleteItem(plan=plan_of(call), item=item_of(call), remark=body.remark),
            *("item_not_todo", "item_settled", "item_needs", "wrong_item_type", "sub_steps_open"),
        ),
        route(
            "execute",
            "Run a workflow item.",
            h.Nothing,
            lambda call, _: c.ExecuteItem(plan=plan_of(call), item=item_of(call)),
            *("item_not_todo", "item_running", "item_settled", "item_needs", "wrong_item_type"),
            *("output_missing", "invalid_workflow", "runner_not_allowed", "workflow_not_found"),
        ),
        route(
            "skip",
            "Leave an item out, with a reason.",
            h.Reason,
            lambda call, body: c.SkipItem(plan=plan_of(call), item=item_of(call), reason=body.reason),
            *("reason_required", "item_settled", "item_running"),
        ),
        route(
            "cancel",
            "Cancel the running attempt of an item, with a reason.",
            h.Reason,
            lambda call, body: c.CancelItem(plan=plan_of(call), item=item_of(call), reason=body.reason),
            *("reason_required", "item_not_running"),
        ),
        route(
            "retry",
            "Run a failed item again, from the step that failed.",
            h.Nothing,
            lambda call, _: c.RetryItem(plan=plan_of(call), item=item_of(call)),
            *("item_not_failed", "item_running", "item_needs", "wrong_item_type"),
            *("output_missing", "invalid_workflow", "runner_not_allowed", "workflow_not_found"),
        ),
        route(
            "waive",
            "Accept a failed item as it is, with a reason.",
            h.Reason,
            lambda call, body: c.WaiveItem(plan=plan_of(call), item=item_of(call), reason=body.reason),
            *("reason_required", "item_not_failed", "item_running"),
        ),
        route(
            "tick",
            "Tick or untick a sub-step of a text item.",
            h.Tick,
            lambda call, body: c.TickSubStep(
                plan=plan_of(call), item=item_of(call), step=body.step, ticked=body.ticked
            ),
            *("sub_step_not_found", "item_not_todo", "item_settled", "item_needs"),
        ),
    ]


def item_done(accepted: Accepted, plan: str) -> web.Response:
    """The answer to an order about an item, with what may be done about others that have failed."""
    moves = msgspec.convert(accepted.body.get("next", ()), tuple[NextMove, ...])
    return answered(accepted, ItemDone(**facts_of(accepted, plan), next=moves))


def gate_orders(orders: Orders) -> list[Route]:
    """What people can do where a plan waits for an outside answer."""

    def route(verb: str, summary: str, body: Any, make: Make, *codes: str) -> Route:
        known = ("plan_not_found", "not_found", "gate_not_failed", "gate_not_open", *codes)
        return _route(orders, f"{_GATE}/{verb}", f"{verb}_gate", summary, "gates", body, make, known)

    return [
        route(
            "recheck",
            "Ask again, in a new round with a new code.",
            h.Nothing,
            lambda call, _: c.RecheckGate(plan=plan_of(call), gate=gate_of(call)),
        ),
        route(
            "override",
            "Go on without the outside answer, with a reason.",
            h.Reason,
            lambda call, body: c.OverrideGate(plan=plan_of(call), gate=gate_of(call), reason=body.reason),
            "reason_required",
        ),
    ]


def _route(
    orders: Orders,
    path: str,
    name: str,
    summary: str,
    tag: str,
    body: Any,
    make: Make,
    codes: tuple[str, ...],
    **answering: Any,
) -> Route:
    return order_route(
        orders,
        make,
        method="POST",
        path=path,
        name=name,
        summary=summary,
        tag=tag,
        body=body,
        body_optional=body is not h.Tick,
        codes=codes,
        **answering,
    )
