"""What an executor drops of what runs have left in files, and when. Nothing of a run that has not ended, ever.

    <data>/runs/<run>         what finds a step again and starts it once: `keep_runs_days` after the run's end
    .../output, .../work      unmasked or large: as soon as the run has ended, where a killed executor left them
    <data>/blobs/runs/<run>   the log: `keep_logs_days` after the run's end, 0: for ever. Its digest stays in the event log

What cannot be read or is none of ours is left where it is, and said; all others are cleaned none the less.

A claim may go, although a starter that was paused before it could still wake up: a start is bound to the lease under which
it was decided (`Scripts`), and the claim outlives that by days. Runs that the log does not know are another system's.
"""

import asyncio
import socket
from collections.abc import Awaitable, Iterable
from pathlib import Path

import msgspec
import structlog

from contracts.registry import decode
from contracts.run import StepFinished, run_stream
from contracts.run_state import Run, fold_run
from infra.blobs import Blobs
from infra.clock import Clock
from infra.eventlog import EventLog
from infra.tail import database_away
from services.executor.adapters.folder import RunFolder

log = structlog.get_logger()

_EACH_SECONDS = 6 * 3600.0
_DAY = 86_400 * 1_000_000


class Keep(msgspec.Struct, frozen=True):
    """How many days after a run's end its folder and its log are kept; a log for 0 days: for ever."""

    runs_days: float = 7.0
    logs_days: float = 365.0


class Cleaning:
    """One per executor; several on one folder do each other no harm. `root` is the folder of runs."""

    def __init__(self, event_log: EventLog, clock: Clock, root: Path, blobs: Blobs, keep: Keep) -> None:
        self._log = event_log
        self._clock = clock
        self._root = root
        self._blobs = blobs
        self._keep = keep

    async def run(self) -> None:
        """Clean now and each six hours, until cancelled."""
        while True:
            try:
                await self.once()
            except Exception as error:
                if not (database_away(error) or isinstance(error, OSError)):
                    raise
                log.warning("cleaning_waits", error=repr(error))
            await asyncio.sleep(_EACH_SECONDS)

    async def once(self) -> None:
        """Drop whatever may be dropped now."""
        folders = await asyncio.to_thread(RunFolder.all_in, self._root)
        logs = await asyncio.to_thread(self._blobs.runs) if self._keep.logs_days else []
        dropped = (
            [await _or_left(folder.run, self._folder(folder)) for folder in folders],
            [await _or_left(run, self._of_log(run)) for run in logs],
        )
        if any(map(any, dropped)):
            log.info("cleaned", folders=sum(dropped[0]), logs=sum(dropped[1]))

    async def _folder(self, folder: RunFolder) -> bool:
        if not folder.left and not self._old(folder.touched_at, self._keep.runs_days):
            return False
        run = await self._ended(folder.run)
        if run is None or await asyncio.to_thread(lambda: folder.alive):
            return False
        if not self._old(run.ended_at, self._keep.runs_days):
            await asyncio.to_thread(folder.forget)
            return False
        await asyncio.to_thread(folder.drop)
        return True

    async def _of_log(self, run: str) -> bool:
        if not self._old(await asyncio.to_thread(self._blobs.touched_at, run), self._keep.logs_days):
            return False
        ended = await self._ended(run)
        if ended is None or not self._old(ended.ended_at, self._keep.logs_days):
            return False
        await asyncio.to_thread(self._blobs.drop_run, run, await self._digests(run))
        return True

    async def _ended(self, run: str) -> Run | None:
        """The run, if the log knows that it has ended."""
        state = fold_run(await self._log.read_stream(run_stream(run)))
        return state if state is not None and state.outcome is not None else None

    async def _digests(self, run: str) -> Iterable[str]:
        facts = await self._log.read_stream(run_stream(run))
        events = [decode(fact.type, fact.payload) for fact in facts if fact.type == "run.step_finished.v1"]
        return [one.output.sha256 for one in events if isinstance(one, StepFinished) and one.output is not None]

    def _old(self, at: int, days: float) -> bool:
        return at < self._clock.now() - days * _DAY


async def _or_left(run: str, cleaned: Awaitable[bool]) -> bool:
    """What came of cleaning one; one whose files do not let us is left, for whoever reads the warning."""
    try:
        return await cleaned
    except OSError as error:
        if isinstance(error, ConnectionError | TimeoutError | socket.gaierror):  # the log's: all others would fail, too
            raise
        log.warning("not_cleaned", run=run, error=repr(error))
        return False
