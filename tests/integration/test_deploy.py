"""Running on servers that exist: what provisioning writes is what compose.yaml refers to, and it logs in."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import yaml

from infra.config import describe, load
from infra.deploy.provision import main, make_administrator, make_secrets, migrate_database
from infra.embedded.secrets import SERVICES
from infra.identity import Identities
from services.approval.config import Settings as ApprovalSettings
from services.executor.config import Settings as ExecutorSettings
from services.gateway.config import GatewaySettings
from services.hook_dispatcher.config import Settings as HookSettings
from tests.support.servers import Postgres

COMPOSE: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "compose.yaml").read_text())
BLOCKS = {name.replace("_", "-"): name for name in SERVICES}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_secrets_that_are_there_are_kept(tmp_path: Path) -> None:
    make_secrets(tmp_path, "postgres://postgres@db:5432/gonogo")
    first = contents(tmp_path)
    make_secrets(tmp_path, "postgres://postgres@db:5432/gonogo")
    assert contents(tmp_path) == first


def test_nobody_else_can_read_a_secret(tmp_path: Path) -> None:
    make_secrets(tmp_path, "postgres://postgres@db:5432/gonogo")
    assert {oct(file.stat().st_mode & 0o777) for file in tmp_path.rglob("*") if file.is_file()} == {"0o600"}


def test_compose_has_one_block_per_service_and_refers_only_to_files_that_are_made(tmp_path: Path) -> None:
    make_secrets(tmp_path, "postgres://postgres@db:5432/gonogo")
    made = {f"/run/gonogo/{name}" for name in contents(tmp_path)}
    for block, service in BLOCKS.items():
        config = COMPOSE["services"][block]
        assert config["command"] == ["python", "-m", f"services.{service}"]
        files = {value for name, value in config["environment"].items() if name.endswith("_FILE")}
        assert files
        assert files <= made


def test_compose_makes_the_secrets_the_database_and_an_administrator_with_the_same_folder_and_database() -> None:
    said = {name: COMPOSE["services"][name]["command"] for name in ("secrets", "migrate", "administrator")}
    assert {name: command[0] for name, command in said.items()} == {name: name for name in said}
    assert len({tuple(command[1:]) for command in said.values()}) == 1


def test_compose_sets_only_settings_that_exist() -> None:
    known = {
        row.name
        for kind in (ApprovalSettings, ExecutorSettings, GatewaySettings, HookSettings)
        for row in describe(kind)
    }
    for block in BLOCKS:
        for name in COMPOSE["services"][block]["environment"]:
            assert name.removesuffix("_FILE") in known or name in known


def test_compose_hands_approval_whatever_is_said_about_mail_and_traces_and_nothing_where_nothing_is_said() -> None:
    environment = COMPOSE["services"]["approval"]["environment"]
    handed = {name for name, value in environment.items() if value == f"${{{name}:-}}"}
    mail = {row.name for row in describe(ApprovalSettings) if row.name.startswith(("GONOGO_SMTP_", "GONOGO_PUBLIC_"))}
    assert handed == mail - {"GONOGO_SMTP_CA_FILE"} | {"OTEL_EXPORTER_OTLP_ENDPOINT"}
    needed = {"GONOGO_DATABASE_URL": "postgresql://db/gonogo"}
    assert load(ApprovalSettings, needed | dict.fromkeys(handed, "")) == load(ApprovalSettings, needed)


async def test_an_empty_database_is_provisioned_and_every_service_logs_in(postgres: Postgres, tmp_path: Path) -> None:
    url = await postgres.empty_database()
    parts = urlsplit(url)
    make_secrets(tmp_path, url)
    (tmp_path / "postgres").write_text(parts.password or "")
    try:
        assert await migrate_database(tmp_path, url) > 0
        assert await migrate_database(tmp_path, url) == 0
        for service in SERVICES:
            connection = await asyncpg.connect((tmp_path / "database" / f"{service}.url").read_text(), ssl=False)
            assert await connection.fetchval("select session_user") == f"gonogo_{service}"
            await connection.close()
        token = await make_administrator(tmp_path, url)
        pool = await asyncpg.create_pool(url, min_size=1, max_size=1)
        actor = await Identities(pool).authenticate(token)
        await pool.close()
        assert actor is not None
        assert actor.administrator
    finally:
        await restore_passwords(postgres)


async def restore_passwords(postgres: Postgres) -> None:
    """Roles belong to the whole server: the other tests log in with theirs."""
    from infra.migrate import migrate
    from tests.support.servers import PASSWORDS

    await migrate(await postgres.empty_database(), PASSWORDS)


def test_a_wrong_call_says_how_to_call() -> None:
    assert main(["secrets"]) == 2


def test_a_database_that_does_not_answer_is_one_sentence(tmp_path: Path, capsys: Any) -> None:
    url = "postgres://postgres@127.0.0.1:1/gonogo"
    make_secrets(tmp_path, url)
    assert main(["migrate", str(tmp_path), url]) == 1
    assert capsys.readouterr().err.count("\n") == 1
