"""One function per command: find out what the decision needs, decide, append."""

import secrets
from collections.abc import Callable, Mapping, Sequence

from contracts.commands import (
    Accepted,
    AnswerGate,
    OverrideGate,
    RecheckGate,
    Request,
    ResendDelivery,
)
from contracts.delivery import CallbackRefused
from contracts.envelope import Fact
from contracts.plan import Plan
from contracts.plan_events import Event, GateOpened
from contracts.refusals import Refused
from contracts.registry import DECODERS, encode
from contracts.values import GateName
from infra.commands import Desk
from infra.errors import Unavailable
from infra.eventlog import Append, Conflict, Draft, EventLog
from infra.postgres import load_sql
from infra.requests import fingerprint_of
from services.hook_dispatcher.decider import deliveries, gates
from services.hook_dispatcher.views.delivery import Delivery

_TRIES = 8


def fresh_code() -> str:
    """An instance code: 16 hex digits that nobody can guess."""
    return secrets.token_hex(8)


class Commands:
    """Answers the commands of the hook dispatcher."""

    def __init__(self, log: EventLog, plans: Desk[Plan], deliveries: Desk[Delivery]) -> None:
        self._log = log
        self._plans = plans
        self._deliveries = deliveries
        self._version = load_sql("services.hook_dispatcher", "stream_version")

    async def answer_gate(self, request: Request) -> Accepted:
        """AnswerGate, the callback. A refused one is kept in the record as well."""
        command = request.command
        assert isinstance(command, AnswerGate)
        stream = f"plan-{command.plan}"

        async def decided(plan: Plan | None) -> Sequence[Event]:
            known: Mapping[str, GateName] = {}
            if plan is not None and plan.gates[command.gate].instance_code != command.instance_code:
                known = codes_given(await self._log.read_stream(stream))
            return gates.answer(plan, command, request.at, known)

        try:
            return await self._plans.execute(request, stream, decided, body={"id": command.plan})
        except Refused as refused:
            if refused.code in gates.CALLBACK_REFUSALS:
                await self._keep_refused(request, command, refused.code)
            raise

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

    async def _keep_refused(self, request: Request, command: AnswerGate, code: str) -> None:
        """In a stream of its own, so that the plan's version does not move. The same request is kept once."""
        event = CallbackRefused(
            gate=command.gate, instance_code=command.instance_code, result=command.result, code=code
        )
        stream = f"callback-{command.plan}"
        for _ in range(_TRIES):
            outcome = await self._log.append(
                Append(
                    stream=stream,
                    expected=await self._log.pool.fetchval(self._version, stream),
                    principal=request.actor.id,
                    key=f"{request.key}/refused",
                    fingerprint=fingerprint_of(stream, request.key),
                    events=(Draft(*encode(event)),),
                    at=request.at,
                    actor=request.actor.id,
                    channel=request.actor.channel,
                    trace=request.trace,
                )
            )
            if not isinstance(outcome, Conflict):
                return
        raise Unavailable(f"stream {stream}", retry_after_seconds=0.2)


def codes_given(facts: Sequence[Fact]) -> dict[str, GateName]:
    """Every instance code that a plan ever gave out, with its gate."""
    opened = (DECODERS[fact.type](fact.payload) for fact in facts if fact.type == "gate.opened.v1")
    return {event.instance_code: event.gate for event in opened if isinstance(event, GateOpened)}
