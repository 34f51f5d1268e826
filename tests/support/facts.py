"""Facts for tests that do not care what happened: appended through the front door, and a restore through the back."""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

import asyncpg

from infra.eventlog import Append, Appended, Draft, EventLog
from infra.ids import random_id
from tests.support.servers import Dsns


def command(stream: str, expected: int, payloads: Sequence[bytes], **more: Any) -> Append:
    key = random_id()
    return Append(
        stream=stream,
        expected=expected,
        principal="tester",
        key=key,
        fingerprint=hashlib.sha256(key.encode()).digest(),
        events=tuple(Draft("plan.created.v1", payload) for payload in payloads),
        at=1_700_000_000_123_456,
        actor="tester",
        channel="test",
        **more,
    )


async def append(log: EventLog, count: int, size: int = 20) -> int:
    """Append so many events in streams of their own, and return the last position."""
    payload = b'{"text":"' + b"x" * size + b'"}'
    streams = [command(f"plan-{random_id()}", 0, [payload] * min(10, count - n)) for n in range(0, count, 10)]
    outcomes = await asyncio.gather(*(log.append(each) for each in streams))
    assert all(isinstance(outcome, Appended) for outcome in outcomes)
    return (await log.head()).position


async def change(dsns: Dsns, *statements: str) -> None:
    """What only a restore can do: past every trigger and right."""
    admin = await asyncpg.connect(dsns.admin)
    try:
        async with admin.transaction():
            await admin.execute("set local session_replication_role = replica")
            for statement in statements:
                await admin.execute(statement)
    finally:
        await admin.close()


async def cut(dsns: Dsns, position: int, then: int = 0) -> None:
    """Put the log back to an earlier position, and let `then` events of another history follow in the same moment."""
    extra = [
        f"""insert into log.event select {position} + n, 'run-' || to_hex(n), 1, 'run.created.v1', 0, 0, '', '', '',
        0, null, '', '{{}}', sha256(n::text::bytea) from generate_series(1, {then}) n"""
    ]
    await change(
        dsns,
        f"delete from log.event where position > {position}",
        "delete from log.command",
        *(extra if then else []),
        f"update log.head set position = {position + then}",
    )
