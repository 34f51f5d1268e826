"""Nothing acknowledged is lost and nothing is stored twice, whatever happens to connections, locks and the server."""

import asyncio

import asyncpg
import pytest
import structlog
from structlog.testing import capture_logs

from infra.errors import Unavailable
from infra.eventlog import Appended, CoalesceLimits, EventLog, Seen
from infra.eventlog.verify import verify
from tests.support.appends import append_of, stream_of
from tests.support.servers import Postgres
from tests.support.wait import PATIENCE_SECONDS, eventually

CALLERS = 32
KILLS = 25
LOG_LOCK = 7165066907190
TERMINATE_WRITERS = """select count(pg_terminate_backend(pid)) from pg_stat_activity
    where application_name = 'gonogo log writer' and datname = current_database() and state = 'active'"""


async def test_appends_survive_their_backend_being_killed_mid_call(postgres: Postgres) -> None:
    dsns = await postgres.fresh_database()
    log = await EventLog.open(dsns.of("planner"), coalesce=CoalesceLimits(deadline_seconds=2 * PATIENCE_SECONDS))
    killer = await asyncpg.connect(dsns.admin)
    acknowledged: dict[str, Appended | Seen] = {}
    enough = asyncio.Event()

    async def call(caller: int) -> None:
        number = 0
        while not enough.is_set():
            key = f"{caller}/{number}"
            outcome = await log.append(append_of(key, stream=stream_of(caller), expected=number))
            assert isinstance(outcome, Appended | Seen), outcome
            acknowledged[key] = outcome
            number += 1

    async def kill_one() -> bool:
        return bool(await killer.fetchval(TERMINATE_WRITERS))

    calling = asyncio.gather(*(call(caller) for caller in range(CALLERS)))
    for _ in range(KILLS):
        before = len(acknowledged)
        await eventually(kill_one, what="a writer killed mid-call")
        await eventually(lambda before=before: len(acknowledged) > before, what="appends go on after a kill")
    enough.set()
    await calling

    stored = await killer.fetch("select command_key, version, position from log.event")
    assert sorted(row["command_key"] for row in stored) == sorted(acknowledged)
    for row in stored:
        outcome = acknowledged[row["command_key"]]
        assert (outcome.version, outcome.last) == (row["version"], row["position"])
    verification = await verify(log.pool)
    assert verification.sound, verification.findings[:5]
    await killer.close()
    await log.close()


async def test_a_held_lock_is_told_as_unavailable_and_the_queue_recovers(postgres: Postgres) -> None:
    dsns = await postgres.fresh_database()
    holder = await asyncpg.connect(dsns.admin)
    await holder.execute("begin")
    await holder.execute(f"select pg_advisory_xact_lock({LOG_LOCK})")
    log = await EventLog.open(dsns.of("planner"))
    refused = await asyncio.gather(
        *(log.append(append_of(f"k{n}", stream=stream_of(n))) for n in range(3)), return_exceptions=True
    )
    assert [type(outcome) for outcome in refused] == [Unavailable] * 3
    assert len({id(outcome) for outcome in refused}) == 3, "each caller has an exception of its own"
    await holder.execute("rollback")
    again = await asyncio.gather(*(log.append(append_of(f"k{n}", stream=stream_of(n))) for n in range(3)))
    assert {type(outcome) for outcome in again} == {Appended}
    assert not log.failed.done()
    await holder.close()
    await log.close()


@pytest.mark.parametrize("sqlstate", ["55P03", "40P01", "53100", "57014"])
async def test_what_the_database_refuses_for_the_moment_is_stored_once_it_takes_it_and_in_order(
    postgres: Postgres, sqlstate: str
) -> None:
    dsns = await postgres.fresh_database()
    log = await EventLog.open(dsns.of("planner"), coalesce=CoalesceLimits(deadline_seconds=2 * PATIENCE_SECONDS))
    admin = await asyncpg.connect(dsns.admin)
    await admin.execute("create sequence public.refusals")
    await admin.execute(
        f"""create function public.refuse() returns trigger language plpgsql security definer as $$ begin
            if nextval('public.refusals') <= 3 then raise exception 'not now' using errcode = '{sqlstate}'; end if;
            return new; end $$"""
    )
    await admin.execute(
        "create trigger refuse before insert on log.event for each row execute function public.refuse()"
    )
    first = asyncio.create_task(log.append(append_of("k1")))
    await eventually(lambda: _refusals(admin), what="the first is refused")
    rest = [asyncio.create_task(log.append(append_of(f"k{n}", expected=n - 1))) for n in range(2, 6)]
    assert await asyncio.gather(first, *rest) == [Appended(n, n, b"") for n in range(1, 6)]
    assert [fact.command_key for fact in await log.read_after(0)] == [f"k{n}" for n in range(1, 6)]
    await admin.close()
    await log.close()


