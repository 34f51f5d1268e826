"""Brings a database to the state that this code needs: roles, then `migrations/NNNN_name.sql` in order, then the
ownership of event types. Forward only, each migration in its own transaction, two runs at once wait for each other.

It refuses a database that is newer than the code, and one whose applied migrations are not the text that we have: both
mean that somebody is about to run the wrong version. It is the only part, with `rebuild`, that logs in as superuser.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import pairwise

import asyncpg
import msgspec
import structlog

from contracts.registry import OWNERS
from infra.errors import Misconfigured
from infra.postgres import load_sql
from infra.scram import scram_verifier

LOG_OWNER = "gonogo_owner"
SERVICES = ("planner", "approval", "executor", "hook_dispatcher", "audit", "gateway", "relay")
MIGRATION_LOCK = 7165066907191

log = structlog.get_logger(__name__)


class Migration(msgspec.Struct, frozen=True):
    """One numbered file of statements."""

    number: int
    name: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def role_of(service: str) -> str:
    """The role as which a service logs in: `gonogo_planner` of `planner`."""
    return f"gonogo_{service}"


def read_migrations(folder: Traversable) -> list[Migration]:
    """All migrations of a folder, in order. Misconfigured when two have the same number."""
    found = []
    for file in folder.iterdir():
        if match := re.fullmatch(r"(\d{4})_([a-z0-9_]+)\.sql", file.name):
            found.append(Migration(int(match[1]), match[2], file.read_text(encoding="utf-8")))
    found.sort(key=lambda migration: migration.number)
    for first, second in pairwise(found):
        if first.number == second.number:
            raise Misconfigured(f"The migrations {first.name} and {second.name} have the same number {first.number}.")
    return found


async def migrate(
    admin_dsn: str,
    passwords: Mapping[str, str],
    *,
    owners: Mapping[str, Sequence[str]] = OWNERS,
    folder: Traversable | None = None,
) -> int:
    """Migrates the database of `admin_dsn` (a superuser's) and returns how many migrations were applied now.

    `passwords` maps a service's name to its role's password; a role without one exists but cannot log in.
    `owners` maps a service to the event types that it may append.
    Raises Misconfigured when database and code do not fit; the text is one sentence.
    """
    wanted = read_migrations(folder or files("infra").joinpath("migrations"))
    connection = await asyncpg.connect(admin_dsn, server_settings={"application_name": "gonogo migrate"})
    try:
        await connection.execute("select pg_advisory_lock($1)", MIGRATION_LOCK)
        await _make_roles(connection, passwords)
        applied = await _apply(connection, wanted)
        await _fill_type_owner(connection, owners)
    finally:
        await connection.close()
    log.info("database_migrated", applied=applied, at=len(wanted))
    return applied


async def _make_roles(connection: asyncpg.Connection, passwords: Mapping[str, str]) -> None:
    unknown = set(passwords) - set(SERVICES)
    if unknown:
        raise Misconfigured(f"There is no service {sorted(unknown)[0]!r} that could have a database password.")
    async with connection.transaction():
        # Roles are shared by all databases of a server, the advisory lock is not; this lock is.
        await connection.execute("lock table pg_catalog.pg_authid in share row exclusive mode")
        names = [LOG_OWNER, *map(role_of, SERVICES)]
        for record in await connection.fetch(load_sql("infra", "role_create"), names):
            await connection.execute(record["statement"])
        iterations = int(await connection.fetchval("show scram_iterations"))
        for service, password in passwords.items():
            verifier = scram_verifier(password, iterations)
            for statement in await connection.fetchval(load_sql("infra", "role_login"), role_of(service), verifier):
                await connection.execute(statement)
        database = await connection.fetchval("select quote_ident(current_database())")
        await connection.execute(f"grant create on database {database} to {LOG_OWNER}")


async def _apply(connection: asyncpg.Connection, wanted: Sequence[Migration]) -> int:
    await connection.execute(load_sql("infra", "migration_table"))
    pending = _pending(await connection.fetch(load_sql("infra", "migration_list")), wanted)
    for migration in pending:
        async with connection.transaction():
            await connection.execute(f"set local role {LOG_OWNER}")
            await connection.execute(migration.text)
            await connection.execute("reset role")
            await connection.execute(
                load_sql("infra", "migration_record"), migration.number, migration.name, migration.sha256
            )
        log.info("migration_applied", number=migration.number, name=migration.name)
    return len(pending)


def _pending(done: Sequence[asyncpg.Record], wanted: Sequence[Migration]) -> list[Migration]:
    """What is still to be applied, oldest first. Misconfigured when what was applied is not what we have."""
    ours = {migration.number: migration for migration in wanted}
    for record in done:
        title = f"{record['number']:04d}_{record['name']}"
        migration = ours.pop(record["number"], None)
        if migration is None:
            raise Misconfigured(
                f"The database has migration {title}, which is newer than this version of the program; use the newer one."
            )
        if record["sha256"] != migration.sha256:
            raise Misconfigured(f"Migration {title} was applied with another text than this version has.")
    if done and ours and min(ours) < done[-1]["number"]:
        raise Misconfigured(f"Migration {min(ours):04d} is older than one already applied; they go only forward.")
    return list(ours.values())


async def _fill_type_owner(connection: asyncpg.Connection, owners: Mapping[str, Sequence[str]]) -> None:
    pairs = [(event_type, role_of(service)) for service, types in owners.items() for event_type in types]
    types, roles = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    await connection.execute(load_sql("infra", "type_owner_fill"), types, roles)
