"""Sixteen people who edit plans all the time, each write under its own key, sent again until it is answered with success.

A client that gets no answer, or a 503, sends the very same request again. Now and then it also repeats what was already
answered. It notes what it was promised, and every answer that was neither a success nor an honest "try again".
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp
import msgspec

from infra.ids import random_id
from tests.chaos.arena import Arena
from tests.chaos.ledger import Acknowledged
from tests.support.wait import PATIENCE_SECONDS, eventually

CLIENTS = 16
PLANS = 4
_REPEATED_EACH = 3
_PATIENCE = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)


class Load:
    """What came of it so far."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session
        self._enough = asyncio.Event()
        self.acknowledged: list[Acknowledged] = []
        self.refusals = 0
        """503s, each with a Retry-After."""
        self.broken = 0
        """Requests whose outcome the client did not learn."""
        self.replayed = 0
        """Repetitions that were answered as such."""
        self.wrong: list[str] = []

    async def more(self, count: int) -> None:
        """Returns when so many more writes were acknowledged: the system works."""
        wanted = len(self.acknowledged) + count
        await eventually(lambda: len(self.acknowledged) >= wanted, what=f"{count} more writes")
        assert self.wrong == []

    async def refused(self, count: int) -> None:
        """Returns when so many more were told to come again."""
        wanted = self.refusals + count
        await eventually(lambda: self.refusals >= wanted, what=f"{count} more answers with 503")

    def end(self) -> None:
        """Every client ends with its last write acknowledged."""
        self._enough.set()

    async def create(self) -> str:
        return (await self._until_done("POST", "/plans", {"project": "chaos", "name": "Edited"}, random_id())).plan

    async def edit(self, plan: str, client: int) -> None:
        """One client, until the end."""
        number = 0
        while not self._enough.is_set():
            number += 1
            path, body, key = f"/plans/{plan}", {"description": f"edit {number} of client {client}"}, random_id()
            done = await self._until_done("PATCH", path, body, key)
            if number % _REPEATED_EACH == 0:
                again = await self._until_done("PATCH", path, body, key)
                if again != done:
                    self.wrong.append(f"{done} was answered as {again} the second time")
                self.acknowledged.pop()

    async def _until_done(self, method: str, path: str, body: object, key: str) -> Acknowledged:
        wait = 0.02
        while True:
            done = await self._once(method, path, body, key)
            if done is not None:
                self.acknowledged.append(done)
                return done
            await asyncio.sleep(wait)
            wait = min(wait * 2, 0.5)

    async def _once(self, method: str, path: str, body: object, key: str) -> Acknowledged | None:
        headers = {"Idempotency-Key": key, "If-Match": "*", "Content-Type": "application/json"}
        data = msgspec.json.encode(body)
        try:
            async with self._session.request(method, self._url + path, data=data, headers=headers) as response:
                text = await response.text()
                if response.status == 503 and int(response.headers.get("Retry-After", "0")) >= 1:
                    self.refusals += 1
                    return None
                if response.status not in (200, 201):
                    self.wrong.append(f"{response.status}: {text}")
                    return None
                self.replayed += response.headers.get("Idempotent-Replayed") == "true"
                answer = msgspec.json.decode(text)
                return Acknowledged(key, answer["version"], answer["position"], answer["id"])
        except (aiohttp.ClientError, TimeoutError):
            self.broken += 1
            return None


@asynccontextmanager
async def editing(arena: Arena) -> AsyncIterator[Load]:
    """The load runs in this block. At its end every client has got its last answer."""
    headers = {"Authorization": f"Bearer {arena.tokens['olivia']}"}
    async with aiohttp.ClientSession(headers=headers, timeout=_PATIENCE) as session:
        load = Load(f"{arena.url}/api/v1", session)
        plans = [await load.create() for _ in range(PLANS)]
        clients = [asyncio.create_task(load.edit(plans[one % PLANS], one)) for one in range(CLIENTS)]
        try:
            yield load
            load.end()
            await asyncio.wait_for(asyncio.gather(*clients), 2 * PATIENCE_SECONDS)
        finally:
            for client in clients:
                client.cancel()
            await asyncio.gather(*clients, return_exceptions=True)
        assert load.wrong == []


async def check_edits(arena: Arena, acknowledged: Sequence[Acknowledged]) -> None:
    """What the plans' streams hold is what was acknowledged, each once, and nothing else."""
    promised = {one.key for one in acknowledged}
    for plan in {one.plan for one in acknowledged}:
        facts = await arena.log.read_stream(f"plan-{plan}")
        times = Counter(fact.command_key for fact in facts)
        assert {key: count for key, count in times.items() if count != 1} == {}
        assert set(times) == {one.key for one in acknowledged if one.plan == plan}
    assert len(promised) == len(acknowledged)
