"""The plain order: read a body, make a command of it, send it, answer with version and position."""

from collections.abc import Callable
from typing import Any

from aiohttp import web
from msgspec.structs import replace

from contracts.commands import Accepted, AnyCommand
from contracts.http import Done
from services.gateway.bodies import LARGEST_BODY_BYTES, Body, read_bytes
from services.gateway.names import plan_of
from services.gateway.orders import Orders, done, order_of
from services.gateway.route import Call, Route

Make = Callable[[Call, Any], AnyCommand]


def order_route(
    orders: Orders,
    make: Make,
    *,
    body: Any,
    body_optional: bool = False,
    based: bool = False,
    largest: int = LARGEST_BODY_BYTES,
    answer: Any = Done,
    answers: Callable[[Accepted, str], web.Response] = done,
    **table: Any,
) -> Route:
    """A route served by a plain order on the plan in its address. `make(call, body)` makes the command.

    `based`: the version in If-Match is the command's `base`, which the service judges. `largest` body in bytes.
    `answers(accepted, plan)` is the answer, of the type `answer`. `table` is what else the table says about the route.
    """
    body_of: Body[Any] = Body(body, optional=body_optional)

    async def serve(call: Call) -> web.StreamResponse:
        sent = await read_bytes(call.request, "application/json", largest)
        order = order_of(call, sent)
        command = make(call, body_of.read(sent))
        if based:
            command = replace(command, base=order.if_match)  # orders of editing have it
            order = replace(order, if_match=None)
        return answers(await orders.send(call, order, command), plan_of(call))

    return Route(handler=serve, answer=answer, body=body, body_optional=body_optional, writes=True, **table)
