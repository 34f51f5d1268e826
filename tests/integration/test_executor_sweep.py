"""The sweep: what has moved since the last one, everything that is unfinished, and now and then all that is open."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from contracts.plan_events import ItemStarted
from contracts.run import run_id
from contracts.values import Item, TextSpec
from services.executor.handlers.sweep import Sweeps
from tests.support.executing import House, deploy, open_house, script, workflow_item
from tests.support.servers import Postgres
from tests.support.wait import eventually

NOTES = Item(id="notes", name="notes", spec=TextSpec())


@pytest_asyncio.fixture(loop_scope="session")
async def house(postgres: Postgres, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(await postgres.fresh_database(), tmp_path) as one:
        yield one


async def test_a_plan_that_has_not_moved_is_left_alone_but_for_each_twentieth_sweep(house: House) -> None:
    async with house.executor() as executor:
        definition = await executor.put(deploy(script("true")))
        plans = [await house.executing(NOTES) for _ in range(3)]
        running = await house.executing(workflow_item(), definition=definition)
        run = run_id(running, "deploy", 1)

        async def folded() -> bool:
            rows = await house.admin.pool.fetch(
                "select position from view.checkpoint where name in ('plans', 'open_attempts')"
            )
            return [row["position"] for row in rows] == [(await house.admin.head()).position] * 2

        await eventually(folded, what="the tables have it all")
    sweeps = Sweeps(house.admin)
    waiting = {f"plan-{plan}" for plan in (*plans, running)}
    assert set((await sweeps.sweep()).streams) == waiting
    assert (await sweeps.sweep()).streams == ()
    await house.append(running, ItemStarted(item="deploy", attempt=1, run=run))
    async with house.executor() as executor:
        await eventually(folded, what="the tables have it all")
    await house.admin.pool.execute("insert into view.open_attempt (run, plan) values ('aa', 'bb')")
    assert set((await sweeps.sweep()).streams) >= {"run-aa", "plan-bb"}
    found = [set((await sweeps.sweep()).streams) for _ in range(18)]
    assert [waiting - {f"plan-{running}"} <= one for one in found] == [False] * 17 + [True]
