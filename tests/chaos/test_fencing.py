"""An executor is stopped (SIGSTOP) beyond its lease while another one runs: the other goes on, and the woken one changes
nothing.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, aclosing, asynccontextmanager, contextmanager

from contracts.envelope import Fact, Position
from contracts.registry import decode
from contracts.run import RunClaimed
from tests.chaos.arena import Arena, Struck
from tests.chaos.proof import all_facts, check_everything, check_release, check_scripts, step_keys
from tests.chaos.small import Small, noting, open_small, telling
from tests.support.executing import counting_target
from tests.support.wait import PATIENCE_SECONDS, eventually


@asynccontextmanager
async def second_executor(arena: Arena) -> AsyncIterator[int]:
    """The pid of another process with the executor's own environment. It drains at the end, and so does the first one:
    after the block neither has anything left to say.
    """
    log = arena.home / "second.log"
    env = {**arena.system.env_for("executor"), "GONOGO_STATUS_FILE": str(arena.home / "second.port")}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.executor", env=env, stdout=output, stderr=output
        )
    try:
        await eventually(lambda: "bus_connected" in log.read_text(), what="the second executor is there")
        yield process.pid
        process.terminate()
        assert await asyncio.wait_for(process.wait(), PATIENCE_SECONDS) == 0
        await arena.system.restart("executor")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """The process does not run in this block, and does not know it afterwards."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def claims(facts: list[Fact]) -> list[str]:
    """The owners of a run, one after the other."""
    events = [decode(fact.type, fact.payload) for fact in facts if fact.type == "run.claimed.v1"]
    owners = [event.owner for event in events if isinstance(event, RunClaimed)]
    return [owner for number, owner in enumerate(owners) if not number or owners[number - 1] != owner]


def pid_of(owner: str) -> int:
    return int(owner.split("-")[1])


def check_owners(facts: list[Fact]) -> None:
    """Whatever happened in a run was told by its owner at that time; the key of a command names who sent it."""
    owner: dict[str, str] = {}
    for fact in facts:
        if fact.type == "run.claimed.v1":
            (owner[fact.stream],) = claims([fact])
        elif fact.type in ("run.step_started.v1", "run.step_finished.v1", "run.finished.v1"):
            assert fact.command_key.endswith(f":{owner[fact.stream]}"), fact


async def test_a_stopped_executor_is_replaced_and_changes_nothing_when_it_wakes(arena: Arena) -> None:
    folder = arena.folder()
    go = folder / "go"
    async with counting_target() as target, open_small(arena) as small:
        async with second_executor(arena) as second:
            both = {arena.system.pids["executor"], second}
            await small.prepare(noting(folder, then=f"while [ ! -e {go} ]; do sleep 0.05; done"), telling(target.url))
            await small.start()
            await small.execute()
            await eventually(lambda: (folder / "ran").exists(), what="the script runs")
            first = claims(await small.facts())[-1]
            with stopped(pid_of(first)):
                await eventually(lambda: taken_over(small, first), what="the other executor takes the run over")
                go.touch()
                await small.reaches("success")
                then = await small.facts()
            last = claims(then)[-1]
            assert {pid_of(first), pid_of(last)} == both
            with stopped(pid_of(last)):
                await goes_on(arena, first)
        assert await small.facts() == then
        check_owners(then)
        assert [key.split("/")[1:] for key in target.keys] == [["tell", "1"]]
    check_scripts(folder / "ran", await small.keys())
    await check_everything(arena, small.ledger.acknowledged)


async def goes_on(arena: Arena, owner: str) -> None:
    """The woken executor has seen everything, and drives another release by itself."""
    async with open_small(arena) as another:
        await another.prepare(noting(arena.folder()))
        await another.start()
        await another.execute()
        await another.reaches("success")
        assert claims(await another.facts()) == [owner]


async def taken_over(small: Small, first: str) -> bool:
    return claims(await small.facts())[-1] != first


async def test_a_request_that_a_stopped_executor_had_sent_is_not_sent_again_by_the_other(arena: Arena) -> None:
    async with counting_target() as target, open_small(arena) as small:
        async with second_executor(arena):
            target.hold = asyncio.Event()
            await small.prepare(telling(target.url))
            await small.start()
            await small.execute()
            await eventually(lambda: target.keys, what="the request is out")
            first = claims(await small.facts())[-1]
            with stopped(pid_of(first)):
                failed = await small.item_is("failed")  # nobody knows what came of it, so a person is asked
                target.hold.set()
            assert "lease_lost_unknown_effect" in failed["attempts"][-1]["error"]
            await small.order("items/deploy/retry")
            await small.reaches("success")
            then = await small.facts()
        assert await small.facts() == then
        check_owners(then)
        assert len(target.keys) == len(set(target.keys)) == 2
        assert set(target.keys) == step_keys(then)
    await check_everything(arena, small.ledger.acknowledged)


async def test_a_release_goes_on_when_one_of_two_executors_stops_in_the_middle_of_a_step(arena: Arena) -> None:
    async def hurt(after: Position) -> tuple[Struck, ...]:
        """Stops whoever has the first run until that run has ended without it."""
        seen: list[Fact] = []
        async with aclosing(arena.follow(after)) as facts:
            with ExitStack() as stopping:
                async with arena.refusing("run.finished.v1"):  # it does not end before its owner is stopped
                    async for fact in facts:
                        seen.append(fact)
                        if fact.type == "run.step_started.v1":
                            break
                    run = [one for one in seen if one.stream == fact.stream]
                    first = claims(run)[-1]
                    stopping.enter_context(stopped(pid_of(first)))
                async for fact in facts:
                    if fact.stream == run[0].stream:
                        run.append(fact)
                    if run[-1].type == "run.finished.v1":
                        break
        assert claims(run)[-1] != first
        return (Struck("executor", run[-1].position),)

    async with second_executor(arena):
        release = await arena.release_while(hurt)
    check_owners(await all_facts(arena))
    await check_release(arena, release)
    await check_everything(arena, release.ledger.acknowledged)
