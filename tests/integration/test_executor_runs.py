"""Workflow runs on a real log with real processes and a real HTTP target."""

import asyncio
import hashlib
import os
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace

from contracts.commands import ExecuteItem, RetryItem, WaiveItem
from contracts.plan_events import ItemStarted, PlanCancelled, PlanReopened
from contracts.run import run_id
from contracts.values import Item, TextSpec
from contracts.workflow import HttpStep, WorkflowInput
from infra.blobs import Blobs
from infra.clock import SetClock, SystemClock
from infra.embedded.ports import free_port
from tests.support.executing import (
    House,
    Target,
    counting_target,
    deploy,
    open_house,
    script,
    workflow_item,
)
from tests.support.servers import Postgres
from tests.support.wait import eventually


@pytest_asyncio.fixture(loop_scope="session")
async def house(postgres: Postgres, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(await postgres.fresh_database(), tmp_path) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def target() -> AsyncIterator[Target]:
    async with counting_target() as one:
        yield one


def text_of(house: House, run: str) -> str:
    return b"".join(Blobs(house.data / "blobs").read_run(run)).decode()


def is_running(pid: int) -> bool:
    try:
        return (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]) not in {"Z", "X"}
    except FileNotFoundError:
        return False


async def pid_in(file: Path) -> int:
    text = await eventually(lambda: file.exists() and file.read_text().strip(), what=f"a pid in {file}")
    return int(str(text))


async def test_a_run_of_script_and_http_steps_ends_the_plan(house: House, target: Target) -> None:
    async with house.executor() as executor:
        definition = await executor.put(
            deploy(
                script('echo "deploying $INPUT_VERSION"; echo "gonogo::output url=http://x/$INPUT_VERSION"', "apply"),
                HttpStep(
                    name="tell",
                    url=target.url + "/v/{{inputs.version}}",
                    method="POST",
                    body='{"v":"{{inputs.version}}"}',
                ),
                inputs=(WorkflowInput(name="version"),),
            )
        )
        plan = await house.executing(workflow_item(inputs={"version": 'a/b "c"'}), definition=definition)
        answer = await executor.ask(ExecuteItem(plan=plan, item="deploy"))
        state = await house.item_is(plan, "done")
        await eventually(lambda: _status(house, plan, "success"))
    run = run_id(plan, "deploy", 1)
    assert answer.body["run"] == run
    assert state.attempts[-1].outputs == {"url": 'http://x/a/b "c"'}
    assert state.attempts[-1].log == hashlib.sha256(text_of(house, run).encode()).hexdigest()
    ((method, path, headers, body),) = target.requests
    assert (method, path, body) == ("POST", "/v/a%2Fb%20%22c%22", rb'{"v":"a/b \"c\""}')
    assert headers["Idempotency-Key"] == f"{run}/tell/1"
    assert text_of(house, run).startswith('deploying a/b "c"\n')
    assert [step.state for step in (await house.run(run)).steps] == ["passed", "passed"]


async def _status(house: House, plan: str, status: str) -> bool:
    return (await house.read(plan)).status == status


async def test_a_process_sees_its_inputs_and_nothing_of_ours(house: House) -> None:
    os.environ["GONOGO_DATABASE_URL"] = "postgresql://gonogo:hunter2@nowhere"
    try:
        async with house.executor() as executor:
            definition = await executor.put(deploy(script("env")))
            plan = await house.executing(workflow_item(), definition=definition)
            await executor.ask(ExecuteItem(plan=plan, item="deploy"))
            await house.item_is(plan, "done")
    finally:
        del os.environ["GONOGO_DATABASE_URL"]
    said = text_of(house, run_id(plan, "deploy", 1))
    names = {line.partition("=")[0] for line in said.splitlines()}
    assert names - {"PWD", "OLDPWD", "_", "SHLVL"} == {
        "PATH",
        "HOME",
        "LANG",
        "GONOGO_PLAN",
        "GONOGO_ITEM",
        "GONOGO_RUN",
        "GONOGO_STEP",
        "GONOGO_ATTEMPT",
        "GONOGO_KEY",
    }


async def test_a_credential_reaches_the_process_and_no_kept_output_nor_the_log(house: House) -> None:
    house.secrets["registry"] = "s3cr3t/tok en"
    async with house.executor() as executor:
        definition = await executor.put(
            deploy(
                script(
                    'printf "%s" "s3cr3"; sleep 0.3; echo "t/tok en"; echo "gonogo::output t=$INPUT_TOKEN";'
                    'test "$INPUT_TOKEN" = "s3""cr3t/tok en"'
                ),
                inputs=(WorkflowInput(name="token", default="secret:registry", credential=True),),
            )
        )
        plan = await house.executing(workflow_item(), definition=definition)
        await executor.ask(ExecuteItem(plan=plan, item="deploy"))
        state = await house.item_is(plan, "done")
    run = run_id(plan, "deploy", 1)
    assert text_of(house, run) == "***\ngonogo::output t=***\n"
    assert state.attempts[-1].outputs == {"t": "***"}
    assert all(b"s3cr3t" not in fact.payload for fact in await house.admin.read_after(0, 500))
    assert not list((house.data / "runs").glob("*/*/output"))


