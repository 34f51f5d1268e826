"""The loop that turns a command into events, on a real log, where many ask for the same stream at once."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest_asyncio

from contracts.commands import EditPlan, Request
from contracts.evolve import fold
from contracts.plan import Plan
from contracts.plan_events import Event, PlanCreated, PlanEdited
from contracts.values import Changes
from infra.commands import Desk
from infra.eventlog import EventLog
from infra.requests import fingerprint_of
from tests.support.builders import NOON, OLIVIA, PLAN, STREAM, content
from tests.support.servers import Postgres

MANY = 150


@pytest_asyncio.fixture
async def log(postgres: Postgres) -> AsyncIterator[EventLog]:
    log = await EventLog.open((await postgres.fresh_database()).of("planner"))
    yield log
    await log.close()


def request(key: str) -> Request:
    return Request(EditPlan(plan=PLAN, changes=Changes()), OLIVIA, key, fingerprint_of(key), NOON)


async def create(plan: Plan | None) -> Sequence[Event]:
    return (PlanCreated(index=1, project="web", content=content()),)


def describe(text: str):  # type: ignore[no-untyped-def]  # a decider
    async def decide(plan: Plan | None) -> Sequence[Event]:
        await asyncio.sleep(0)  # as one that reads something
        return (PlanEdited(changes=Changes(description=text)),)

    return decide


async def test_nobody_who_asks_for_a_busy_stream_is_sent_away(log: EventLog) -> None:
    desk: Desk[Plan] = Desk(log, fold)
    await desk.execute(request("create"), STREAM, create)

    async def ask(number: int) -> None:
        for turn in range(3):
            key = f"{number}-{turn}"
            await desk.execute(request(key), STREAM, describe(key))

    await asyncio.gather(*(ask(number) for number in range(MANY // 3)))
    facts = await log.read_stream(STREAM)
    assert [fact.version for fact in facts] == list(range(1, MANY + 2))
    assert len({fact.command_key for fact in facts}) == MANY + 1


async def test_an_order_that_finds_it_so_already_says_so_also_when_it_is_repeated_later(log: EventLog) -> None:
    desk: Desk[Plan] = Desk(log, fold)

    async def nothing(plan: Plan | None) -> Sequence[Event]:
        return ()

    created = await desk.execute(request("create"), STREAM, create, body={"a": 1})
    same = await desk.execute(request("same"), STREAM, nothing, body={"a": 1})
    assert (created.changed, created.body) == (True, {"a": 1})
    assert (same.version, same.changed, same.body) == (1, False, {"a": 1})
    await desk.execute(request("edit"), STREAM, describe("text"))
    again = await desk.execute(request("same"), STREAM, describe("text"), body={"a": 1})
    assert (again.version, again.changed, again.body, again.repeated) == (1, False, {"a": 1}, True)


async def test_who_gives_up_waiting_holds_up_nobody(log: EventLog) -> None:
    desk: Desk[Plan] = Desk(log, fold)
    await desk.execute(request("create"), STREAM, create)
    entered = asyncio.Event()

    async def stuck(plan: Plan | None) -> Sequence[Event]:
        entered.set()
        await asyncio.Event().wait()
        return ()

    first = asyncio.create_task(desk.execute(request("stuck"), STREAM, stuck))
    await entered.wait()
    second = asyncio.create_task(desk.execute(request("waits"), STREAM, describe("waits")))
    third = asyncio.create_task(desk.execute(request("goes"), STREAM, describe("goes")))
    second.cancel()
    first.cancel()
    await third
    assert [fact.command_key for fact in await log.read_stream(STREAM)] == ["create", "goes"]
    await asyncio.gather(first, second, return_exceptions=True)
