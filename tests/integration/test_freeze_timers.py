"""The end of a freeze is a durable timer: a plan that one holds starts when its last occurrence has ended, also after a stop."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from contracts.commands import StartPlan
from contracts.freeze import Freeze, FreezePut, FreezeState, fold_freeze
from contracts.moments import micros
from contracts.plan import Plan
from contracts.plan_events import Event, PlanApproved, PlanHeld, PlanSubmitted
from contracts.registry import DECODERS
from contracts.values import Approval, ApprovalLevel, ApprovalRule
from infra.clock import SetClock, SystemClock
from infra.commands import Desk
from infra.freezes import settled
from infra.ids import random_id
from infra.requests import system_request
from tests.support.builders import text_item, utc
from tests.support.executing import House, open_house
from tests.support.servers import Postgres
from tests.support.wait import eventually

ASKED = Approval(levels=(ApprovalLevel(rules=(ApprovalRule(approvers=("user:ana",)),)),))
SATURDAY = micros(utc(2026, 3, 28, 12))  # the clock is put forward in the night that follows
HOUR = 3_600


async def put(house: House, name: str, start: str, end: str, rrule: str = "") -> None:
    """A freeze, as the planner appends it."""
    freeze = Freeze(
        name=name,
        start=datetime.fromisoformat(start),
        end=datetime.fromisoformat(end),
        zone="Europe/Berlin",
        rrule=rrule,
    )

    async def decide(_: FreezeState | None) -> Sequence[Event]:
        return (FreezePut(freeze=freeze),)

    request = system_request(StartPlan(plan="0" * 24), "test", random_id(), SystemClock().now())
    await Desk(house.admin, fold_freeze).execute(request, f"freeze-{random_id()}", decide)
    await settled()


async def approved(house: House) -> str:
    plan = await house.plan(text_item(), approval=ASKED)
    seal = (await house.read(plan)).seal
    assert seal is not None
    await house.append(plan, PlanSubmitted(round=1, seal=seal.value), PlanApproved(round=1, seal=seal.value))
    return plan


async def held_until(house: House, plan: str, until: int) -> None:
    async def check() -> bool:
        held = (await house.read(plan)).held
        return held is not None and held.until == until

    await eventually(check, what="the plan is held until the freeze ends")


async def test_a_held_plan_starts_when_the_last_of_its_freezes_ends_though_the_executor_was_stopped_meanwhile(
    postgres: Postgres, tmp_path: Path
) -> None:
    clock = SetClock(SATURDAY)
    async with open_house(await postgres.fresh_database(), tmp_path) as house:
        await put(house, "weekend", "2026-03-20T18:00:00", "2026-03-23T06:00:00", "FREQ=WEEKLY")
        await put(house, "stocktaking", "2026-03-30T05:00:00", "2026-03-30T09:00:00")
        ends = micros(utc(2026, 3, 30, 7))  # nine o'clock in Berlin, summer time since Sunday
        async with house.executor(clock=clock):
            plan = await approved(house)
            await held_until(house, plan, ends)
            clock.advance(40 * HOUR)  # Monday at four by UTC: the weekend is over, stocktaking is on
        clock.advance(2.9 * HOUR)
        async with house.executor(clock=clock):
            await held_until(house, plan, ends)
            assert (await house.read(plan)).status == "finish_planning"
            clock.advance(0.2 * HOUR)

            async def started() -> bool:
                return (await house.read(plan)).status == "executing"

            await eventually(started, what="the plan has started")
        facts = await house.admin.read_stream(f"plan-{plan}")
        events = [DECODERS[fact.type](fact.payload) for fact in facts]
        assert {event.until for event in events if isinstance(event, PlanHeld)} == {ends}
        state: Plan = await house.read(plan)
        assert state.times.executing >= ends
        assert state.held is None
