"""One function per command, and one for what time does: decide, append."""

from contracts.commands import Accepted, Request, SubmitPlan, VoteOnPlan, WithdrawVote
from contracts.envelope import stream_id
from contracts.plan import Plan
from contracts.plan_events import Event
from infra.clock import Clock
from infra.commands import Desk
from infra.requests import system_request
from services.approval.decider import decide, expire


class Approval:
    """Answers the commands of approval, and ends rounds whose deadline has passed."""

    def __init__(self, desk: Desk[Plan], clock: Clock) -> None:
        self._desk = desk
        self._clock = clock

    async def answer(self, request: Request) -> Accepted:
        """SubmitPlan, VoteOnPlan, WithdrawVote."""
        command = request.command
        assert isinstance(command, SubmitPlan | VoteOnPlan | WithdrawVote)

        async def decided(plan: Plan | None) -> tuple[Event, ...]:
            return decide(plan, command, request.actor, request.at)

        return await self._desk.execute(request, f"plan-{command.plan}", decided, body={"id": command.plan})

    async def wake(self, stream: str, kind: str) -> None:
        """A deadline may have passed."""
        now = self._clock.now()
        plan = await self._desk.read(stream)
        if plan is None or not expire(plan, now):
            return
        key = f"{stream}/{kind}/{plan.approval.round}"
        request = system_request(SubmitPlan(plan=stream_id(stream)), "approval", key, now)

        async def decided(plan: Plan | None) -> tuple[Event, ...]:
            return () if plan is None else expire(plan, now)

        await self._desk.execute(request, stream, decided, cause=plan.position)
