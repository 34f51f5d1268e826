"""One function per command, and one for what time does: find out who people are, decide, append."""

import asyncio
from collections.abc import Iterable
from typing import Any

from contracts.approval_commands import DelegateVote, EndDelegation, LinkIdentities, ResendLetters, UnlinkIdentity
from contracts.commands import Accepted, Request, SubmitPlan, VoteOnPlan
from contracts.envelope import stream_id
from contracts.letter import letter_stream
from contracts.letter_state import Letters
from contracts.people import PEOPLE_STREAM, delegate_stream
from contracts.people_state import Delegate, People
from contracts.plan import Delegation, Plan
from contracts.plan_events import Event
from contracts.refusals import Refused
from contracts.rights import owners
from infra.clock import Clock
from infra.commands import Desk
from infra.requests import system_request
from services.approval.decider import Command, Known, decide, expire, remind
from services.approval.decider.delegating import delegate_all, end_all
from services.approval.decider.identities import link, unlink
from services.approval.decider.letters import resend
from services.approval.handlers.people import Directory, Links


class Approval:
    """Answers the commands of approval, and does what the passing of time makes due."""

    def __init__(
        self,
        plans: Desk[Plan],
        links: Links,
        delegates: Desk[Delegate],
        letters: Desk[Letters],
        directory: Directory,
        clock: Clock,
    ) -> None:
        self._plans = plans
        self._links = links
        self._delegates = delegates
        self._letters = letters
        self._directory = directory
        self._clock = clock

    async def answer(self, request: Request) -> Accepted:
        """Every command on one plan."""
        command: Any = request.command

        async def decided(plan: Plan | None) -> tuple[Event, ...]:
            known = Known() if plan is None else await self._known(plan, command, request.actor.id)
            return decide(plan, command, request.actor, request.at, known)

        return await self._plans.execute(request, f"plan-{command.plan}", decided, body={"id": command.plan})

    async def delegate(self, request: Request) -> Accepted:
        """DelegateVote and EndDelegation, on one plan or on all."""
        command = request.command
        assert isinstance(command, DelegateVote | EndDelegation)
        if command.plan is not None:
            return await self.answer(request)

        async def decided(delegate: Delegate | None) -> tuple[Event, ...]:
            if isinstance(command, EndDelegation):
                return end_all(delegate, command, request.actor)
            known = Known(people=await self._links.read(), groups=await self._groups([command.to]))
            return delegate_all(delegate, command, request.actor, request.at, known)

        stream = delegate_stream(command.to)
        return await self._delegates.execute(request, stream, decided, body={"id": command.to})

    async def identities(self, request: Request) -> Accepted:
        """LinkIdentities and UnlinkIdentity."""
        command = request.command
        assert isinstance(command, LinkIdentities | UnlinkIdentity)

        async def decided(people: People | None) -> tuple[Event, ...]:
            if isinstance(command, UnlinkIdentity):
                return unlink(people, command, request.actor)
            existing = await self._directory.existing(command.identities)
            return link(people, command, request.actor, frozenset(existing))

        return await self._links.desk.execute(request, PEOPLE_STREAM, decided, body={})

    async def resend(self, request: Request) -> Accepted:
        """ResendLetters."""
        command = request.command
        assert isinstance(command, ResendLetters)
        plan = await self._plans.read(f"plan-{command.plan}")
        if plan is None:
            raise Refused("plan_not_found", f"There is no plan {command.plan}.")

        async def decided(letters: Letters | None) -> tuple[Event, ...]:
            return resend(letters, plan, request.actor)

        stream = letter_stream(plan.id, plan.approval.round)
        return await self._letters.execute(request, stream, decided, body={"id": plan.id})

    async def wake(self, stream: str, kind: str) -> None:
        """A deadline may have passed, or a reminder be due."""
        now = self._clock.now()
        plan = await self._plans.read(stream)
        due = expire if kind == "approval_deadline" else remind
        if plan is None or not due(plan, now):
            return
        key = f"{stream}/{kind}/{plan.approval.round}"
        request = system_request(SubmitPlan(plan=stream_id(stream)), "approval", key, now)

        async def decided(plan: Plan | None) -> tuple[Event, ...]:
            return () if plan is None else due(plan, now)

        await self._plans.execute(request, stream, decided, cause=plan.position)

    async def _known(self, plan: Plan, command: Command, actor: str) -> Known:
        people, delegate = await asyncio.gather(self._links.read(), self._delegates.read(delegate_stream(actor)))
        principal = command.on_behalf_of if isinstance(command, VoteOnPlan) else None
        others = [command.to] if isinstance(command, DelegateVote) else []
        asked = {*others, *(one for ref in (actor, principal) if ref for one in people.identities(ref))}
        rules = [rule for level in plan.content.approval.levels for rule in level.rules]
        counts_rest = any(rule.on_reject == "quorum" for rule in rules)
        refs = (*owners(plan), *(ref for rule in rules for ref in rule.approvers))
        named = {ref for ref in refs if ref.startswith("group:")}
        return Known(
            people=people,
            groups=await self._groups(sorted(asked - ({actor} if len(asked) == 1 else set()))),
            delegations=await self._given_to(actor, delegate, people),
            members=await self._directory.members(named) if counts_rest and named else {},
        )

    async def _given_to(self, actor: str, delegate: Delegate | None, people: People) -> tuple[Delegation, ...]:
        """The standing delegations to the person who asks, whichever of their identities they were given to."""
        others = [one for one in people.identities(actor) if one != actor]
        found = [delegate, *[await self._delegates.read(delegate_stream(one)) for one in others]]
        return tuple(given for one in found if one is not None for given in one.delegations)

    async def _groups(self, identities: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """The groups of those who are active users."""
        found: dict[str, tuple[str, ...]] = {}
        for identity in identities:
            user = await self._directory.user(identity.removeprefix("user:"))
            if user is not None and user.active:
                found[identity] = user.groups
        return found
