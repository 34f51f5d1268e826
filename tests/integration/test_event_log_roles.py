"""Nobody changes a stored event, and each service appends its own event types only."""

import asyncpg
import pytest

from infra.eventlog import EventLog, Rejected
from infra.eventlog.batch import arguments
from infra.postgres import load_sql
from tests.support.appends import append_of
from tests.support.servers import Dsns, Postgres

CHANGES = (
    "update log.event set actor = 'x'",
    "delete from log.event",
    "truncate log.event",
    "update log.command set answer = ''",
    "delete from log.command",
    "truncate log.command",
)


async def stored(postgres: Postgres) -> Dsns:
    """A database whose log has one event."""
    dsns = await postgres.fresh_database()
    log = await EventLog.open(dsns.of("planner"))
    await log.append(append_of("k1"))
    await log.close()
    return dsns


@pytest.mark.parametrize(
    "statement",
    [
        *CHANGES,
        "insert into log.event select * from log.event",
        "insert into log.stream values ('plan-1', 1)",
        "update log.head set position = 0",
        "insert into log.type_owner values ('plan.approved.v1', 'gonogo_planner')",
        "set role gonogo_owner",
        "alter table log.event disable trigger all",
        "drop table log.event",
    ],
)
async def test_a_service_cannot_write_beside_the_append_function(postgres: Postgres, statement: str) -> None:
    connection = await asyncpg.connect((await stored(postgres)).of("planner"))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_triggers_refuse_changes_even_in_the_owners_own_session(postgres: Postgres) -> None:
    connection = await asyncpg.connect((await stored(postgres)).admin)
    try:
        await connection.execute("set role gonogo_owner")
        for statement in CHANGES:
            with pytest.raises(asyncpg.PostgresError, match="append-only") as refused:
                await connection.execute(statement)
            assert refused.value.sqlstate == "GN003"
        assert await connection.fetchval("select count(*) from log.event") == 1
    finally:
        await connection.close()


async def test_the_owner_cannot_log_in(postgres: Postgres) -> None:
    connection = await asyncpg.connect((await postgres.fresh_database()).admin)
    try:
        assert await connection.fetchval("select rolcanlogin from pg_roles where rolname = 'gonogo_owner'") is False
        owners = await connection.fetch(
            "select distinct pg_get_userbyid(relowner) from pg_class where relnamespace = 'log'::regnamespace"
        )
        assert [tuple(owner) for owner in owners] == [("gonogo_owner",)]
    finally:
        await connection.close()


async def test_a_service_cannot_append_an_event_type_of_another(postgres: Postgres) -> None:
    dsns = await postgres.fresh_database()
    log = await EventLog.open(dsns.of("planner"))
    try:
        with pytest.raises(Rejected) as refused:
            await log.append(append_of("k1", event_type="plan.submitted.v1"))
        assert refused.value.sqlstate == "GN001"
        await log.append(append_of("k2", event_type="plan.created.v1"))
        assert [fact.command_key for fact in await log.read_after(0)] == ["k2"]
    finally:
        await log.close()


async def test_a_role_that_owns_nothing_reads_but_appends_nothing(postgres: Postgres) -> None:
    dsns = await stored(postgres)
    log = await EventLog.open(dsns.of("audit"))
    try:
        assert len(await log.read_after(0)) == 1
        with pytest.raises(Rejected):
            await log.append(append_of("k2", expected=1, event_type="plan.created.v1"))
    finally:
        await log.close()


async def test_a_superuser_may_append_any_type_for_a_rebuild(postgres: Postgres) -> None:
    log = await EventLog.open((await postgres.fresh_database()).admin)
    try:
        await log.append(append_of("k1", event_type="anything.v1"))
        assert [fact.type for fact in await log.read_after(0)] == ["anything.v1"]
    finally:
        await log.close()


@pytest.mark.parametrize("isolation", ["repeatable_read", "serializable"])
async def test_an_append_on_an_older_snapshot_is_refused(postgres: Postgres, isolation: str) -> None:
    connection = await asyncpg.connect((await postgres.fresh_database()).of("planner"))
    try:
        with pytest.raises(asyncpg.PostgresError) as refused:
            async with connection.transaction(isolation=isolation):
                await connection.fetch(load_sql("infra.eventlog", "append"), *arguments([append_of("k1")]))
        assert refused.value.sqlstate == "GN002"
    finally:
        await connection.close()


async def test_a_line_feed_that_came_past_the_client_is_refused_by_the_database(postgres: Postgres) -> None:
    connection = await asyncpg.connect((await postgres.fresh_database()).of("planner"))
    try:
        with pytest.raises(asyncpg.PostgresError, match="line feed") as refused:
            await connection.fetch(load_sql("infra.eventlog", "append"), *arguments([append_of("k1\nx")]))
        assert refused.value.sqlstate == "GN004"
    finally:
        await connection.close()


async def test_every_service_role_has_its_timeouts(postgres: Postgres) -> None:
    dsns = await postgres.fresh_database()
    for service in ("planner", "approval", "executor", "hook_dispatcher", "audit", "gateway", "relay"):
        connection = await asyncpg.connect(dsns.of(service))
        names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
        assert [await connection.fetchval("select current_setting($1)", name) for name in names] == ["2s", "15s", "5s"]
        await connection.close()
