"""The executor killed, stopped, drained, doubled: every effect happens once, or the item says that nobody knows."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from contracts.commands import Accepted, ExecuteItem, Request, RetryItem
from contracts.plan_events import ItemStarted
from contracts.run import run_id
from contracts.values import Item
from contracts.workflow import HttpStep, WorkflowDefinition
from infra.errors import Unavailable
from tests.support.executing import House, Target, counting_target, deploy, open_house, script, workflow_item
from tests.support.servers import Nats, Postgres
from tests.support.wait import PATIENCE_SECONDS, eventually

WAIT_FOR_GO = "echo ran >> {count}; echo $$ > {pid}; while [ ! -e {go} ]; do sleep 0.05; done; echo went on"


@pytest_asyncio.fixture(loop_scope="session")
async def house(postgres: Postgres, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(await postgres.fresh_database(), tmp_path) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def target() -> AsyncIterator[Target]:
    async with counting_target() as one:
        yield one


@pytest.fixture
def marks(tmp_path: Path) -> dict[str, Path]:
    return {name: tmp_path / name for name in ("count", "pid", "go")}


class Process:
    """A real executor."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def end(self) -> int:
        return await asyncio.wait_for(self._process.wait(), PATIENCE_SECONDS)

    async def kill(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGCONT)
                self._process.kill()
        await self.end()


@asynccontextmanager
async def real_executor(house: House, nats: Nats, **settings: object) -> AsyncIterator[Process]:
    login = nats.login("executor")
    env = {
        **os.environ,
        "GONOGO_DATABASE_URL": house.dsns.of("executor"),
        "GONOGO_NATS_URL": nats.url,
        "GONOGO_NATS_USER": login.get("user", ""),
        "GONOGO_NATS_PASSWORD": login.get("password", ""),
        "GONOGO_DATA": str(house.data),
        # Together: a step has a second to end by itself, and the drain a minute more before it would be cut short.
        "GONOGO_KILL_GRACE_SECONDS": "60",
        "GONOGO_HTTP_ALLOW": "127.0.0.0/8",
        "GONOGO_DRAIN_SECONDS": "63",
        **{f"GONOGO_{name.upper()}": str(value) for name, value in settings.items()},
    }
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.executor", env=env, stdout=asyncio.subprocess.DEVNULL, stderr=None
    )
    process = Process(started)
    try:
        yield process
    finally:
        await process.kill()


async def executing(house: House, definition: WorkflowDefinition, *items: Item) -> str:
    """A plan whose items have been asked to run, before any executor lives."""
    async with house.executor() as executor:
        await executor.put(definition)
    plan = await house.executing(*(items or (workflow_item(),)), definition=definition)
    for item in items or (workflow_item(),):
        await house.append(plan, ItemStarted(item=item.id, attempt=1, run=run_id(plan, item.id, 1)))
    return plan


def waiting(marks: dict[str, Path]) -> str:
    return WAIT_FOR_GO.format(**marks)


async def begun(marks: dict[str, Path]) -> int:
    text = await eventually(lambda: marks["pid"].exists() and marks["pid"].read_text().strip(), what="the step runs")
    return int(str(text))


def ran(marks: dict[str, Path]) -> int:
    return len(marks["count"].read_text().split())


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except FileNotFoundError:
        return False


async def test_a_killed_executor_neither_kills_nor_repeats_its_step_and_the_run_goes_on(
    house: House, nats: Nats, target: Target, marks: dict[str, Path]
) -> None:
    tell = HttpStep(name="tell", url=target.url, method="POST")
    plan = await executing(house, deploy(script(waiting(marks)), tell))
    async with real_executor(house, nats) as process:
        pid = await begun(marks)
        process.signal(signal.SIGKILL)
        await process.end()
    assert is_running(pid)
    async with real_executor(house, nats):
        marks["go"].touch()
        await house.item_is(plan, "done")
    assert ran(marks) == 1
    assert len(target.requests) == 1
    run = await house.run(run_id(plan, "deploy", 1))
    assert [step.attempt for step in run.steps] == [1, 1]
    assert len(await house.run_events(run.id, "run.step_started.v1")) == 2


async def test_a_step_that_ended_while_nobody_looked_is_taken_at_its_word(
    house: House, nats: Nats, marks: dict[str, Path]
) -> None:
    plan = await executing(house, deploy(script(waiting(marks) + "; exit 7")))
    async with real_executor(house, nats) as process:
        pid = await begun(marks)
        process.signal(signal.SIGKILL)
        await process.end()
    marks["go"].touch()
    await eventually(lambda: not is_running(pid), what="the step has ended")
    async with house.executor():
        state = await house.item_is(plan, "failed")
    assert state.attempts[-1].error == "step one: exit code 7"
    assert ran(marks) == 1


