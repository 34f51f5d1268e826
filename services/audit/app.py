"""Wires audit: the operation record, kept at the end of the log."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from infra.checkpoint import Projection
from infra.eventlog import EventLog
from infra.ground import Ground, open_ground
from services.audit.config import Settings
from services.audit.projections import Record


def projections(log: EventLog) -> Sequence[Projection]:
    """What this service keeps in tables."""
    return (Record(log.read_stream),)


@asynccontextmanager
async def build(settings: Settings) -> AsyncIterator[Ground]:
    """The running audit service."""
    async with open_ground("audit", settings, traced=False) as ground:
        ground.project(projections(ground.log), gather_seconds=0.1)
        await ground.bus.start()
        yield ground
