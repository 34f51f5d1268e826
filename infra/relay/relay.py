"""Publishes the log: event p as message p, in order, from whatever point the mirror has reached.

The mirror says where it stands, the log says what is true. Before publishing, and whenever something looks odd, the two
are compared: the epoch, the last messages' leaf hashes, the length. A mirror of another history is thrown away and built
again; nothing is ever added to it. Where it proves that the log was restored from a backup, the log first gets a new epoch,
so that no event gets an id that another one had. It keeps no position of its own, so there is nothing that could be wrong.
"""

import asyncio
from typing import Protocol

import structlog

from contracts.envelope import Fact, Position
from infra.bus.mirror import PIPELINE, Mirror, MirrorChanged
from infra.clock import Clock, SystemClock
from infra.errors import Unavailable
from infra.eventlog import Head
from infra.relay.bell import Bell
from infra.relay.comparison import Proof, compare
from infra.relay.metrics import RelayMetrics
from infra.tail import Readable, Wake, database_away

log = structlog.get_logger()

STANDING_BY = "standing by"
"""The obstacle of a relay that is well, while another one leads."""

_FIRST_PAUSE_SECONDS = 0.05
_LAST_PAUSE_SECONDS = 1.0
_READ = 500


class Source(Readable, Protocol):
    """The part of the log that the relay needs; `infra.eventlog.EventLog` has it."""

    async def head(self) -> Head: ...

    async def renew_epoch(self, epoch: str, position: Position, leaf: bytes) -> str | None: ...


