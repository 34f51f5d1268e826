"""A hook as it went out: `GET /api/v1/deliveries/{delivery}/hook`, which `gonogo hooks replay` asks for."""

import msgspec
from aiohttp import web

from contracts.hook_commands import ShowHook
from contracts.recorded_hook import RecordedHook
from services.gateway.names import delivery_of
from services.gateway.orders import Orders, json_answer, question
from services.gateway.route import Call, Route


def recorded_hook_routes(orders: Orders) -> list[Route]:
    """The one route. Who may see it, the dispatcher says, which makes the body again from the log."""

    async def show(call: Call) -> web.StreamResponse:
        command = ShowHook(delivery=delivery_of(call))
        shown = await orders.send(call, question(), command)
        return json_answer(msgspec.convert(shown.body, RecordedHook))

    return [
        Route(
            method="GET",
            path="/api/v1/deliveries/{delivery}/hook",
            handler=show,
            name="get_recorded_hook",
            summary="A delivery's hook as it goes out, without its signature.",
            tag="hooks",
            answer=RecordedHook,
            codes=("delivery_not_found", "forbidden"),
        )
    ]
