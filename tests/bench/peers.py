"""Other event stores on the same server, driven as their own users drive them: one append per call."""

import asyncio
import json
import secrets
import shutil
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asyncpg

from tests.bench.rounds import Run, Sample, callers, sample_of

MESSAGE_DB = "@eventide/message-db@1.3.1"
# Its extension pgcrypto is left out: gen_random_uuid is built in since PostgreSQL 13.
BODY = "x" * 289


def _random_uuid() -> uuid.UUID:
    return uuid.UUID(bytes=secrets.token_bytes(16))


async def message_db_files() -> list[str] | None:
    """The statements of message-db from its npm package, in its own order, or None where npm or the package is not to be had."""
    if shutil.which("npm") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        pack = await asyncio.create_subprocess_exec(
            "npm", "pack", "--silent", MESSAGE_DB, cwd=folder, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            failed = await asyncio.wait_for(pack.wait(), 60)
        except TimeoutError:
            pack.kill()
            await pack.wait()
            return None
        archive = next(Path(folder).glob("*.tgz"), None)
        if failed or archive is None:
            return None
        shutil.unpack_archive(archive, folder, filter="data")
        base = Path(folder) / "package" / "database"
        functions = ["hash-64", "acquire-lock", "category", "is-category", "id", "cardinal-id", "stream-version"]
        files = [
            path for part in ("roles", "schema", "tables", "types") for path in sorted((base / part).glob("*.sql"))
        ]
        files += [base / "functions" / f"{name}.sql" for name in (*functions, "write-message")]
        files += sorted((base / "indexes").glob("*.sql"))
        return [path.read_text() for path in files]


@asynccontextmanager
async def message_db(dsn: str, files: list[str], connections: int) -> AsyncIterator[Run]:
    """message-db in an empty database; each caller has its own connection and stream, all of one category."""
    admin = await asyncpg.connect(dsn)
    for text in files:
        await admin.execute("set search_path = message_store, public")
        await admin.execute(text.replace("CREATE INDEX CONCURRENTLY", "CREATE INDEX"))
    await admin.close()
    opened = [await asyncpg.connect(dsn, server_settings={"search_path": "message_store"}) for _ in range(connections)]
    write = "select write_message($1, $2, 'PlanCreated', $3::jsonb, null, null)"
    statements = [await connection.prepare(write) for connection in opened]
    body = json.dumps({"text": BODY})

    async def one(caller: int) -> None:
        await statements[caller].fetchval(str(_random_uuid()), f"plan-{caller}", body)

    yield lambda seconds: callers(connections, seconds, one)
    for connection in opened:
        await connection.close()


def eventsourcing_is_installed() -> bool:
    return all(find_spec(name) is not None for name in ("eventsourcing", "psycopg", "psycopg_pool"))


@asynccontextmanager
async def eventsourcing(dsn: str, threads: int) -> AsyncIterator[Run]:
    """The recorder of `eventsourcing`, one event per insert, from threads, in its safe default mode."""
    from eventsourcing.persistence import StoredEvent
    from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

    parts = urlsplit(dsn)
    store = PostgresDatastore(
        dbname=parts.path[1:],
        host=parts.hostname or "",
        port=parts.port or 5432,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        pool_size=threads,
    )
    recorder = PostgresApplicationRecorder(store)
    await asyncio.to_thread(recorder.create_table)
    state = json.dumps({"text": BODY}).encode()

    def work(seconds: float) -> list[float]:
        latencies, stream, version = [], _random_uuid(), 0
        before = time.perf_counter()
        end = before + seconds
        while before < end:
            recorder.insert_events([StoredEvent(stream, version, "plan.created.v1", state)])
            version += 1
            after = time.perf_counter()
            latencies.append(after - before)
            before = after
        return latencies

    pool = ThreadPoolExecutor(threads)

    async def run(seconds: float) -> Sample:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        taken = await asyncio.gather(*(loop.run_in_executor(pool, work, seconds) for _ in range(threads)))
        return sample_of([latency for latencies in taken for latency in latencies], loop.time() - begin)

    yield run
    pool.shutdown()
    await asyncio.to_thread(store.close)