async def test_a_step_lost_with_its_host_is_unknown_and_asks(house: House, nats: Nats, marks: dict[str, Path]) -> None:
    plan = await executing(house, deploy(script(waiting(marks))))
    await _lose(house, nats, marks)
    async with house.executor() as executor:
        state = await house.item_is(plan, "failed")
        assert state.attempts[-1].error == "step one: lease_lost_unknown_effect"
        assert (await house.run(state.attempts[-1].run)).outcome == "unknown"
        assert ran(marks) == 1
        marks["go"].touch()
        await executor.ask(RetryItem(plan=plan, item="deploy"))  # a person says so
        await house.item_is(plan, "done")
    assert ran(marks) == 2


async def test_an_idempotent_step_lost_with_its_host_is_done_again_as_a_new_attempt(
    house: House, nats: Nats, marks: dict[str, Path]
) -> None:
    plan = await executing(house, deploy(script(waiting(marks), effect="idempotent")))
    await _lose(house, nats, marks)
    marks["go"].touch()
    async with house.executor():
        await house.item_is(plan, "done")
    ended = await house.run_events(run_id(plan, "deploy", 1), "run.step_finished.v1")
    assert [(step.attempt, step.outcome, step.error) for step in ended] == [
        (1, "unknown", "process_lost"),
        (2, "passed", ""),
    ]


async def _lose(house: House, nats: Nats, marks: dict[str, Path]) -> None:
    """Executor and step end at once and leave no word, as when a host loses power."""
    async with real_executor(house, nats) as process:
        pid = await begun(marks)
        process.signal(signal.SIGKILL)
        await process.end()
        os.killpg(os.getpgid(pid), signal.SIGKILL)
        await eventually(lambda: not is_running(pid), what="the step is gone")


@pytest.mark.parametrize(("effect", "sent"), [("at_most_once", 1), ("idempotent", 2)])
async def test_a_request_without_a_known_answer_is_repeated_under_its_key_only_if_it_may_be(
    house: House, nats: Nats, target: Target, effect: str, sent: int
) -> None:
    target.hold = asyncio.Event()
    step = HttpStep(name="tell", url=target.url, method="POST", effect=effect)  # type: ignore[arg-type]  # one of them
    plan = await executing(house, deploy(step))
    async with real_executor(house, nats) as process:
        await eventually(lambda: target.requests, what="the request is sent")
        process.signal(signal.SIGKILL)
        await process.end()
    target.hold.set()
    async with house.executor():
        state = await house.item_is(plan, "done" if sent == 2 else "failed")
    assert len(target.requests) == sent
    assert len(set(target.keys)) == 1
    assert ("lease_lost_unknown_effect" in state.attempts[-1].error) == (sent == 1)


async def test_a_paused_owner_that_wakes_after_its_lease_changes_nothing(
    house: House, nats: Nats, target: Target, marks: dict[str, Path]
) -> None:
    tell = HttpStep(name="tell", url=target.url, method="POST")
    plan = await executing(house, deploy(script(waiting(marks)), tell))
    async with real_executor(house, nats, lease_seconds=1) as paused:
        await begun(marks)
        run = run_id(plan, "deploy", 1)
        first = (await house.run(run)).owner
        paused.signal(signal.SIGSTOP)
        async with house.executor():
            await eventually(lambda: _other_owner(house, run, first), what="another executor took over")
            marks["go"].touch()
            await house.item_is(plan, "done")
            version = (await house.run(run)).version
            paused.signal(signal.SIGCONT)
            paused.signal(signal.SIGTERM)
            assert await paused.end() == 0
    assert (await house.run(run)).version == version
    assert ran(marks) == 1
    assert len(target.requests) == 1


async def _other_owner(house: House, run: str, first: str) -> bool:
    return (await house.run(run)).owner not in ("", first)


async def test_a_draining_executor_hands_a_repeatable_step_on_and_leaves_nothing_running(
    house: House, nats: Nats, marks: dict[str, Path]
) -> None:
    plan = await executing(house, deploy(script(waiting(marks), effect="idempotent")))
    async with real_executor(house, nats) as process:
        pid = await begun(marks)
        process.signal(signal.SIGTERM)
        assert await process.end() == 0
    assert not is_running(pid)
    marks["go"].touch()
    async with house.executor():
        await house.item_is(plan, "done")
    ended = await house.run_events(run_id(plan, "deploy", 1), "run.step_finished.v1")
    assert [(step.outcome, step.error) for step in ended] == [("cancelled", "executor_stopped"), ("passed", "")]


