"""Drives workflow runs: claims, performs one step after the other, finishes, and stops at once when it is not the owner.

`look` is asked about a run whenever something may have changed; it is quick, and what takes long is a task of its own.
The stream's version is the fence: every append is decided on the run as it is in the log, and only while the lease names
us. Who finds another owner there lets go without touching the step: it is the other's now.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
import structlog

from contracts.commands import Request, StartPlan
from contracts.plan import Plan
from contracts.plan_events import Event
from contracts.run import RunClaimed
from contracts.run_state import Run
from infra.clock import Clock
from infra.commands import Desk
from infra.requests import system_request
from infra.tail import database_away
from services.executor.adapters.place import is_gone
from services.executor.adapters.step import Stop
from services.executor.decider import runs as rules
from services.executor.handlers.steps import Steps

if TYPE_CHECKING:
    from services.executor.handlers.spans import RunSpans

log = structlog.get_logger()

_MICROSECONDS = 1_000_000
_TROUBLE_SECONDS = (0.1, 5.0)
_EARLY_SECONDS = 0.005  # a loop's timers may be this much too early


class Fenced(Exception):
    """The run is another owner's now."""


class Lease(msgspec.Struct, frozen=True):
    """How runs are shared: `seconds` a claim holds (extended each third), `most` runs at once in this process."""

    seconds: float = 30.0
    most: int = 16


