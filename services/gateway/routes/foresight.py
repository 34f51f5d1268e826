"""What would happen: whether a plan could be sealed, and how it would go.

Questions that change nothing, answered by the deciding service.
"""

from aiohttp import web

from contracts import commands as c
from contracts.foresight import Rehearsal, SealCheck
from services.gateway.names import plan_of
from services.gateway.orders import Orders, json_answer, question
from services.gateway.route import Call, Route


def foresight_routes(orders: Orders) -> list[Route]:
    """The routes that look ahead."""
    foresight = Foresight(orders)
    return [
        Route(
            method="GET",
            path="/api/v1/plans/{plan}/seal-check",
            handler=foresight.seal,
            name="check_seal",
            summary="What sealing would say: every problem at once, or the seal that the plan would get.",
            tag="plans",
            answer=SealCheck,
            codes=("plan_not_found",),
        ),
        Route(
            method="GET",
            path="/api/v1/plans/{plan}/rehearsal",
            handler=foresight.rehearsal,
            name="rehearse_plan",
            summary="How the plan would go from now on, by the rules that will run it, with nothing done.",
            tag="plans",
            answer=Rehearsal,
            codes=("plan_not_found", "final", "rehearsal_too_large"),
        ),
    ]


class Foresight:
    """Asks what would happen."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    async def seal(self, call: Call) -> web.StreamResponse:
        return await self._asked(call, c.CheckSeal(plan=plan_of(call)))

    async def rehearsal(self, call: Call) -> web.StreamResponse:
        return await self._asked(call, c.RehearsePlan(plan=plan_of(call)))

    async def _asked(self, call: Call, command: c.AnyCommand) -> web.StreamResponse:
        accepted = await self._orders.send(call, question(), command)
        return json_answer(accepted.body, headers={"ETag": f'"{accepted.version}"'})
