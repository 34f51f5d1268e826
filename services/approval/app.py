"""Wires approval: commands in, events out, deadlines kept."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from contracts.approval_commands import (
    ApproveInEmergency,
    DelegateVote,
    EndDelegation,
    LinkIdentities,
    ReviewEmergency,
    UnlinkIdentity,
)
from contracts.commands import SubmitPlan, VoteOnPlan, WithdrawVote
from contracts.evolve import fold
from contracts.people_state import fold_delegate, fold_people
from infra.commands import Desk
from infra.eventlog import EventLog
from infra.ground import Ground, open_ground
from infra.identity import Identities
from infra.projection import Projection
from infra.requests import Handler, Requests
from infra.timers import TimerLoop
from services.approval.config import Settings
from services.approval.handlers import Approval
from services.approval.projections import DelegationList


def projections(log: EventLog) -> Sequence[Projection]:
    """What this service keeps in tables."""
    return (DelegationList(),)


@asynccontextmanager
async def build(settings: Settings) -> AsyncIterator[Ground]:
    """The running approval service."""
    async with open_ground("approval", settings) as ground:
        log = ground.log
        approval = Approval(
            Desk(log, fold), Desk(log, fold_people), Desk(log, fold_delegate), Identities(log.pool), ground.clock
        )
        handlers: dict[Any, Handler] = {
            **dict.fromkeys(
                (SubmitPlan, VoteOnPlan, WithdrawVote, ApproveInEmergency, ReviewEmergency), approval.answer
            ),
            **dict.fromkeys((DelegateVote, EndDelegation), approval.delegate),
            **dict.fromkeys((LinkIdentities, UnlinkIdentity), approval.identities),
        }
        timers = TimerLoop(ground.log.pool, "approval", ground.clock, approval.wake, wake=ground.wake)
        ground.run(timers.run(), "timers of approval")
        ground.project(projections(log))
        ground.bus.serve("approval", Requests("approval", handlers))
        await ground.bus.start()
        yield ground