class Runs:
    """All runs that this process drives. `due(stream)` is how it asks to be asked again (`Reactor.due`)."""

    def __init__(
        self,
        runs: Desk[Run],
        plans: Desk[Plan],
        steps: Steps,
        clock: Clock,
        owner: str,
        due: Callable[[str], None],
        lease: Lease | None = None,
        spans: "RunSpans | None" = None,
    ) -> None:
        self._runs = runs
        self._plans = plans
        self._steps = steps
        self._clock = clock
        self._owner = owner
        self._due = due
        self._lease = lease or Lease()
        self._spans = spans
        self._driving: dict[str, tuple[asyncio.Task[None], Stop]] = {}
        self._waiting: set[str] = set()
        self._given_way: dict[str, float] = {}
        self._closing = False
        self.way_seconds = (0.01, 0.1)
        """For each run that we drive, and at most: longer than an idle executor needs to see a new run."""
        self.last_tries_seconds = 2.0
        """How long a stopping executor goes on telling an outcome to a log that does not take it."""

    async def look(self, stream: str) -> None:
        """See what this run needs: an order to stop, a driver, its plan told, or to be looked at again later."""
        run = await self._runs.recall(stream)
        if run is None:
            return
        if run.outcome is not None:
            self._given_way.pop(stream, None)
            self._due(f"plan-{run.created.plan}")
            return
        run = await self._cancel_if_unwanted(stream, run)
        if stream in self._driving:
            task, stop = self._driving[stream]
            if isinstance(self._move(run), rules.Wait):
                task.cancel()  # another has it; one who is gone has nothing, and our driver is about to claim it
            elif run.cancel_reason is not None:
                stop.ask("cancelled")
            return
        self._consider(stream, run)

    def _move(self, run: Run) -> rules.Move:
        return rules.next_move(run, self._owner, self._clock.now(), owner_gone=is_gone(run.owner))

    def _consider(self, stream: str, run: Run) -> None:
        match self._move(run):
            case rules.Rest():
                return
            case rules.Wait(until=until):
                self._given_way.pop(stream, None)
                seconds = max((until - self._clock.now()) / _MICROSECONDS, 0.05)
                asyncio.get_running_loop().call_later(seconds, self._due, stream)
            case _ if self._closing:
                return
            case _ if len(self._driving) >= self._lease.most:
                self._waiting.add(stream)  # or another executor takes it
            case rules.Claim() if self._gives_way(stream, run):
                return
            case _:
                stop = Stop()
                spans, drive = self._spans, self._drive
                driven = drive(stream, stop) if spans is None else spans.driven(stream, stop, drive)
                task = asyncio.create_task(driven, name=f"driver of {stream}")
                task.add_done_callback(lambda _: self._driven(stream))
                self._driving[stream] = (task, stop)

    def _gives_way(self, stream: str, run: Run) -> bool:
        """Who has more to do takes a new run a little later, so that executors share the work without a leader."""
        loop = asyncio.get_running_loop()
        if run.owner or (not self._driving and stream not in self._given_way):
            return False
        if stream not in self._given_way:
            each, most = self.way_seconds
            seconds = min(len(self._driving) * each, most)
            self._given_way[stream] = loop.time() + seconds
            loop.call_later(seconds, self._due, stream)
        if loop.time() + _EARLY_SECONDS < self._given_way[stream]:
            return True
        del self._given_way[stream]
        return False

    def _driven(self, stream: str) -> None:
        """Also where the driver was stopped before it began, which no `finally` of its own would see."""
        self._driving.pop(stream, None)
        self._due(stream)
        while self._waiting:
            self._due(self._waiting.pop())

    async def _cancel_if_unwanted(self, stream: str, run: Run) -> Run:
        """The plan may have been reopened, cancelled or timed out; nobody else tells the run."""
        stream_of_plan = f"plan-{run.created.plan}"
        reason = rules.unwanted(await self._plans.recall(stream_of_plan), run.created.item, run.created.attempt)
        if reason is None or run.cancel_reason is not None:
            return run
        plan = await self._plans.read(stream_of_plan)  # what is remembered may suspect, only the log may convict
        reason = rules.unwanted(plan, run.created.item, run.created.attempt)
        if reason is None:
            return run
        request = self._request(run, "cancel")

        async def decide(now: Run | None) -> Sequence[Event]:
            return rules.cancel(now, reason) if now is not None else ()

        await self._runs.execute(request, stream, decide, cause=plan.position if plan else None)
        return await self._runs.read(stream) or run

    async def _drive(self, stream: str, stop: Stop) -> None:
        pause, longest = _TROUBLE_SECONDS
        while True:
            try:
                await self._drive_to_end(stream, stop)
                return
            except Fenced:
                log.info("run_let_go", run=stream)
                return
            except Exception as error:
                _tell(stream, error)
            if self._closing:
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, longest)

    async def drain(self, patience_seconds: float) -> None:
        """Take nothing new. Steps that run get this long to end; then they are ended, by their effect class.

        A step that may be repeated is cancelled and goes on with the next executor. Any other was interrupted somewhere
        in its middle: its outcome is unknown, and a person is asked. Nothing of ours runs on afterwards.
        """
        self._closing = True
        tasks = [task for task, _ in self._driving.values()]
        try:
            if tasks:
                await asyncio.wait(tasks, timeout=patience_seconds)
            for _, stop in self._driving.values():
                stop.ask("executor_stopped")
            await asyncio.gather(*(task for task, _ in self._driving.values()), return_exceptions=True)
        finally:
            left = [task for task, _ in self._driving.values()]
            self._steps.kill_all()
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _drive_to_end(self, stream: str, stop: Stop) -> None:
        renewing: asyncio.Task[None] | None = None
        try:
            while True:
                run = await self._runs.read(stream)
                assert run is not None
                run = await self._cancel_if_unwanted(stream, run)
                match move := self._move(run):
                    case rules.Rest():
                        return
                    case rules.Wait():
                        raise Fenced
                    case rules.Claim():
                        await self._claim(stream)
                    case rules.Finish(event=event):
                        log_digest = await self._steps.log_of(run)
                        finished = msgspec.structs.replace(event, log=log_digest)
                        await self._append(stream, run, "finish", finished)
                        log.info("run_finished", run=run.id, outcome=event.outcome, error=event.error)
                    case rules.Perform() if self._closing and not move.resumed:
                        await self._release(stream, run)
                        return
                    case rules.Perform():
                        renewing = renewing or self._renew_from_now_on(stream)
                        await self._perform(stream, run, move, stop)
        finally:
            if renewing is not None:
                renewing.cancel()
                await asyncio.gather(renewing, return_exceptions=True)

    async def _perform(self, stream: str, run: Run, move: rules.Perform, stop: Stop) -> None:
        """Intent, effect, outcome."""
        if run.cancel_reason is not None:
            stop.ask("cancelled")
        if not move.resumed:
            intent = self._steps.intent(run, move)
            run = await self._append(stream, run, f"start:{move.index}:{move.attempt}", intent)
        if self._clock.now() >= run.until:  # we were paused: another may be at it
            run = await self._claim(stream)
        if self._spans is None:
            outcome = await self._steps.perform(run, move, stop)
        else:
            outcome = await self._spans.step(run, move, stop, self._steps.perform)
        await self._append(stream, run, f"end:{move.index}:{move.attempt}", outcome)
        await self._steps.forget(run, move)

    async def _claim(self, stream: str) -> Run:
        """Take or extend the lease. Raises Fenced when somebody else has it."""
        at = self._clock.now()
        until = at + int(self._lease.seconds * _MICROSECONDS)
        before = ""

        async def decide(run: Run | None) -> Sequence[Event]:
            if run is None or run.outcome is not None:
                raise Fenced
            if run.owner != self._owner and run.until > at and not is_gone(run.owner):
                raise Fenced
            nonlocal before
            before = run.owner
            return (RunClaimed(owner=self._owner, until=until),)

        run = await self._runs.read(stream)
        assert run is not None
        request = self._request(run, f"claim:{at}")
        await self._runs.execute(request, stream, decide, cause=run.position)
        claimed = await self._own(stream)
        if before not in ("", self._owner):
            log.info("run_taken_over", run=claimed.id, before=before)
        return claimed

    async def _release(self, stream: str, run: Run) -> None:
        """Hand the run back, so that nobody has to wait for the lease to end."""
        now = self._clock.now()
        await self._append(stream, run, f"release:{now}", RunClaimed(owner=self._owner, until=now))

    async def _append(self, stream: str, run: Run, what: str, event: Event) -> Run:
        """Append while we are the owner. Raises Fenced when we are not, whatever we believed.

        A log that is away is waited for here: what we know of a step, that it ended so or was not begun, nobody else
        could find out again.
        """

        async def decide(now: Run | None) -> Sequence[Event]:
            if now is None or now.owner != self._owner or now.outcome is not None:
                raise Fenced
            return (event,)

        # The same key each time: of an append whose outcome we do not know the next try says what became of it.
        request = self._request(run, what)
        pause, longest = _TROUBLE_SECONDS
        last_try = math.inf
        while True:
            try:
                await self._runs.execute(request, stream, decide, cause=run.position)
                return await self._own(stream)
            except Exception as error:
                now = asyncio.get_running_loop().time()
                last_try = min(last_try, now + self.last_tries_seconds) if self._closing else math.inf
                if isinstance(error, Fenced) or now >= last_try:
                    raise
                _tell(stream, error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, longest)

    async def _own(self, stream: str) -> Run:
        run = await self._runs.read(stream)
        if run is None or run.owner != self._owner:
            raise Fenced
        return run

    def _request(self, run: Run, what: str) -> Request:
        """The key names us: two owners who do the same are never answered with each other's success."""
        key = f"{run.id}:{what}:{self._owner}"
        # The log keeps events, not commands: this one only fills the place.
        return system_request(StartPlan(plan=run.created.plan), "executor", key, self._clock.now())

    def _renew_from_now_on(self, stream: str) -> asyncio.Task[None]:
        return asyncio.create_task(self._renew(stream, asyncio.current_task()), name=f"lease of {stream}")

    async def _renew(self, stream: str, driver: "asyncio.Task[None] | None") -> None:
        """Extend the lease each third of it. When it is lost, the driver is stopped and the step left to its new owner."""
        while True:
            await asyncio.sleep(self._lease.seconds / 3)
            try:
                await self._claim(stream)
            except Fenced:
                run = await self._runs.read(stream)
                if driver is not None and run is not None and run.outcome is None:
                    log.warning("lease_lost", run=stream, owner=run.owner)
                    driver.cancel()
                return
            except Exception as error:
                log.warning("lease_not_extended", run=stream, error=repr(error))


def _tell(stream: str, error: Exception) -> None:
    if database_away(error):
        log.warning("run_waits", run=stream, error=repr(error))
    else:
        log.error("run_in_trouble", run=stream, exc_info=error)
