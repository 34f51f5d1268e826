"""The clients: whole plans over HTTP, `python -m tests.bench.plan_load URL CLIENTS SECONDS`, tokens on stdin as JSON.

In a process of its own, as the peer is. Prints rate, p50, p99.
"""

import sys
from typing import Any

import msgspec
import uvloop
from aiohttp import ClientSession, TCPConnector

from tests.bench.rounds import callers

ITEMS = [{"id": f"i{i}", "name": f"Item {i}", "spec": {"type": "text", "content": "Do it."}} for i in range(10)]
BODY = {
    "name": "Ten items",
    "project": "bench",
    "items": ITEMS,
    "approval": {"levels": [{"rules": [{"approvers": ["user:ana"], "needed": 1}]}]},
    "rules": {"start": "by_owner"},
}
PLAN = msgspec.json.encode(BODY)
NOTHING = b"{}"
DONE = b'{"remark":"done"}'


class Client:
    """One person's session."""

    def __init__(self, session: ClientSession, url: str, token: str) -> None:
        self._session = session
        self._url = url
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "If-Match": "*",
        }

    async def post(self, path: str, body: bytes) -> bytes:
        async with self._session.post(self._url + path, data=body, headers=self._headers) as answer:
            read = await answer.read()
            assert answer.status < 300, read
            return read

    async def get(self, path: str) -> Any:
        async with self._session.get(self._url + path, headers=self._headers) as answer:
            return msgspec.json.decode(await answer.read())


async def whole_plan(olivia: Client, ana: Client) -> None:
    """Fifteen commands and two reads: create, seal, submit, vote, start, ten completions; the plan has succeeded."""
    plan = msgspec.json.decode(await olivia.post("/api/v1/plans", PLAN))["id"]
    path = f"/api/v1/plans/{plan}"
    await olivia.post(f"{path}/seal", NOTHING)
    await olivia.post(f"{path}/submit", NOTHING)
    seal = (await ana.get(path))["seal"]["value"]
    await ana.post(f"{path}/vote", msgspec.json.encode({"vote": "approve", "seal": seal}))
    await olivia.post(f"{path}/start", NOTHING)
    for item in ITEMS:
        await olivia.post(f"{path}/items/{item['id']}/complete", DONE)
    assert (await olivia.get(path))["status"] == "success"


async def main(url: str, clients: int, seconds: float, tokens: dict[str, str]) -> None:
    async with ClientSession(connector=TCPConnector(limit=0)) as session:
        olivia, ana = (Client(session, url, tokens[one]) for one in ("olivia", "ana"))
        await whole_plan(olivia, ana)
        sample = await callers(clients, seconds, lambda _: whole_plan(olivia, ana))
        print(sample.per_second, sample.p50_ms, sample.p99_ms)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), msgspec.json.decode(sys.stdin.buffer.read())))