async def _refusals(admin: asyncpg.Connection) -> bool:
    return bool(await admin.fetchval("select is_called from public.refusals"))


@pytest.mark.parametrize("lock", ["select from log.head for update", f"select pg_advisory_xact_lock({LOG_LOCK})"])
async def test_a_lock_that_is_let_go_within_the_deadline_costs_nobody_an_answer_and_it_is_told_who_had_it(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch, lock: str
) -> None:
    dsns = await postgres.fresh_database()
    log = await EventLog.open(dsns.of("planner"), coalesce=CoalesceLimits(deadline_seconds=2 * PATIENCE_SECONDS))
    holder = await asyncpg.connect(dsns.admin, server_settings={"application_name": "somebody"})
    await holder.execute("begin")
    await holder.execute(lock)
    monkeypatch.setattr("infra.eventlog.coalescer.log", structlog.get_logger())
    with capture_logs() as lines:
        waiting = [asyncio.create_task(log.append(append_of(f"k{n}", expected=n))) for n in range(3)]
        waits = await eventually(lambda: [line for line in lines if line["event"] == "event_log_batch_waits"])
    (said,) = waits[0]["held_by"]
    assert said.endswith(f" (somebody, process {holder.get_server_pid()})")
    await holder.execute("rollback")
    assert {type(outcome) for outcome in await asyncio.gather(*waiting)} == {Appended}
    await holder.close()
    await log.close()


async def test_an_absent_database_is_unavailable_after_the_deadline_and_the_repetition_is_right(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsns = await postgres.fresh_database()
    log = await EventLog.open(dsns.of("planner"), coalesce=CoalesceLimits(deadline_seconds=PATIENCE_SECONDS))
    first = append_of("k1")
    assert await log.append(first) == Appended(1, 1, b"")
    await postgres.kill()
    try:
        monkeypatch.setattr(log._coalescer, "_limits", CoalesceLimits(deadline_seconds=0.3))
        with pytest.raises(Unavailable):
            await log.append(append_of("k2", expected=1))
        with pytest.raises(Unavailable):
            await log.read_after(0)
    finally:
        monkeypatch.undo()
        await postgres.start()

    async def repeated() -> Appended | Seen | None:
        try:
            outcome = await log.append(append_of("k2", expected=1))
        except Unavailable:
            return None
        assert isinstance(outcome, Appended | Seen)
        return outcome

    outcome = await eventually(repeated, what="the log is back")
    assert (outcome.version, outcome.last) == (2, 2)
    assert await log.append(first) == Seen(1, 1, b"")
    assert [fact.command_key for fact in await log.read_after(0)] == ["k1", "k2"]
    await log.close()


async def test_a_server_that_comes_back_within_the_deadline_costs_nobody_an_answer(postgres: Postgres) -> None:
    dsns = await postgres.fresh_database()
    log = await EventLog.open(dsns.of("planner"), coalesce=CoalesceLimits(deadline_seconds=2 * PATIENCE_SECONDS))
    await postgres.kill()
    waiting = [asyncio.create_task(log.append(append_of(f"k{n}", stream=stream_of(n)))) for n in range(50)]
    await postgres.start()
    assert {type(outcome) for outcome in await asyncio.gather(*waiting)} == {Appended}
    assert (await log.head()).position == 50
    await log.close()


async def test_the_death_of_the_writer_is_told_to_callers_and_process(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await EventLog.open((await postgres.fresh_database()).of("planner"))

    def broken(*_: object) -> None:
        raise RuntimeError("a defect of ours")

    monkeypatch.setattr("infra.eventlog.coalescer.outcomes", broken)
    with pytest.raises(Unavailable):
        await log.append(append_of("k1"))
    assert str(await log.failed) == "a defect of ours"
    with pytest.raises(Unavailable):
        await log.append(append_of("k2"))
    await log.close()


async def test_an_orderly_close_is_no_failure(postgres: Postgres) -> None:
    log = await EventLog.open((await postgres.fresh_database()).of("planner"))
    await log.close()
    assert not log.failed.done()
    with pytest.raises(Unavailable):
        await log.append(append_of("k1"))
