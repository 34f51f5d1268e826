"""Plans whose items the system starts, on a real log with real processes: in order, branch by branch, with outputs passed on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from contracts.commands import CancelItem, CompleteItem, ExecuteItem
from contracts.run import run_id
from contracts.values import Item, Rules, TextSpec
from contracts.workflow import WorkflowInput
from infra.postgres import load_sql
from infra.projection import Projector, rebuild
from infra.tail import Wake
from services.executor.projections import AttemptTimes
from tests.support.executing import House, deploy, open_house, script, workflow_item
from tests.support.servers import Postgres
from tests.support.wait import eventually

BY_NEEDS = Rules(run="by_needs")
SAYS = deploy(
    script('echo "gonogo::output said=$INPUT_WORD-"', timeout_seconds=60), inputs=(WorkflowInput(name="word"),)
)


@pytest_asyncio.fixture(loop_scope="session")
async def house(postgres: Postgres, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(await postgres.fresh_database(), tmp_path) as one:
        yield one


def says(item: str, word: str, *needs: str) -> Item:
    return workflow_item(item, {"word": word}, needs=needs)


async def _succeeded(house: House, plan: str) -> None:
    async def check() -> bool:
        state = await house.read(plan)
        assert state.status == "success", (state.status, {one: item.status for one, item in state.items.items()})
        return True

    await eventually(check, what="the plan has succeeded")


async def test_branches_run_by_themselves_and_pass_their_outputs_on(house: House) -> None:
    items = (
        says("build", "a"),
        says("left", "${items.build.outputs.said}b", "build"),
        says("right", "${items.build.outputs.said}c", "build"),
        says("join", "${items.left.outputs.said}${items.right.outputs.said}", "left", "right"),
    )
    async with house.executor() as executor:
        definition = await executor.put(SAYS)
        plan = await house.executing(*items, definition=definition, rules=BY_NEEDS)
        await _succeeded(house, plan)
        attempts = [
            attempt
            for item in ("build", "left", "right", "join")
            for attempt in (await house.item(plan, item)).attempts
        ]
    assert [attempt.outputs["said"] for attempt in attempts] == ["a-", "a-b-", "a-c-", "a-b-a-c--"]
    assert {attempt.by for attempt in attempts} == {"service:executor"}
    join = await house.run(attempts[-1].run)
    assert join.created.inputs == {"word": "a-b-a-c-"}
    assert (await house.read(plan)).content.items == items


async def test_in_order_the_system_waits_for_the_text_and_goes_on_after_it(house: House) -> None:
    items = (says("one", "1"), Item(id="look", name="Look", spec=TextSpec()), says("two", "2"))
    async with house.executor() as executor:
        definition = await executor.put(SAYS)
        plan = await house.executing(*items, definition=definition, rules=Rules(run="in_order"))
        await house.item_is(plan, "done", "one")
        assert (await house.item(plan, "two")).attempts == ()
        await executor.ask(CompleteItem(plan=plan, item="look"))
        await _succeeded(house, plan)


async def test_whoever_sealed_and_may_not_run_it_any_more_holds_the_item(house: House) -> None:
    async with house.executor() as executor:
        definition = await executor.put(deploy(script("true"), runners=("group:sre",)))
        plan = await house.executing(workflow_item(), definition=definition, rules=BY_NEEDS)

        async def held() -> bool:
            return "may not run web/deploy" in (await house.item(plan)).held

        await eventually(held, what="the item is held")
        types = [fact.type for fact in await house.admin.read_stream(f"plan-{plan}")]
    assert types.count("item.held.v1") == 1
    assert "item.started.v1" not in types


async def test_how_long_whole_good_runs_took_is_kept_and_rebuilding_agrees(house: House) -> None:
    async with house.executor() as executor:
        definition = await executor.put(deploy(script('test "$INPUT_WORD" = good'), inputs=SAYS.inputs))
        good = await house.executing(says("deploy", "good"), definition=definition)
        bad = await house.executing(says("deploy", "bad"), definition=definition)
        for plan in (good, bad):
            await executor.ask(ExecuteItem(plan=plan, item="deploy"))
        await house.item_is(good, "done")
        await house.item_is(bad, "failed")
    await Projector(house.admin, Wake(), AttemptTimes()).catch_up()
    query = "select run, project, workflow, ended_at > started_at as took from view.attempt_time"
    live = [tuple(row) for row in await house.admin.pool.fetch(query)]
    await rebuild(house.admin, AttemptTimes())
    rebuilt = [tuple(row) for row in await house.admin.pool.fetch(query)]
    assert live == rebuilt == [(run_id(good, "deploy", 1), "web", "deploy", True)]
    usual = await house.admin.pool.fetch(load_sql("infra", "usual_times"), ["web", "web"], ["deploy", "none"])
    assert [(row["workflow"], row["runs"], row["median"] > 0) for row in usual] == [("deploy", 1, True)]


async def test_a_running_item_is_cancelled_without_the_plan_and_can_run_again(house: House, tmp_path: Path) -> None:
    go = tmp_path / "go"
    async with house.executor() as executor:
        definition = await executor.put(deploy(script(f"while [ ! -e {go} ]; do sleep 0.05; done")))
        plan = await house.executing(workflow_item(), definition=definition)
        await executor.ask(ExecuteItem(plan=plan, item="deploy"))
        await executor.ask(CancelItem(plan=plan, item="deploy", reason="it hangs"))
        first = await house.item_is(plan, "todo")
        go.touch()
        await executor.ask(ExecuteItem(plan=plan, item="deploy"))
        await house.item_is(plan, "done")
    assert [(one.outcome, one.error) for one in first.attempts] == [("cancelled", "it hangs")]


async def test_several_executors_start_each_item_once(house: House) -> None:
    names = [f"item-{i}" for i in range(6)]
    items = [says("first", "x"), *(says(name, "x", "first") for name in names), says("last", "x", *names)]
    async with house.executor() as one, house.executor(), house.executor():
        definition = await one.put(SAYS)
        plan = await house.executing(*items, definition=definition, rules=BY_NEEDS)
        await _succeeded(house, plan)
    state = await house.read(plan)
    assert [len(state.state_of(item.id).attempts) for item in items] == [1] * 8


async def test_the_answer_to_an_order_says_what_may_be_done_about_an_item_that_has_failed(house: House) -> None:
    notes = Item(id="look", name="Look", spec=TextSpec())
    async with house.executor() as executor:
        definition = await executor.put(deploy(script("false")))
        plan = await house.executing(workflow_item(), notes, definition=definition)
        await executor.ask(ExecuteItem(plan=plan, item="deploy"))
        await house.item_is(plan, "failed")
        answer = await executor.ask(CompleteItem(plan=plan, item="look"))
        again = await executor.refused(ExecuteItem(plan=plan, item="deploy"))
    by = ["user:olivia", "administrators"]
    moves = [{"verb": verb, "by": by, "item": "deploy"} for verb in ("retry", "waive", "skip")]
    assert answer.body["next"] == again.facts["next"] == moves
