"""One function per command: find out what the decision needs, decide, append."""

import secrets
from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from contracts.commands import (
    Accepted,
    Actor,
    AnswerGate,
    OverrideGate,
    RecheckGate,
    Request,
    ResendDelivery,
)
from contracts.envelope import Fact
from contracts.plan import Plan
from contracts.plan_events import Event, GateOpened
from contracts.refusals import Refused
from contracts.registry import DECODERS
from contracts.values import GateName
from infra.commands import Desk
from infra.eventlog import EventLog
from services.hook_dispatcher.decider import deliveries, gates
from services.hook_dispatcher.handlers.callbacks import Callbacks, Proofs
from services.hook_dispatcher.views.delivery import Delivery


def fresh_code() -> str:
    """An instance code: 16 hex digits that nobody can guess."""
    return secrets.token_hex(8)


class Commands:
    """Answers the commands of the hook dispatcher."""

    def __init__(self, log: EventLog, plans: Desk[Plan], deliveries: Desk[Delivery], proofs: Proofs) -> None:
        self._log = log
        self._plans = plans
        self._deliveries = deliveries
        self._proofs = proofs
        self._callbacks = Callbacks(log)

    async def answer_gate(self, request: Request) -> Accepted:
        """AnswerGate, the callback. A refused or repeated one is kept in the record as well."""
        command = request.command
        assert isinstance(command, AnswerGate)
        endpoint = await self._proofs.endpoint(command.proof, command.plan, request.at) if command.proof else None
        if endpoint is not None:
            request = replace(request, actor=Actor(f"endpoint:{endpoint.name}", channel=request.actor.channel))
        elif not request.actor.id:
            raise Refused("unauthenticated", "Say who you are, by a token or by an endpoint's signature.")
        stream, decided_on = f"plan-{command.plan}", Decided()

        async def decided(plan: Plan | None) -> Sequence[Event]:
            if plan is not None and endpoint is not None and not endpoint.covers(plan.id, plan.project):
                raise Refused("system_not_asked", f"This plan is not in the scope of {request.actor.id}.")
            known: Mapping[str, GateName] = {}
            if plan is not None and plan.gates[command.gate].instance_code != command.instance_code:
                known = codes_given(await self._log.read_stream(stream))
            decided_on.events = gates.answer(plan, command, request.at, known, request.actor)
            return decided_on.events

        try:
            accepted = await self._plans.execute(request, stream, decided, body={"id": command.plan})
        except Refused as refused:
            if refused.code in gates.CALLBACK_REFUSALS:
                await self._callbacks.refused(request, command, refused.code)
            raise
        if decided_on.events == () and not accepted.repeated and command.result != "executing":
            await self._callbacks.repeated(request, command)
        return accepted

    async def recheck_gate(self, request: Request) -> Accepted:
        """RecheckGate: a new round with a new code."""
        command = request.command
        assert isinstance(command, RecheckGate)
        code = fresh_code()
        return await self._move(
            request, command.plan, lambda plan: gates.recheck(plan, command, request.actor, request.at, code)
        )

    async def override_gate(self, request: Request) -> Accepted:
        """OverrideGate: the plan goes on without the answer."""
        command = request.command
        assert isinstance(command, OverrideGate)
        return await self._move(request, command.plan, lambda plan: gates.override(plan, command, request.actor))

    async def resend_delivery(self, request: Request) -> Accepted:
        """ResendDelivery: another try now."""
        command = request.command
        assert isinstance(command, ResendDelivery)

        async def decided(delivery: Delivery | None) -> Sequence[Event]:
            of_plan = delivery is not None and delivery.created.plan
            plan = await self._plans.read(f"plan-{of_plan}") if of_plan else None
            return deliveries.resend(delivery, plan, request.actor)

        body = {"id": command.delivery}
        return await self._deliveries.execute(request, f"delivery-{command.delivery}", decided, body=body)

    async def _move(self, request: Request, plan: str, decide: Callable[[Plan | None], Sequence[Event]]) -> Accepted:
        async def decided(state: Plan | None) -> Sequence[Event]:
            return decide(state)

        return await self._plans.execute(request, f"plan-{plan}", decided, body={"id": plan})


class Decided:
    """What was decided last, for whoever has to know it afterwards."""

    events: Sequence[Event] | None = None


def codes_given(facts: Sequence[Fact]) -> dict[str, GateName]:
    """Every instance code that a plan ever gave out, with its gate."""
    opened = (DECODERS[fact.type](fact.payload) for fact in facts if fact.type == "gate.opened.v1")
    return {event.instance_code: event.gate for event in opened if isinstance(event, GateOpened)}