class Relay:
    """Follows the log with the mirror while `leading` is set. Any number may run; the mirror takes events from one at a time.

    `position` is the last event known to be in the mirror; `obstacle` says what keeps it from following, if anything.
    """

    def __init__(
        self,
        source: Source,
        mirror: Mirror,
        wake: Wake,
        leading: asyncio.Event,
        *,
        metrics: RelayMetrics | None = None,
        clock: Clock | None = None,
        poll_seconds: float = 0.2,
        gather_seconds: float = 0.0,
        check_seconds: float = 1.0,
    ) -> None:
        """`gather_seconds` waits after each ring so that more events share a batch: later delivery, less work."""
        self._source = source
        self._mirror = mirror
        self._wake = wake
        self._bell = Bell(mirror.wake)
        self._leading = leading
        self._metrics = metrics or RelayMetrics()
        self._clock = clock or SystemClock()
        self._poll_seconds = poll_seconds
        self._gather_seconds = gather_seconds
        self._check_seconds = check_seconds
        self._epoch = ""
        self._leaf = b""
        self.position: Position = 0
        self.lag: int | None = None
        self.obstacle: str | None = STANDING_BY

    async def run(self) -> None:
        """Publish until cancelled. Raises Corrupt for a log that breaks its promise; everything else is tried again."""
        try:
            await self._run()
        finally:
            await self._bell.close()

    async def _run(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            before = self.position
            if not self._leading.is_set():
                self.obstacle = STANDING_BY
                await self._leading.wait()
            try:
                await self._agree()
                self._clear()
                await self._follow()
                continue  # no longer leading
            except MirrorChanged as change:
                log.info("mirror_changed", position=self.position, reason=str(change))
            except Exception as error:
                if not isinstance(error, Unavailable) and not database_away(error):
                    raise
                self._tell(error)
            pause = _FIRST_PAUSE_SECONDS if self.position != before else min(pause * 2, _LAST_PAUSE_SECONDS)
            await asyncio.sleep(pause)

    def _tell(self, error: Exception) -> None:
        reason = str(error) or repr(error)
        if reason != self.obstacle:
            log.warning("relay_waits", position=self.position, reason=reason)
        self.obstacle = reason

    def _clear(self) -> None:
        if self.obstacle:
            log.info("relay_follows", position=self.position, epoch=self._epoch)
        self.obstacle = None

    async def _agree(self) -> None:
        """Find the event up to which the mirror is the log, making the mirror anew where it is not.

        The mirror is asked first: what it holds was in the log before, so it can only be ahead of another history.
        """
        state = await self._mirror.state()
        head = await self._source.head()
        self._epoch = head.epoch
        if state is None:
            await self._mirror.create(head.epoch)
            log.info("mirror_created", epoch=head.epoch)
            self._stands_at(0, b"")
            return
        first, ours, theirs = await self._newest_leaves(state.last) if state.epoch == head.epoch else (1, [], [])
        verdict = compare(state, head, first, ours, theirs)
        if verdict.reason is None:
            self._stands_at(state.last, ours[-1] if ours else b"")
            return
        if verdict.proof is not None:
            await self._renew_epoch(head, verdict.proof)
        log.error(
            "mirror_rebuilt", reason=verdict.reason, mirror_epoch=state.epoch, mirror_last=state.last,
            log_epoch=self._epoch, log_last=head.position,
        )  # fmt: skip
        self._metrics.rebuilds.inc()
        await self._mirror.delete()
        await self._mirror.create(self._epoch)
        self._stands_at(0, b"")

    async def _renew_epoch(self, head: Head, proof: Proof) -> None:
        """The log was restored: its next events get ids that no event had. Before anything is published, or thrown away."""
        epoch = await self._source.renew_epoch(head.epoch, *proof)
        if epoch is None:
            raise MirrorChanged("the log is not as it was read")
        log.error(
            "log_restored", lost_position=proof.position, log_last=head.position, old_epoch=head.epoch, new_epoch=epoch
        )
        self._epoch = epoch

    async def _newest_leaves(self, last: Position) -> tuple[Position, list[bytes], list[bytes]]:
        """A position, and the leaf hashes from there on in the log and in the mirror, as far back as a refused pipeline may
        have left a foreign message."""
        before = max(0, last - PIPELINE)
        facts = await self._source.read_after(before, last - before) if last else []
        theirs = await self._mirror.leaves(before + 1, last, self._epoch)
        return before + 1, [fact.leaf for fact in facts], theirs

    def _stands_at(self, position: Position, leaf: bytes) -> None:
        self.position, self._leaf = position, leaf
        self._metrics.position.set(position)

    async def _follow(self) -> None:
        """Publish what comes, until no longer leading. Raises MirrorChanged when mirror and log must be compared again."""
        loop = asyncio.get_running_loop()
        check_at = loop.time()
        facts: list[Fact] = []
        while self._leading.is_set():
            ticket = self._wake.ticket()
            facts = facts or await self._after(self.position, self._leaf)
            following = await self._publish(facts) if facts else []
            if loop.time() >= check_at:
                await self._check()
                check_at = loop.time() + self._check_seconds
            if len(facts) < _READ and await self._wake.wait(self._poll_seconds, ticket) and self._gather_seconds:
                await asyncio.sleep(self._gather_seconds)
            facts = following

    async def _publish(self, facts: list[Fact]) -> list[Fact]:
        """Publish these. When they were a full reading, more is waiting: read it meanwhile, and return it."""
        newest = facts[-1]
        await self._bell.ring(newest.position)
        if len(facts) < _READ:
            await self._mirror.publish(facts, self._epoch)
            following: list[Fact] = []
        else:
            reading = asyncio.create_task(self._after(newest.position, newest.leaf))
            try:
                await self._mirror.publish(facts, self._epoch)
                following = await reading
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
        self._stands_at(newest.position, newest.leaf)
        self._metrics.published(len(facts), self._clock.now() - newest.recorded_at)
        return following

    async def _after(self, position: Position, leaf: bytes) -> list[Fact]:
        """The events after this one. It is read again itself: if it is no longer there, the log was restored."""
        if not position:
            return await self._source.read_after(0, _READ)
        facts = await self._source.read_after(position - 1, _READ + 1)
        if not facts or facts[0].leaf != leaf:
            raise MirrorChanged("the log no longer holds the last event")
        return facts[1:]

    async def _check(self) -> None:
        """Also an idle relay must notice that the stream was deleted or cut, or the log exchanged."""
        state = await self._mirror.state()
        head = await self._source.head()
        if state is None:
            raise MirrorChanged("there is no stream")
        if (state.epoch, state.last, state.whole) != (self._epoch, self.position, True):
            raise MirrorChanged(f"it ends at {state.last}, not at {self.position}")
        if head.epoch != self._epoch:
            raise MirrorChanged("the log has another epoch")
        self.lag = head.position - self.position
        self._metrics.lag.set(self.lag)
