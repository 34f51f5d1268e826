"""The callback of outside systems, field for field as the seed has it."""

from aiohttp import web

from contracts import commands as c
from contracts import http as h
from contracts.hook_commands import Proof
from contracts.refusals import Refused
from services.gateway.bodies import Body, read_bytes
from services.gateway.orders import Orders, answered, order_of
from services.gateway.route import Call, Route

PROOF = ("webhook-id", "webhook-timestamp", "webhook-signature", "Gonogo-Endpoint")
_LARGEST_SIGNED_BYTES = 65_536
_LONGEST_HEADER = 1_000


def callback_routes(orders: Orders) -> list[Route]:
    """The callback."""
    hooks = Hooks(orders)
    return [
        Route(
            method="POST",
            path="/api/callback/release_plan",
            handler=hooks.answer,
            name="callback",
            summary="The answer of an outside system to a hook, with a token or signed with its endpoint's secret.",
            tag="hooks",
            answer=h.CalledBack,
            body=h.Callback,
            codes=(
                "plan_not_found",
                "gate_not_open",
                "instance_code_stale",
                "instance_code_unknown",
                "answer_contradicts",
                "system_not_asked",
            ),
            headers=PROOF,
            access="signed",
            writes=True,
            channel="callback",
        ),
    ]


class Hooks:
    """Hears answers to hooks."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._callback: Body[h.Callback] = Body(h.Callback)

    async def answer(self, call: Call) -> web.StreamResponse:
        body = await read_bytes(call.request, "application/json")
        order = order_of(call, body)
        heard = self._heard(body)
        plan = heard.release_plan_id
        if len(plan) != 24 or not set(plan) <= set("0123456789abcdef"):
            raise Refused("plan_not_found", f"There is no plan {plan!r}.")
        command = c.AnswerGate(
            plan=plan,
            gate=heard.hook_event,
            instance_code=heard.instance_code,
            result=heard.result,
            text=heard.failed_reason or heard.description,
            proof=_proof(call, body),
        )
        return answered(await self._orders.send(call, order, command), h.CalledBack(id=plan))

    def _heard(self, body: bytes) -> h.Callback:
        """The seed's callers know 400 for a body that is wrong in any way, so 422 is not for them."""
        try:
            return self._callback.read(body)
        except Refused as refused:
            raise Refused("malformed_body", refused.detail, refused.faults, **refused.facts) from None


def _proof(call: Call, body: bytes) -> Proof | None:
    """What was signed, where the asker brought no token."""
    if call.actor.id:
        return None
    if len(body) > _LARGEST_SIGNED_BYTES:
        detail = f"A signed callback has {_LARGEST_SIGNED_BYTES} bytes at most."
        raise Refused("body_too_large", detail, largest_bytes=_LARGEST_SIGNED_BYTES)
    given = {name: call.request.headers.get(name, "")[:_LONGEST_HEADER] for name in PROOF}
    return Proof(
        webhook_id=given["webhook-id"],
        timestamp=given["webhook-timestamp"],
        signature=given["webhook-signature"],
        body=body,
        endpoint=given["Gonogo-Endpoint"],
    )
