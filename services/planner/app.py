"""Wires the planner: commands in, events out, the list of plans and the timers kept."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from contracts.commands import (
    ApplyPlan,
    CancelPlan,
    Command,
    CopyPlan,
    CreatePlan,
    EditPlan,
    ReopenPlan,
    SealPlan,
)
from contracts.edit_commands import AnyEdit
from contracts.evolve import fold
from contracts.freeze import fold_freeze
from contracts.saved_list import fold_lists
from contracts.template_state import fold_template
from infra.checkpoint import Projection
from infra.commands import Desk
from infra.eventlog import EventLog
from infra.freezes import Freezes
from infra.ground import Ground, open_ground
from infra.identity import Identities
from infra.postgres import load_sql
from infra.remembered import by_items
from infra.requests import Handler, Requests
from services.planner.config import Settings
from services.planner.handlers import Planner
from services.planner.handlers.editing import Editor
from services.planner.handlers.filing import Filing
from services.planner.handlers.foreseeing import Foreseeing
from services.planner.handlers.freezing import Freezing
from services.planner.handlers.lists import Lists
from services.planner.handlers.templates import Templates
from services.planner.projections import PlanList
from services.planner.projections.templates import TemplateList


def projections(log: EventLog) -> Sequence[Projection]:
    """What this service keeps in tables."""
    return (PlanList(log.read_stream), TemplateList())


@asynccontextmanager
async def build(settings: Settings) -> AsyncIterator[Ground]:
    """The running planner."""
    async with open_ground("planner", settings) as ground:
        await ground.log.pool.execute(load_sql("services.planner", "continue_index"))
        plans, freezes = Desk(ground.log, fold, weigh=by_items), Freezes(ground.log.fetch)
        people = Identities(ground.log.pool)
        planner = Planner(ground.log, plans, people, freezes)
        freezing = Freezing(plans, Desk(ground.log, fold_freeze), freezes)
        handlers: dict[type[Command], Handler] = {
            CreatePlan: planner.create,
            CopyPlan: planner.copy,
            **dict.fromkeys((EditPlan, *AnyEdit.__args__), Editor(ground.log, plans).edit),
            ApplyPlan: Filing(ground.log, plans).apply,
            SealPlan: planner.seal,
            **Foreseeing(ground.log, plans, planner, people, freezes).handlers(),
            ReopenPlan: planner.move,
            CancelPlan: planner.move,
            **freezing.handlers(),
            **Lists(Desk(ground.log, fold_lists)).handlers(),
            **Templates(ground.log, Desk(ground.log, fold_template), plans).handlers(),
        }
        ground.project(projections(ground.log))
        ground.bus.serve("planner", Requests("planner", handlers))
        await ground.bus.start()
        yield ground