async def test_a_missing_credential_fails_the_step_before_it_starts(house: House) -> None:
    async with house.executor() as executor:
        token = WorkflowInput(name="token", default="secret:nope", credential=True)
        definition = await executor.put(deploy(script("touch started"), inputs=(token,)))
        plan = await house.executing(workflow_item(), definition=definition)
        await executor.ask(ExecuteItem(plan=plan, item="deploy"))
        state = await house.item_is(plan, "failed")
    assert "secret_not_found" in state.attempts[-1].error
    assert text_of(house, run_id(plan, "deploy", 1)) == ""


async def test_a_request_into_a_network_that_is_not_allowed_is_not_sent_and_says_so(
    house: House, target: Target
) -> None:
    async with house.executor(http_allow=("10.0.0.0/8",)) as executor:
        definition = await executor.put(deploy(HttpStep(name="tell", url=target.url, method="POST")))
        plan = await house.executing(workflow_item(), definition=definition)
        await executor.ask(ExecuteItem(plan=plan, item="deploy"))
        state = await house.item_is(plan, "failed")
    assert "address 127.0.0.1 is not allowed; GONOGO_HTTP_ALLOW" in state.attempts[-1].error
    assert target.requests == []


@pytest.mark.parametrize("reached", [True, False])
async def test_a_request_whose_answer_was_lost_says_that_it_may_have_been_carried_out(
    house: House, reached: bool
) -> None:
    """Nobody retries a payment because it "failed" when the answer alone was lost."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with house.executor() as executor, await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1] if reached else free_port()
        definition = await executor.put(deploy(HttpStep(name="pay", url=f"http://127.0.0.1:{port}/", method="POST")))
        plan = await house.executing(workflow_item(), definition=definition)
        await executor.ask(ExecuteItem(plan=plan, item="deploy"))
        state = await house.item_is(plan, "failed")
    assert ("may have been carried out" in state.attempts[-1].error) is reached


async def test_retry_starts_at_the_failed_step_and_keeps_what_passed(house: House, target: Target) -> None:
    target.answers = [200, 500, 200]
    async with house.executor() as executor:
        definition = await executor.put(
            deploy(
                HttpStep(name="first", url=target.url + "/first", method="POST"),
                script("echo gonogo::output kept=1", "middle"),
                HttpStep(name="last", url=target.url + "/last", method="POST"),
            )
        )
        plan = await house.executing(workflow_item(), definition=definition)
        await executor.ask(ExecuteItem(plan=plan, item="deploy"))
        failed = await house.item_is(plan, "failed")
        assert "answered 500" in failed.attempts[-1].error
        await executor.ask(RetryItem(plan=plan, item="deploy"))
        done = await house.item_is(plan, "done")
        await eventually(lambda: _status(house, plan, "success"))
    assert [path for _, path, _, _ in target.requests] == ["/first", "/last", "/last"]
    assert [attempt.outcome for attempt in done.attempts] == ["failed", "done"]
    assert done.attempts[-1].outputs == {"kept": "1"}
    assert target.keys[1] != target.keys[2]


async def test_a_failed_item_keeps_the_plan_executing_until_it_is_waived(house: House) -> None:
    async with house.executor() as executor:
        definition = await executor.put(deploy(script("echo no >&2; exit 3")))
        plan = await house.executing(workflow_item(), definition=definition)
        await executor.ask(ExecuteItem(plan=plan, item="deploy"))
        failed = await house.item_is(plan, "failed")
        assert failed.attempts[-1].error == "step one: exit code 3"
        assert await _status(house, plan, "executing")
        await executor.ask(WaiveItem(plan=plan, item="deploy", reason="known"))
        await eventually(lambda: _status(house, plan, "success"))
    assert text_of(house, run_id(plan, "deploy", 1)) == "no\n"


async def test_a_timeout_ends_the_whole_process_group_also_a_stubborn_grandchild(house: House) -> None:
    clock = SetClock(SystemClock().now())
    async with house.executor(clock=clock) as executor:
        definition = await executor.put(
            deploy(
                script(
                    "(trap '' TERM; sh -c 'trap \"\" TERM; echo $$ > ../grandchild; while :; do sleep 0.1; done') & wait",
                    timeout_seconds=60,
                )
            )
        )
        plan = await house.executing(workflow_item(), definition=definition)
        await executor.ask(ExecuteItem(plan=plan, item="deploy"))
        run = run_id(plan, "deploy", 1)
        grandchild = await pid_in(house.data / "runs" / run / "0-1" / "grandchild")
        assert is_running(grandchild)
        clock.advance(60)
        failed = await house.item_is(plan, "failed")
        assert "timeout" in failed.attempts[-1].error
        await eventually(lambda: not is_running(grandchild), what="the grandchild is gone")


async def test_what_a_step_leaves_running_ends_with_it(house: House) -> None:
    async with house.executor() as executor:
        definition = await executor.put(deploy(script("sleep 1000 & echo $! > ../left; exit 0")))
        plan = await house.executing(workflow_item(), definition=definition)
        await executor.ask(ExecuteItem(plan=plan, item="deploy"))
        await house.item_is(plan, "done")
        left = await pid_in(house.data / "runs" / run_id(plan, "deploy", 1) / "0-1" / "left")
        await eventually(lambda: not is_running(left), what="the left process is gone")


async def test_cancelling_the_plan_ends_the_running_step_and_no_later_one_starts(house: House, target: Target) -> None:
    async with house.executor() as executor:
        definition = await executor.put(
            deploy(script("echo $$ > ../pid; sleep 1000"), HttpStep(name="tell", url=target.url, method="POST"))
        )
        plan = await house.executing(workflow_item(), definition=definition)
        await executor.ask(ExecuteItem(plan=plan, item="deploy"))
        run = run_id(plan, "deploy", 1)
        pid = await pid_in(house.data / "runs" / run / "0-1" / "pid")
        await house.append(plan, PlanCancelled(reason="no"))
        await eventually(lambda: not is_running(pid), what="the step is gone")
        await eventually(lambda: _outcome(house, run, "cancelled"))
        await eventually(lambda: _ended(house, plan, "cancelled"))
    assert target.requests == []


async def _outcome(house: House, run: str, outcome: str) -> bool:
    return (await house.run(run)).outcome == outcome


async def _ended(house: House, plan: str, outcome: str, item: str = "deploy") -> bool:
    return (await house.item(plan, item)).attempts[-1].outcome == outcome


async def test_an_intent_of_a_reopened_plan_never_runs(house: House, target: Target) -> None:
    definition = deploy(HttpStep(name="tell", url=target.url, method="POST"))
    async with house.executor() as executor:
        await executor.put(definition)
    plan = await house.executing(workflow_item(), definition=definition)
    run = run_id(plan, "deploy", 1)
    await house.append(plan, ItemStarted(item="deploy", attempt=1, run=run), PlanReopened())
    async with house.executor():
        await eventually(lambda: _ended(house, plan, "cancelled"))
    assert target.requests == []
    assert await _outcome(house, run, "cancelled")


async def test_drift_is_refused_recorded_and_stops_the_plan(house: House) -> None:
    async with house.executor() as executor:
        definition = await executor.put(deploy(script("true")))
        other = replace(definition, description="what was approved")
        plan = await house.executing(workflow_item(), Item(id="notes", name="notes", spec=TextSpec()), definition=other)
        refused = await executor.refused(ExecuteItem(plan=plan, item="deploy"))
        assert (refused.code, refused.facts["item"], refused.facts["fields"]) == (
            "seal_drift",
            "deploy",
            ["workflow.digest"],
        )
        drift = (await house.read(plan)).drift
        assert drift is not None
        assert (drift.item, drift.fields) == ("deploy", ("workflow.digest",))
        assert (await executor.refused(ExecuteItem(plan=plan, item="deploy"))).code == "seal_drift"
    assert (await house.item(plan)).attempts == ()


async def test_asking_twice_with_one_key_starts_once_and_answers_alike(house: House) -> None:
    async with house.executor() as executor:
        definition = await executor.put(deploy(script("true")))
        plan = await house.executing(workflow_item(), definition=definition)
        first = await executor.ask(ExecuteItem(plan=plan, item="deploy"), key="k1")
        again = await executor.ask(ExecuteItem(plan=plan, item="deploy"), key="k1")
        await house.item_is(plan, "done")
    assert (first.body, first.version) == (again.body, again.version)
    assert again.repeated
    assert len((await house.item(plan)).attempts) == 1


async def test_a_hundred_megabytes_of_output_cost_no_memory_also_where_a_secret_is_looked_for(house: House) -> None:
    house.secrets["registry"] = "ghp_" + "0123456789abcdef" * 2
    async with house.executor() as executor:
        definition = await executor.put(
            deploy(
                script("head -c 100000000 /dev/zero | tr '\\0' 'x'; echo; echo gonogo::output n=1"),
                inputs=(WorkflowInput(name="token", default="secret:registry", credential=True),),
            )
        )
        plan = await house.executing(workflow_item(), definition=definition)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        await executor.ask(ExecuteItem(plan=plan, item="deploy"))
        state = await house.item_is(plan, "done")
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 30_000, f"{grown} kB"
    run = await house.run(run_id(plan, "deploy", 1))
    assert run.steps[0].output is not None
    assert run.steps[0].output.size == 100_000_000 + len("\ngonogo::output n=1\n")
    assert state.attempts[-1].outputs == {"n": "1"}


async def test_a_step_that_says_too_much_is_ended(house: House) -> None:
    async with house.executor(max_output_bytes=100_000) as executor:
        definition = await executor.put(deploy(script("yes")))
        plan = await house.executing(workflow_item(), definition=definition)
        await executor.ask(ExecuteItem(plan=plan, item="deploy"))
        state = await house.item_is(plan, "failed")
    assert "said more than" in state.attempts[-1].error
