"""Keeps `view.plan` and `view.timer`: both follow from a plan's folded state, so they are written together."""

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from contracts.envelope import Fact
from contracts.evolve import fold
from contracts.plan import Plan
from infra.plan_states import PlanStates, ReadStream, by_stream
from infra.postgres import load_sql
from services.planner.views import plan_row, timer_rows


class PlanList:
    """The projection `plans`. Rows depend on the folded plans alone, so live and rebuilt ones are equal."""

    name: ClassVar[str] = "plans"
    tables: ClassVar[Sequence[str]] = ("view.plan", "view.timer")
    types: ClassVar[None] = None

    def __init__(self, read_stream: ReadStream) -> None:
        self._states = PlanStates(read_stream)
        self._put_plans = load_sql("services.planner", "put_plans")

    async def statement(self, facts: list[Fact]) -> tuple[str, Sequence[object]]:
        """Fold the facts plan by plan, then rows and timers at once: this runs after every change of a plan."""
        plans: list[Plan] = []
        for stream, own in by_stream(facts, "plan").items():
            plan = fold(own, await self._states.before(own[0]))
            self._states.keep(stream, plan)
            if plan is not None:
                plans.append(plan)
        rows = msgspec.json.encode([plan_row(plan) for plan in plans]).decode()
        timers = [msgspec.structs.astuple(row) for plan in plans for row in timer_rows(plan)]
        streams, kinds, due_at, services = map(list, zip(*timers, strict=True)) if timers else ([], [], [], [])
        return self._put_plans, (rows, [f"plan-{plan.id}" for plan in plans], streams, kinds, due_at, services)
