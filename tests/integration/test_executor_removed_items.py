"""An item is removed from a reopened plan while its run still stops, or is put again later: no run is looked at for ever,
and none is taken for another's.
"""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest_asyncio
from msgspec.structs import replace

from contracts.commands import ExecuteItem, StartPlan
from contracts.edit_events import ItemsPut, ItemsRemoved
from contracts.plan_events import Event, ItemStarted, PlanReopened
from contracts.run import RunCreated, RunFinished, run_id, run_stream
from contracts.run_state import Run, fold_run
from contracts.seal import seal_of
from contracts.values import Item, TextSpec
from contracts.workflow import WorkflowDefinition, workflow_digest
from infra.commands import Desk
from infra.projection import Projector
from infra.requests import system_request
from infra.tail import Wake
from services.executor.projections import OpenAttempts
from services.planner.projections import PlanList
from tests.support.executing import House, deploy, open_house, script, workflow_item
from tests.support.servers import Postgres
from tests.support.wait import eventually

NOTES = Item(id="notes", name="notes", spec=TextSpec())
TRUE = deploy(script("true"))


@pytest_asyncio.fixture(loop_scope="session")
async def house(postgres: Postgres, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(await postgres.fresh_database(), tmp_path) as one:
        yield one


async def remove_deploy(house: House, plan: str) -> None:
    """Reopened, the item removed, sealed anew: all before anybody could look."""
    left = replace((await house.read(plan)).content, items=(NOTES,))
    await house.append(plan, PlanReopened(reason="without"), ItemsRemoved(items=("deploy",)), seal_of(left, {}))


async def begun(house: House, definition: WorkflowDefinition = TRUE) -> str:
    """A plan whose item has been asked to run, while no executor lives."""
    async with house.executor() as executor:
        await executor.put(definition)
    plan = await house.executing(workflow_item(), NOTES, definition=definition)
    await house.append(plan, ItemStarted(item="deploy", attempt=1, run=run_id(plan, "deploy", 1)))
    return plan


async def open_attempts(house: House) -> int:
    return int(await house.admin.pool.fetchval("select count(*) from view.open_attempt"))


async def is_swept(house: House) -> None:
    """The tables have it all, so that only the sweep may find it."""
    for one in (OpenAttempts(), PlanList(house.admin.read_stream)):
        await Projector(house.admin, Wake(), one).catch_up()
    assert await open_attempts(house) == 1


async def is_told(house: House, plan: str) -> None:
    async def told() -> bool:
        return await open_attempts(house) == 0 and (await house.item(plan)).running is None

    await eventually(told, 15, "the attempt has its end, and nothing is swept for it")


async def test_a_step_that_runs_while_its_item_is_removed_is_ended_and_told(house: House, tmp_path: Path) -> None:
    ran, go = tmp_path / "ran", tmp_path / "go"
    plan = await begun(house, deploy(script(f"touch {ran}; while [ ! -e {go} ]; do sleep 0.05; done")))
    async with house.executor():
        await eventually(ran.exists, 15, "the step runs")
        await remove_deploy(house, plan)
        await is_told(house, plan)
    state = await house.item(plan)
    assert [attempt.outcome for attempt in state.attempts] == ["cancelled"]
    assert [item.id for item in (await house.read(plan)).content.items] == ["notes"]


async def test_an_intent_without_a_run_whose_item_was_removed_is_told_and_never_runs(house: House) -> None:
    plan = await begun(house)
    await remove_deploy(house, plan)
    await is_swept(house)
    async with house.executor():
        await is_told(house, plan)
    assert await house.run_events(run_id(plan, "deploy", 1), "run.step_started.v1") == []


async def test_the_sweep_tells_an_end_that_was_left_untold_when_the_item_was_removed(house: House) -> None:
    plan = await begun(house)
    run = run_id(plan, "deploy", 1)
    created = RunCreated(
        plan=plan,
        item="deploy",
        attempt=1,
        revision=1,
        digest=workflow_digest(TRUE),
        definition=TRUE,
        inputs={},
    )
    runs: Desk[Run] = Desk(house.admin, fold_run)

    async def decide(_: Run | None) -> Sequence[Event]:
        return created, RunFinished(outcome="cancelled", error="the plan has moved on")

    await runs.execute(system_request(StartPlan(plan=plan), "executor", run, 1), run_stream(run), decide)
    await remove_deploy(house, plan)
    await is_swept(house)
    async with house.executor():
        await is_told(house, plan)


async def test_an_item_that_is_put_again_under_its_id_runs_again(house: House, tmp_path: Path) -> None:
    count = tmp_path / "count"
    async with house.executor() as executor:
        definition = await executor.put(deploy(script(f"echo ran >> {count}")))
        plan = await house.executing(workflow_item(), NOTES, definition=definition)
        sealed = (await house.read(plan)).seal
        content = (await house.read(plan)).content
        assert sealed is not None
        await executor.ask(ExecuteItem(plan=plan, item="deploy"))
        await house.item_is(plan, "done")
        await remove_deploy(house, plan)
        again = seal_of(replace(content, items=(NOTES, workflow_item())), sealed.workflows)
        await house.append(plan, PlanReopened(reason="with it"), ItemsPut(items=(workflow_item(),)), again)
        assert (await house.item(plan)).status == "todo"
        await executor.ask(StartPlan(plan=plan))
        answer = await executor.ask(ExecuteItem(plan=plan, item="deploy"))
        assert answer.body["attempt"] == 2
        await house.item_is(plan, "done")
    assert count.read_text().split() == ["ran", "ran"]
