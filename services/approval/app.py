"""Wires approval: commands in, events out, deadlines kept."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from contracts.approval_commands import (
    ApproveInEmergency,
    DelegateVote,
    EndDelegation,
    LinkIdentities,
    ResendLetters,
    ReviewEmergency,
    UnlinkIdentity,
)
from contracts.commands import SubmitPlan, VoteOnPlan, WithdrawVote
from contracts.evolve import fold
from contracts.letter_state import Letters, fold_letters
from contracts.people_state import fold_delegate, fold_people
from infra.checkpoint import Projection
from infra.commands import Desk
from infra.eventlog import EventLog
from infra.ground import Ground, open_ground
from infra.identity import Identities
from infra.reactor import Reactor
from infra.remembered import by_items
from infra.requests import Handler, Requests
from infra.timers import TimerLoop
from services.approval.config import Settings
from services.approval.decider.letters import Patience
from services.approval.handlers.commands import Approval
from services.approval.handlers.people import Links
from services.approval.projections import DelegationList, LetterRounds

if TYPE_CHECKING:
    from services.approval.adapters import Mailer


_STEPS = 6
"""More than one letter needs (MAIL, RCPT, DATA, the letter, QUIT): an attempt is not given to another while it can go on."""


def projections(log: EventLog) -> Sequence[Projection]:
    """What this service keeps in tables."""
    return (DelegationList(), LetterRounds())


@asynccontextmanager
async def build(settings: Settings) -> AsyncIterator[Ground]:
    """The running approval service. Raises Misconfigured for mail settings that make no sense."""
    mailer = _mailer(settings) if settings.smtp_host else None
    async with open_ground("approval", settings) as ground:
        log = ground.log
        links, directory = Links(Desk(log, fold_people)), Identities(log.pool)
        letters = Desk(log, fold_letters)
        approval = Approval(
            Desk(log, fold, weigh=by_items), links, Desk(log, fold_delegate), letters, directory, ground.clock
        )
        handlers: dict[Any, Handler] = {
            **dict.fromkeys(
                (SubmitPlan, VoteOnPlan, WithdrawVote, ApproveInEmergency, ReviewEmergency), approval.answer
            ),
            **dict.fromkeys((DelegateVote, EndDelegation), approval.delegate),
            **dict.fromkeys((LinkIdentities, UnlinkIdentity), approval.identities),
            ResendLetters: approval.resend,
        }
        timers = TimerLoop(ground.log.pool, "approval", ground.clock, approval.wake, wake=ground.wake)
        ground.run(timers.run(), "timers of approval")
        ground.project(projections(log), gather_seconds=0.05)
        if mailer is not None:
            _post(ground, settings, mailer, letters, (links, directory))
        ground.bus.serve("approval", Requests("approval", handlers))
        await ground.bus.start()
        yield ground


def _mailer(settings: Settings) -> "Mailer":
    from services.approval.adapters import Mailer  # what sends no letters does without the library

    return Mailer(settings)


def _post(
    ground: Ground, settings: Settings, mailer: "Mailer", letters: Desk[Letters], people: tuple[Links, Identities]
) -> None:
    """Letters are written and sent from now on."""
    from services.approval.adapters import BEGIN_SECONDS
    from services.approval.handlers.post import Post, wanted

    log = ground.log
    post = Post(
        log,
        (Desk(log, fold, weigh=by_items), letters),
        *people,
        mailer,
        ground.clock,
        patience=Patience(settings.smtp_schedule_seconds, BEGIN_SECONDS + _STEPS * settings.smtp_timeout_seconds),
        public_url=settings.public_url,
    )
    reactor = Reactor("letters", ground.tail(), post.look, wanted, post.sweep, concurrency=4, tracing=ground.tracing)
    loop = asyncio.get_running_loop()

    def wake(stream: str, seconds: float) -> None:
        """An alarm too many only looks, so nobody keeps its handle."""
        loop.call_later(seconds, reactor.due, stream)

    post.wake = wake
    ground.run(reactor.run(), "letters of approval")
