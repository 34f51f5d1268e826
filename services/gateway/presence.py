"""Who is on which section of which plan, over all gateways, for as long as their screens say so.

Every gateway hears every sign of life by a core subject of the bus and keeps what it heard for `ttl_seconds` by its own
clock, so that nobody is responsible for anybody and a gateway that dies takes nothing with it. What changes is told to
those who follow the plan. Nothing of it is stored; without a bus each gateway knows its own screens only. It locks
nothing: two people may edit one section, and `contracts.merging` judges when they save.
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from contracts.moments import moment
from contracts.presence import Asked, PresenceBody, PresencePage, Present, Seen
from infra.clock import Clock
from infra.errors import Unavailable

MOST_PRESENT = 200
"""Sessions of one plan that are remembered. Of more, the one that was silent longest is forgotten."""

_SWEEP_SECONDS = 0.5
_MICROS = 1_000_000

_encode = msgspec.json.Encoder().encode
_decode: Callable[[bytes], Seen | Asked] = msgspec.json.Decoder(Seen | Asked).decode


class _Kept(msgspec.Struct):
    """What is kept of a session: its last sign, when it came to where it is, when we forget it (µs of our clock)."""

    seen: Seen
    since: int
    until: int
    ours: bool


class Presences:
    """One per gateway. `tell(plan)` is called when who is there has changed; `publish` sends to all gateways."""

    def __init__(self, clock: Clock, publish: Callable[[bytes], Awaitable[None]], ttl_seconds: float) -> None:
        self._clock = clock
        self._publish = publish
        self._ttl_seconds = ttl_seconds
        self._plans: dict[str, dict[tuple[str, str], _Kept]] = {}
        self.tell: Callable[[str], None] = lambda _plan: None

    async def run(self) -> None:
        """Ask the other gateways once, then forget who has gone silent, until cancelled."""
        asked = False
        while True:
            asked = asked or await self._send(Asked())
            await asyncio.sleep(_SWEEP_SECONDS)
            self.sweep()

    async def came(self, plan: str, by: str, body: PresenceBody) -> None:
        """A screen says where it is."""
        at = self._clock.now()
        seen = Seen(plan, by, body.session, at, body.section, body.item or "", body.version or 0)
        self._keep(seen, ours=True)
        await self._send(seen)

    async def left(self, plan: str, by: str, session: str) -> None:
        """A screen was closed."""
        seen = Seen(plan, by, session, self._clock.now(), left=True)
        self._keep(seen, ours=True)
        await self._send(seen)

    def heard(self, message: bytes) -> asyncio.Task[None] | None:
        """What a gateway said, this one included. A message of a newer release that we do not understand is let pass."""
        try:
            said = _decode(message)
        except msgspec.DecodeError:
            return None
        if isinstance(said, Asked):
            return asyncio.create_task(self._answer(), name="presence told")
        self._keep(said, ours=False)
        return None

    def page(self, plan: str) -> PresencePage:
        """Who is there now, the longest first."""
        kept = sorted(self._plans.get(plan, {}).values(), key=lambda one: (one.since, one.seen.by, one.seen.session))
        return PresencePage(plan=plan, present=tuple(_present(one) for one in kept), ttl_seconds=self._ttl_seconds)

    def sweep(self) -> None:
        """Forget who has been silent for too long."""
        now = self._clock.now()
        for plan, kept in list(self._plans.items()):
            gone = [who for who, one in kept.items() if one.until <= now]
            for who in gone:
                del kept[who]
            if not kept:
                del self._plans[plan]
            if gone:
                self.tell(plan)

    def _keep(self, seen: Seen, *, ours: bool) -> None:
        who, kept = (seen.by, seen.session), self._plans.setdefault(seen.plan, {})
        before = kept.get(who)
        if before is not None and (before.seen.at > seen.at or before.seen == seen):
            return  # overtaken on its way, or told again for a gateway that asked: no new sign of life
        if seen.left:
            kept.pop(who, None)
            changed = before is not None
        else:
            now = self._clock.now()
            changed = before is None or _where(before.seen) != _where(seen)
            since = now if before is None or changed else before.since
            ours = ours or (before is not None and before.ours)
            kept[who] = _Kept(seen, since, now + int(self._ttl_seconds * _MICROS), ours)
            if len(kept) > MOST_PRESENT:
                del kept[min(kept, key=lambda one: kept[one].until)]
        if not kept:
            del self._plans[seen.plan]
        if changed:
            self.tell(seen.plan)

    async def _answer(self) -> None:
        now = self._clock.now()  # who is only not swept away yet would come back to life at the one who asked
        for seen in [
            one.seen for kept in self._plans.values() for one in kept.values() if one.ours and one.until > now
        ]:
            await self._send(seen)

    async def _send(self, said: Seen | Asked) -> bool:
        """Whether it went out. If not, the next sign of life comes soon."""
        try:
            await self._publish(_encode(said))
        except Unavailable:
            return False
        return True


def _where(seen: Seen) -> tuple[str, str, int]:
    return seen.section, seen.item, seen.version


def _present(one: _Kept) -> Present:
    seen = one.seen
    return Present(
        by=seen.by,
        session=seen.session,
        section=seen.section,
        item=seen.item,
        version=seen.version or None,
        since=moment(one.since),
        until=moment(one.until),
    )
