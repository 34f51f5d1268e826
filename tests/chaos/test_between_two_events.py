"""A service killed exactly between two events: the log refuses the second until the service is dead.

So the moments that a clock would hardly ever hit are hit each time: the intent without its run, the effect without its
outcome, the end of a run of which the plan does not know.
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.chaos.arena import Arena
from tests.chaos.proof import check_everything, check_scripts
from tests.chaos.small import Small, noting, open_small, telling
from tests.support.executing import Target, counting_target
from tests.support.receiver import Receiver
from tests.support.wait import eventually


@pytest_asyncio.fixture(loop_scope="session")
async def target() -> AsyncIterator[Target]:
    async with counting_target() as one:
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def small(arena: Arena) -> AsyncIterator[Small]:
    async with open_small(arena) as one:
        yield one


@pytest.mark.parametrize(
    "refused",
    [
        "run.created.v1",
        "run.step_started.v1",
        "run.step_finished.v1",
        "run.finished.v1",
        "item.finished.v1",
    ],
)
async def test_an_executor_that_dies_just_before_it_says_so_is_made_good_by_the_next(
    arena: Arena, small: Small, target: Target, refused: str
) -> None:
    folder = arena.folder()
    await small.prepare(noting(folder), telling(target.url))
    await small.start()
    async with arena.refusing(refused) as tried:
        await small.execute()
        await eventually(lambda: tried("executor"), what=f"the executor wants to append {refused}")
        assert await small.facts(refused) == []
        await arena.kill("executor")
    await small.reaches("success")
    check_scripts(folder / "ran", await small.keys())
    assert [key.split("/")[1:] for key in target.keys] == [["tell", "1"]]
    await check_everything(arena, small.ledger.acknowledged)


@pytest.mark.parametrize(
    ("refused", "arrivals"),
    [
        ("gate.opened.v1", 1),
        ("delivery.created.v1", 1),
        ("delivery.attempted.v1", 1),
        ("delivery.succeeded.v1", 2),
    ],
)
async def test_a_hook_dispatcher_that_dies_just_before_it_says_so_still_brings_the_hook_under_one_id(
    arena: Arena, small: Small, refused: str, arrivals: int
) -> None:
    async with Receiver() as receiver, open_small(arena, "ada") as ada:
        await ada.send("PUT", "/endpoints/demo", {"url": receiver.url, "secret": "whsec_" + "c2VjcmV0IG9mIGEgdGVzdCE="})
        async with arena.refusing(refused) as tried:
            gates = {"finish_planning": {"deadline_seconds": 300}}
            await small.prepare(noting(arena.folder()), gates=gates)
            await eventually(lambda: tried("hook_dispatcher"), what=f"the dispatcher wants to append {refused}")
            await arena.kill("hook_dispatcher")
        await eventually(lambda: len(receiver.requests) >= arrivals, what="the hook arrives")
        await eventually(lambda: small.facts("delivery.succeeded.v1"), what="its arrival is known")
        assert len(receiver.requests) == arrivals
        assert len({request.id for request in receiver.requests}) == 1
        assert len({request.body for request in receiver.requests}) == 1
        await check_everything(arena, [*small.ledger.acknowledged, *ada.ledger.acknowledged])


@pytest.mark.parametrize(
    ("service", "table"),
    [
        ("planner", "view.plan"),
        ("audit", "view.record"),
        ("executor", "view.open_attempt"),
        ("hook_dispatcher", "view.endpoint"),
    ],
)
async def test_a_projector_that_dies_between_its_checkpoint_and_its_rows_has_moved_neither(
    arena: Arena, small: Small, service: str, table: str
) -> None:
    folder = arena.folder()
    async with open_small(arena, "ada") as ada, arena.holding(table) as held:
        await small.prepare(noting(folder))
        await small.start()
        await small.execute()
        await ada.send("PUT", "/endpoints/demo", {"url": arena.url, "secret": "whsec_bm9ib2R5", "enabled": False})
        waiting = await eventually(lambda: held.awaited_by(service), what=f"{service} wants to write {table}")
        await arena.kill(service)
        await held.end(waiting)
    await small.reaches("success")
    check_scripts(folder / "ran", await small.keys())
    await check_everything(arena, [*small.ledger.acknowledged, *ada.ledger.acknowledged])
