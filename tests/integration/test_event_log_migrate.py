"""The migration runner: forward only, once, and never under a database that does not fit the code."""

import asyncio
import base64
import hashlib
from pathlib import Path

import asyncpg
import pytest

from infra.errors import Misconfigured
from infra.migrate import SERVICES, migrate
from infra.scram import scram_verifier
from tests.support.servers import PASSWORDS, Postgres, with_user


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One migration of our own beside the log's, whose table of owners every run fills."""
    log = Path(__file__).parents[2] / "infra" / "migrations" / "0001_log.sql"
    (tmp_path / "0001_log.sql").write_text(log.read_text())
    (tmp_path / "0002_one.sql").write_text("create schema one; create table one.one (n int);")
    return tmp_path


async def test_each_migration_is_applied_once_and_recorded_with_its_hash(postgres: Postgres, folder: Path) -> None:
    dsn = await postgres.empty_database()
    assert await migrate(dsn, PASSWORDS, folder=folder) == 2
    assert await migrate(dsn, PASSWORDS, folder=folder) == 0
    (folder / "0003_two.sql").write_text("create table one.two (n int)")
    assert await migrate(dsn, PASSWORDS, folder=folder) == 1
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch("select number, name, sha256 from public.gonogo_migration order by number")
    await connection.close()
    assert [(row["number"], row["name"]) for row in rows] == [(1, "log"), (2, "one"), (3, "two")]
    assert rows[2]["sha256"] == hashlib.sha256(b"create table one.two (n int)").hexdigest()


async def test_two_runs_at_once_apply_everything_once(postgres: Postgres, folder: Path) -> None:
    dsn = await postgres.empty_database()
    assert sorted(await asyncio.gather(*(migrate(dsn, PASSWORDS, folder=folder) for _ in range(3)))) == [0, 0, 2]


async def test_runs_on_two_databases_at_once_share_the_roles_in_peace(postgres: Postgres, folder: Path) -> None:
    dsns = [await postgres.empty_database() for _ in range(3)]
    assert await asyncio.gather(*(migrate(dsn, PASSWORDS, folder=folder) for dsn in dsns)) == [2, 2, 2]


async def test_a_database_newer_than_the_code_is_refused_in_one_sentence(postgres: Postgres, folder: Path) -> None:
    dsn = await postgres.empty_database()
    await migrate(dsn, PASSWORDS, folder=folder)
    (folder / "0002_one.sql").unlink()
    with pytest.raises(Misconfigured, match=r"^The database has migration 0002_one, which is newer .*\.$"):
        await migrate(dsn, PASSWORDS, folder=folder)


async def test_an_applied_migration_whose_text_changed_is_refused(postgres: Postgres, folder: Path) -> None:
    dsn = await postgres.empty_database()
    await migrate(dsn, PASSWORDS, folder=folder)
    with (folder / "0002_one.sql").open("a") as file:
        file.write("-- afterthought")
    with pytest.raises(Misconfigured, match=r"^Migration 0002_one was applied with another text"):
        await migrate(dsn, PASSWORDS, folder=folder)


async def test_a_migration_that_came_too_late_is_refused(postgres: Postgres, folder: Path) -> None:
    dsn = await postgres.empty_database()
    (folder / "0002_one.sql").rename(folder / "0003_one.sql")
    await migrate(dsn, PASSWORDS, folder=folder)
    (folder / "0002_late.sql").write_text("select 1")
    with pytest.raises(Misconfigured, match="0002"):
        await migrate(dsn, PASSWORDS, folder=folder)


async def test_two_migrations_of_one_number_are_refused(postgres: Postgres, folder: Path) -> None:
    (folder / "0002_again.sql").write_text("select 1")
    with pytest.raises(Misconfigured, match="same number 2"):
        await migrate(await postgres.empty_database(), PASSWORDS, folder=folder)


async def test_a_migration_that_fails_leaves_nothing_behind(postgres: Postgres, folder: Path) -> None:
    dsn = await postgres.empty_database()
    (folder / "0003_two.sql").write_text("create table one.two (n int); select 1 / 0")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(dsn, PASSWORDS, folder=folder)
    connection = await asyncpg.connect(dsn)
    assert await connection.fetchval("select to_regclass('one.two')") is None
    assert await connection.fetchval("select max(number) from public.gonogo_migration") == 2
    await connection.close()
    (folder / "0003_two.sql").write_text("create table one.two (n int)")
    assert await migrate(dsn, PASSWORDS, folder=folder) == 1


async def test_what_a_migration_makes_belongs_to_the_owner_who_cannot_log_in(postgres: Postgres, folder: Path) -> None:
    dsn = await postgres.empty_database()
    await migrate(dsn, PASSWORDS, folder=folder)
    connection = await asyncpg.connect(dsn)
    owner = await connection.fetchval("select tableowner from pg_tables where schemaname = 'one'")
    await connection.close()
    assert owner == "gonogo_owner"


async def test_ownership_of_event_types_becomes_exactly_what_was_given(postgres: Postgres, folder: Path) -> None:
    dsn = await postgres.empty_database()
    await migrate(dsn, PASSWORDS, folder=folder, owners={"planner": ["a.v1", "b.v1"], "audit": ["b.v1"]})
    await migrate(dsn, PASSWORDS, folder=folder, owners={"planner": ["b.v1", "c.v1"]})
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch("select type, role from log.type_owner order by type")
    await connection.close()
    assert [tuple(row) for row in rows] == [("b.v1", "gonogo_planner"), ("c.v1", "gonogo_planner")]


async def test_an_unknown_service_has_no_password(postgres: Postgres, folder: Path) -> None:
    with pytest.raises(Misconfigured, match="'plannr'"):
        await migrate(await postgres.empty_database(), {"plannr": "x"}, folder=folder)


async def test_a_password_is_stored_as_postgresql_itself_would_store_it(postgres: Postgres) -> None:
    connection = await asyncpg.connect(postgres.admin_dsn)
    await connection.execute("create role scram_probe password 'it''s \"quoted\"'")
    stored = await connection.fetchval("select rolpassword from pg_authid where rolname = 'scram_probe'")
    await connection.execute("drop role scram_probe")
    await connection.close()
    iterations, salt = stored.split("$")[1].split(":")
    assert scram_verifier('it\'s "quoted"', int(iterations), base64.b64decode(salt)) == stored


async def test_every_service_can_log_in_with_its_password(postgres: Postgres) -> None:
    dsns = await postgres.fresh_database()
    for service in SERVICES:
        connection = await asyncpg.connect(with_user(dsns.admin, f"gonogo_{service}", PASSWORDS[service]))
        assert await connection.fetchval("select session_user::text") == f"gonogo_{service}"
        await connection.close()
