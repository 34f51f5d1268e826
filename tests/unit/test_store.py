"""Storing in JetStream, where the moment matters and not the server."""

import asyncio
from typing import Any, cast

import pytest
from nats.aio.client import Client

from infra.bus.store import Store
from tests.support.wait import PATIENCE_SECONDS


class Answering:
    """A client whose messages are answered as soon as they are flushed."""

    def __init__(self) -> None:
        self.flushed = asyncio.Event()
        self._answer: Any = None

    def new_inbox(self) -> str:
        return "_INBOX.x"

    async def subscribe(self, subject: str, cb: Any) -> None:
        self._answer = cb

    async def _send_command(self, command: bytes) -> None: ...

    async def _flush_pending(self) -> None:
        self.flushed.set()

    async def answer(self, name: int) -> None:
        await self._answer(_Message(f"_INBOX.x.{name}"))


class _Message:
    headers = None
    data = b'{"seq":1}'

    def __init__(self, subject: str) -> None:
        self.subject = subject


async def test_being_told_to_end_at_the_moment_of_the_last_answer_is_not_forgotten() -> None:
    client = Answering()
    store = Store(cast(Client, client), 5)
    await store.open()

    async def for_ever() -> None:
        while True:
            await store.send([b"x"], [1])

    relay = asyncio.create_task(for_ever())
    await client.flushed.wait()
    await asyncio.sleep(0)
    await client.answer(1)
    relay.cancel()
    client.flushed.clear()
    done, _ = await asyncio.wait({relay}, timeout=PATIENCE_SECONDS)
    relay.cancel()
    assert done == {relay}
    with pytest.raises(asyncio.CancelledError):
        await relay
