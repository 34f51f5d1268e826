"""Credentials from the real key store, through the executor's own wiring."""

from pathlib import Path

from infra.config import Secret
from infra.eventlog import EventLog
from infra.keystore import KeyStore, master_key_of, new_master_key
from services.executor.app import secrets_of
from services.executor.config import Settings
from tests.support.servers import Postgres


async def test_the_executor_finds_what_the_key_store_holds_and_nothing_without_a_master_key(
    postgres: Postgres, tmp_path: Path
) -> None:
    dsns, key = await postgres.fresh_database(), Secret(new_master_key())
    admin, log = await EventLog.open(dsns.admin), await EventLog.open(dsns.of("executor"))
    try:
        await KeyStore(admin.pool, master_key_of(key)).put("registry", Secret("hunter2"))
        with_key = Settings(database_url=Secret(dsns.of("executor")), data=tmp_path, master_key=key)
        found = secrets_of(log, with_key)
        assert await found("registry") == Secret("hunter2")
        assert await found("nope") is None
        without = Settings(database_url=Secret(dsns.of("executor")), data=tmp_path)
        assert await secrets_of(log, without)("registry") is None
    finally:
        await log.close()
        await admin.close()
