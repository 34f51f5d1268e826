"""A process meets a log that was restored from a backup: it reads and appends nothing more, and ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from infra.config import Secret, Settings
from infra.errors import Unavailable
from infra.eventlog import EventLog
from infra.eventlog.history import AnotherLog
from infra.eventlog.restored import renew
from infra.ground import open_ground
from tests.support.facts import append, change, command, cut
from tests.support.gonogo import gonogo
from tests.support.servers import Dsns, Nats, Postgres
from tests.support.wait import PATIENCE_SECONDS, eventually

BREAK_CONNECTIONS = """select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()"""

Restore = Callable[[], Awaitable[Any]]


@pytest_asyncio.fixture
async def dsns(postgres: Postgres) -> Dsns:
    return await postgres.fresh_database()


@pytest_asyncio.fixture
async def log(dsns: Dsns) -> AsyncIterator[EventLog]:
    log = await EventLog.open(dsns.of("planner"))
    yield log
    await log.close()


async def reason(log: EventLog) -> str:
    error = await asyncio.wait_for(asyncio.shield(log.failed), PATIENCE_SECONDS)
    assert isinstance(error, AnotherLog)
    return str(error)


async def head(dsns: Dsns) -> int:
    log = await EventLog.open(dsns.admin)
    try:
        return (await log.head()).position
    finally:
        await log.close()


async def restored(dsns: Dsns, position: int, then: int = 0) -> None:
    """To an earlier position, as a restore does it: without the connections of before."""
    await cut(dsns, position, then)
    await change(dsns, BREAK_CONNECTIONS)


async def test_who_has_read_more_than_the_restored_log_holds_reads_and_appends_nothing_more(
    log: EventLog, dsns: Dsns
) -> None:
    await append(log, 30)
    await log.read_after(0)
    await restored(dsns, 20)
    with pytest.raises(Unavailable):
        await log.append(command("plan-0a", 0, [b"{}"]))
    assert "it ends at position 20, and 30 was seen" in await reason(log)
    with pytest.raises(Unavailable):
        await log.read_after(20)
    with pytest.raises(Unavailable):
        await log.append(command("plan-0b", 0, [b"{}"]))
    assert await head(dsns) == 20


async def test_a_restored_log_that_has_gone_on_is_known_by_its_events(log: EventLog, dsns: Dsns) -> None:
    await append(log, 30)
    await log.read_after(0)
    await restored(dsns, 20, then=50)
    with pytest.raises(Unavailable):
        await log.read_after(30)
    assert "event 30 is not the one that was seen" in await reason(log)


@pytest.mark.parametrize("seen", ["stored", "folded", "read"])
async def test_also_what_was_only_stored_or_folded_is_remembered(log: EventLog, dsns: Dsns, seen: str) -> None:
    first = await EventLog.open(dsns.of("planner"))
    try:
        storing, reading = (log, first) if seen == "stored" else (first, log)
        await storing.append(command("plan-0a", 0, [b"{}"] * 5))
        if seen == "folded":
            assert [len(page) async for page in reading.read_pages("plan-0a")] == [5]
        elif seen == "read":
            assert len(await reading.read_stream("plan-0a")) == 5
        await restored(dsns, 3)
        with pytest.raises(Unavailable):
            await log.append(command("plan-0b", 0, [b"{}"]))
        assert "5 was seen" in await reason(log)
    finally:
        await first.close()


async def test_a_new_epoch_ends_whoever_began_under_the_old_one(log: EventLog, dsns: Dsns) -> None:
    await append(log, 3)
    await change(dsns, "update log.head set epoch = 'another'", BREAK_CONNECTIONS)
    with pytest.raises(Unavailable):
        await log.append(command("plan-0b", 0, [b"{}"]))
    assert "its epoch is another" in await reason(log)


async def test_broken_connections_to_the_same_log_change_nothing(log: EventLog, dsns: Dsns) -> None:
    await append(log, 30)
    await log.read_after(0)
    await change(dsns, BREAK_CONNECTIONS)
    assert await append(log, 10) == 40
    assert not log.failed.done()


async def test_a_restore_that_breaks_no_connection_is_noticed_by_looking_now_and_then(
    log: EventLog, dsns: Dsns
) -> None:
    await append(log, 30)
    watch = asyncio.create_task(log.watch(0.01))
    try:
        await cut(dsns, 20)
        assert "it ends at position 20" in await reason(log)
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


async def test_a_service_whose_follower_waits_behind_the_end_of_a_restored_log_ends(dsns: Dsns, nats: Nats) -> None:
    login = nats.login("planner")
    settings = Settings(
        database_url=Secret(dsns.of("planner")),
        nats_url=nats.url,
        nats_user=login["user"],
        nats_password=Secret(login["password"]),
    )
    async with open_ground("planner", settings) as ground:
        await append(ground.log, 30)
        seen: list[int] = []

        async def follow() -> None:
            async for facts in ground.tail().after(0):
                seen.append(facts[-1].position)

        ground.run(follow(), "follower")
        await eventually(lambda: 30 in seen)
        await restored(dsns, 20)
        await eventually(ground.failed.done)
        assert isinstance(ground.failed.exception(), AnotherLog)
    assert await head(dsns) == 20
    assert max(seen) == 30


async def test_the_operators_word_gives_the_log_a_new_epoch_and_ends_who_knew_the_old_one(
    log: EventLog, dsns: Dsns
) -> None:
    await append(log, 5)
    before = await log.head()
    env = {"GONOGO_DATABASE_URL": dsns.admin}
    done = await gonogo("log", "restored", "--yes", "-o", "json", env=env)
    assert done.code == 0, done.err
    told = msgspec.json.decode(done.out)
    assert (told["old_epoch"], told["position"]) == (before.epoch, 5)
    with pytest.raises(Unavailable):
        await log.append(command("plan-0b", 0, [b"{}"]))
    assert f"its epoch is {told['epoch']}" in await reason(log)
    again = await renew(dsns.admin)
    assert (again.old_epoch, again.position) == (told["epoch"], 5)
    assert len({before.epoch, told["epoch"], again.epoch}) == 3


async def test_the_operators_word_is_refused_where_nobody_could_go_on(log: EventLog, dsns: Dsns) -> None:
    await append(log, 5)
    epoch = (await log.head()).epoch
    unasked = await gonogo("log", "restored", env={"GONOGO_DATABASE_URL": dsns.admin})
    assert (unasked.code, "--yes" in unasked.err) == (2, True)
    lesser = await gonogo("log", "restored", "--yes", env={"GONOGO_DATABASE_URL": dsns.of("planner")})
    assert (lesser.code, "superuser" in lesser.err) == (2, True)
    nobody = await gonogo(
        "log", "restored", "--yes", env={"GONOGO_DATABASE_URL": "postgresql://gonogo@127.0.0.1:1/gonogo"}
    )
    assert (nobody.code, "does not answer" in nobody.err) == (3, True)
    assert (await log.head()).epoch == epoch
    await change(dsns, "delete from log.event where position = 4")
    unsound = await gonogo("log", "restored", "--yes", env={"GONOGO_DATABASE_URL": dsns.admin})
    assert unsound.code == 1
    assert "not sound at its end, so nothing was changed: events are missing" in " ".join(unsound.err.split())
    assert (await log.head()).epoch == epoch


async def test_the_operators_word_names_the_projections_that_were_not_restored(log: EventLog, dsns: Dsns) -> None:
    await append(log, 5)
    await change(dsns, "insert into view.checkpoint (name, position) values ('plans', 9), ('record', 5)")
    done = await gonogo("log", "restored", "--yes", env={"GONOGO_DATABASE_URL": dsns.admin})
    assert done.code == 0, done.err
    told = " ".join(done.err.split())
    assert "goes on after position 5: no event gets an id that another one had" in told
    assert "not restored with it: plans. Run `gonogo rebuild`" in told