async def test_a_draining_executor_tells_an_outcome_again_that_the_log_did_not_take(
    house: House, marks: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = ["once", "twice"]
    async with house.executor(drain_seconds=62.1, kill_grace_seconds=60) as asked:
        asked.executor.runs.last_tries_seconds = PATIENCE_SECONDS
        definition = await asked.put(deploy(script(waiting(marks), effect="idempotent")))
        plan = await house.executing(workflow_item(), definition=definition)
        await asked.ask(ExecuteItem(plan=plan, item="deploy"))
        pid = await begun(marks)
        desk = asked.executor.runs._runs
        take = desk.execute

        async def refuse(request: Request, *arguments: Any, **options: Any) -> Accepted:
            if ":end:" in request.key and refusals:
                refusals.pop()
                raise Unavailable("the event log")
            return await take(request, *arguments, **options)

        monkeypatch.setattr(desk, "execute", refuse)
    assert refusals == []
    assert not is_running(pid)
    ended = await house.run_events(run_id(plan, "deploy", 1), "run.step_finished.v1")
    assert [(step.outcome, step.error) for step in ended] == [("cancelled", "executor_stopped")]


async def test_a_draining_executor_asks_about_a_step_that_must_not_be_repeated(
    house: House, nats: Nats, marks: dict[str, Path]
) -> None:
    plan = await executing(house, deploy(script(waiting(marks))))
    async with real_executor(house, nats) as process:
        pid = await begun(marks)
        process.signal(signal.SIGTERM)
        assert await process.end() == 0
    assert not is_running(pid)
    async with house.executor():
        state = await house.item_is(plan, "failed")
    assert state.attempts[-1].error == "step one: lease_lost_unknown_effect: executor_stopped"


async def test_a_draining_executor_lets_a_short_step_end(house: House, nats: Nats, marks: dict[str, Path]) -> None:
    plan = await executing(house, deploy(script(waiting(marks))))
    async with real_executor(house, nats, drain_seconds=122) as process:
        await begun(marks)
        process.signal(signal.SIGTERM)
        marks["go"].touch()
        assert await process.end() == 0
    async with house.executor():
        await house.item_is(plan, "done")
    assert ran(marks) == 1


async def test_two_executors_share_runs_and_no_step_runs_twice(house: House, target: Target, tmp_path: Path) -> None:
    count = tmp_path / "count"
    steps = (
        HttpStep(name="first", url=target.url, method="POST"),
        script(f"echo $GONOGO_KEY >> {count}", "second"),
        HttpStep(name="third", url=target.url, method="POST"),
    )
    items = tuple(workflow_item(f"i{n}") for n in range(10))
    async with house.executor() as one, house.executor():
        definition = await one.put(deploy(*steps))
        plan = await house.executing(*items, definition=definition)
        await asyncio.gather(*(one.ask(ExecuteItem(plan=plan, item=item.id)) for item in items))
        await eventually(lambda: _succeeded(house, plan), what="the plan succeeds")
    assert len(target.requests) == 20
    assert len(set(target.keys)) == 20
    assert sorted(count.read_text().split()) == sorted(f"{run_id(plan, item.id, 1)}/second/1" for item in items)
    owners = {(await house.run(run_id(plan, item.id, 1))).owner for item in items}
    assert 1 <= len(owners) <= 2


async def test_an_executor_with_less_to_do_takes_a_new_run_whoever_was_asked(
    house: House, marks: dict[str, Path]
) -> None:
    runs = []
    async with house.executor() as busy:
        busy.executor.runs.way_seconds = (3_600, 3_600)  # so that only another one can be in time
        definition = await busy.put(deploy(script(f"while [ ! -e {marks['go']} ]; do sleep 0.05; done")))
        plan = await house.executing(workflow_item("one"), workflow_item("two"), definition=definition)
        for item in ("one", "two"):
            runs.append((await busy.ask(ExecuteItem(plan=plan, item=item))).body["run"])
            await eventually(lambda: _owner(house, runs[0]), what="the first run has an owner")
        async with house.executor():
            await eventually(lambda: _owner(house, runs[1]), what="the second run has an owner")
            owners = [await _owner(house, run) for run in runs]
            marks["go"].touch()
            await eventually(lambda: _succeeded(house, plan), what="the plan succeeds")
    assert owners[0] != owners[1]


async def _owner(house: House, run: str) -> str:
    return (await house.run(run)).owner


async def _succeeded(house: House, plan: str) -> bool:
    return (await house.read(plan)).status == "success"


async def test_two_people_who_press_execute_start_once(house: House, target: Target) -> None:
    async with house.executor() as one, house.executor() as two:
        definition = await one.put(deploy(HttpStep(name="first", url=target.url, method="POST")))
        plan = await house.executing(workflow_item(), definition=definition)
        command = ExecuteItem(plan=plan, item="deploy")
        replies = await asyncio.gather(*(asked.reply(command) for asked in (one, two) * 4))
        await house.item_is(plan, "done")
    accepted = [reply for reply in replies if type(reply).__name__ == "Accepted"]
    codes = {getattr(reply, "code", "") for reply in replies if reply not in accepted}
    assert len(accepted) == 1
    assert codes <= {"item_running", "item_settled", "not_executing"}
    assert len(target.requests) == 1
