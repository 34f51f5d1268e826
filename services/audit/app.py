"""Wires audit: the operation record, kept at the end of the log."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from infra.ground import Ground, open_ground
from infra.projection import Projector
from services.audit.config import Settings
from services.audit.projections import Record


@asynccontextmanager
async def build(settings: Settings) -> AsyncIterator[Ground]:
    """The running audit service."""
    async with open_ground("audit", settings) as ground:
        projector = Projector(ground.log, ground.wake, Record(ground.log.read_stream))
        ground.run(projector.run(), "projection record")
        await ground.bus.start()
        yield ground
