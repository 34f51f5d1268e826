"""Who asks, and what holds about them at this moment: their identities, and whose votes they may cast.

For whatever says what waits for a person; what it waits for is said by `contracts.waiting`.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from contracts.commands import Actor
from contracts.people import PEOPLE_STREAM, delegate_stream
from contracts.people_state import People, fold_delegate, fold_people
from contracts.plan import Plan
from contracts.waiting import Reader, principals_on
from infra.clock import Clock
from infra.eventlog import EventLog
from infra.identity import Identities


class Readers:
    """Finds out about the person who asks."""

    def __init__(self, log: EventLog, people: Identities, clock: Clock) -> None:
        self._log = log
        self._people = people
        self._clock = clock

    async def of(self, actor: Actor) -> Reader:
        """What holds for all plans: which identities are theirs, and who has given them their vote on all plans."""
        now = self._clock.now()
        people = await self.links()
        principals: set[str] = set()
        for identity in people.identities(actor.id):
            delegate = fold_delegate(await self._log.read_stream(delegate_stream(identity)))
            principals |= {one.by for one in delegate.delegations if one.until > now} if delegate else set()
        return Reader(actor, now, people, frozenset(principals), await self._groups(principals))

    async def on(self, plan: Plan, reader: Reader) -> Reader:
        """The same with what holds on this plan."""
        groups = await self._groups(principals_on(plan, reader))
        return replace(reader, groups={**reader.groups, **groups})

    async def links(self) -> People:
        """Which identities are one person."""
        return fold_people(await self._log.read_stream(PEOPLE_STREAM)) or People()

    async def _groups(self, principals: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Their groups at this moment. Nobody votes for one who is no active user."""
        users = [await self._people.user(one.removeprefix("user:")) for one in sorted(principals)]
        return {f"user:{user.id}": user.groups for user in users if user is not None and user.active}
