"""What a plan waits for at its gates: on whom, since when, what was sent, until when, and what happens then."""

from collections.abc import Iterator

from aiohttp import web

from contracts import hook_http as d
from contracts import http as h
from contracts.moments import micros, rfc3339
from contracts.plan import GateState, Plan
from contracts.values import GATES, GateName
from infra.commands import Desk
from infra.eventlog import EventLog
from infra.postgres import load_sql
from services.gateway.bodies import Body, read_bytes
from services.gateway.names import gate_of, plan_of
from services.gateway.next_steps import next_steps
from services.gateway.orders import Orders, json_answer, order_of
from services.gateway.route import Call, Route
from services.gateway.routes.deliveries import Resending, delivery_view
from services.gateway.routes.reading import existing_plan
from services.gateway.views import system_views, when

_WHEN_ASKED: dict[GateName, str] = {
    "finish_planning": "when the plan is sealed",
    "start_execute": "when the plan is about to start",
    "all_job_done": "when no item can change any more",
}
_OUT = "until somebody asks again, overrides it with a reason, reopens the plan or cancels it"


def gate_routes(orders: Orders, log: EventLog, desk: Desk[Plan]) -> list[Route]:
    """The routes about waiting."""
    gates = Gates(orders, log, desk)
    return [
        Route(
            method="GET",
            path="/api/v1/plans/{plan}/gates",
            handler=gates.show,
            name="get_gates",
            summary="What the plan waits for: on whom, since, hooks so far, until when, and what happens then.",
            tag="gates",
            answer=d.WaitPage,
            codes=("plan_not_found",),
        ),
        Route(
            method="POST",
            path="/api/v1/plans/{plan}/gates/{gate}/resend",
            handler=gates.resend,
            name="resend_gate",
            summary="Send the hooks of the gate's round again, under their ids, with the same code.",
            tag="gates",
            answer=d.Resent,
            body=h.Nothing,
            body_optional=True,
            codes=("plan_not_found", "not_found"),
            writes=True,
        ),
    ]


class Gates:
    """Shows what is waited for, and has its hooks sent again."""

    def __init__(self, orders: Orders, log: EventLog, desk: Desk[Plan]) -> None:
        self._log = log
        self._desk = desk
        self._resending = Resending(orders, log)
        self._of_gate = load_sql("services.gateway", "deliveries_of_gate")
        self._nothing: Body[h.Nothing] = Body(h.Nothing, optional=True)

    async def show(self, call: Call) -> web.StreamResponse:
        plan = await existing_plan(self._desk, plan_of(call))
        views = [wait_view(plan, gate, await self._deliveries(plan, gate)) for gate in GATES]
        page = d.WaitPage(plan=plan.id, status=plan.status, version=plan.version, gates=tuple(views))
        return json_answer(page, headers={"ETag": f'"{plan.version}"'})

    async def resend(self, call: Call) -> web.StreamResponse:
        plan, gate = await existing_plan(self._desk, plan_of(call)), gate_of(call)
        body = await read_bytes(call.request, "application/json")
        order = order_of(call, body)
        self._nothing.read(body)
        ids = tuple(one.id for one in await self._deliveries(plan, gate))
        return json_answer(await self._resending.of_round(call, order, ids))

    async def _deliveries(self, plan: Plan, gate: GateName) -> tuple[d.DeliveryView, ...]:
        """What went out for the round that is open, or was last."""
        events = [gate, "gate.opened.v1"] if plan.gates[gate].round else [gate]
        rows = await self._log.pool.fetch(self._of_gate, plan.id, events, plan.gates[gate].round)
        opened = plan.gates[gate].opened_at
        return tuple(delivery_view(row) for row in rows if row["event"] == gate or row["created_at"] == opened)


def wait_view(plan: Plan, gate: GateName, deliveries: tuple[d.DeliveryView, ...]) -> d.WaitView:
    """One gate. Pure."""
    state, asks = plan.gates[gate], plan.content.gates.rule(gate) is not None
    return d.WaitView(
        gate=gate,
        asks=asks,
        state=state.state,
        round=state.round,
        instance_code=state.instance_code,
        since=when(state.opened_at),
        until=when(state.deadline),
        answered_at=when(state.answered_at),
        text=state.text,
        waiting_for=tuple(_waiting_for(state, deliveries)),
        systems=system_views(state),
        deliveries=deliveries,
        then=what_then(plan, gate, state, asks),
        next=tuple(step for step in next_steps(plan) if step.gate == gate),
    )


def _waiting_for(state: GateState, deliveries: tuple[d.DeliveryView, ...]) -> Iterator[str]:
    if state.state != "open":
        return
    if state.systems:
        yield from state.waiting_for
    else:
        yield from dict.fromkeys(f"endpoint:{one.endpoint_name}" for one in deliveries)


def what_then(plan: Plan, gate: GateName, state: GateState, asks: bool) -> str:
    """What happens at this gate without anybody doing anything more, in a sentence or two."""
    match state.state:
        case "none" if not asks:
            return "Nobody is waited for here; hooks are only told."
        case "none":
            return f"It asks {_WHEN_ASKED[gate]}."
        case "due":
            return "The system opens a round and sends its hooks at once."
        case "open":
            ends = f"Without {_missing(state)} by {rfc3339(state.deadline)} the round expires"
            return f"{ends}, and the plan stands {_OUT}.{_window(plan, state.deadline)}"
        case "failed" | "expired":
            return f"The plan stands {_OUT}.{_window(plan, 0)}"
        case "passed" | "overridden":
            return "The plan goes on."
        case "closed":
            return "The round ended with the plan's reopening or end."


def _missing(state: GateState) -> str:
    return f"the success of {', '.join(state.waiting_for)}" if state.systems else "an answer"


def _window(plan: Plan, deadline: int) -> str:
    """The window's end, where it comes first."""
    window = plan.content.window
    if window is None or (deadline and micros(window.end) >= deadline):
        return ""
    return f" When the window ends, at {rfc3339(micros(window.end))}, the plan times out."
