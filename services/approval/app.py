"""Wires approval: commands in, events out, deadlines kept."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contracts.commands import SubmitPlan, VoteOnPlan, WithdrawVote
from contracts.evolve import fold
from infra.commands import Desk
from infra.ground import Ground, open_ground
from infra.requests import Requests
from infra.timers import TimerLoop
from services.approval.config import Settings
from services.approval.handlers import Approval


@asynccontextmanager
async def build(settings: Settings) -> AsyncIterator[Ground]:
    """The running approval service."""
    async with open_ground("approval", settings) as ground:
        approval = Approval(Desk(ground.log, fold), ground.clock)
        handlers = dict.fromkeys((SubmitPlan, VoteOnPlan, WithdrawVote), approval.answer)
        timers = TimerLoop(ground.log.pool, "approval", ground.clock, approval.wake, wake=ground.wake)
        ground.run(timers.run(), "timers of approval")
        ground.bus.serve("approval", Requests("approval", handlers))
        await ground.bus.start()
        yield ground
