"""Both ends of the delivery bench, each in a process of its own: receivers, and a bare aiohttp client as the floor.

`python -m tests.bench.hook_floor receive HEALTHY HANGING DELAY_MS` prints its ports as JSON, then answers each line on
stdin with the arrivals since the line before. `... send CONCURRENCY PER_RECEIVER PORT...` posts stdin to each port so many
times. Times are of the machine's monotonic clock, so that they compare between processes.
"""

import asyncio
import itertools
import json
import sys
import time

import aiohttp
import uvloop

Arrival = tuple[str, float]
"""The `webhook-id`, and when its request had arrived whole."""
ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


class Receiving(asyncio.Protocol):
    """As little HTTP as a hook needs, so that the receivers cost next to nothing."""

    def __init__(self, arrived: list[Arrival], delay_seconds: float, *, hangs: bool) -> None:
        self._arrived = arrived
        self._delay_seconds = delay_seconds
        self._hangs = hangs
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            lines = self._read[:end].decode().lower().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines[1:])
            whole = end + 4 + int(headers["content-length"])
            if len(self._read) < whole:
                return
            self._read = self._read[whole:]
            self._arrived.append((headers["webhook-id"], time.monotonic()))
            if not self._hangs:
                asyncio.get_running_loop().call_later(self._delay_seconds, self._transport.write, ANSWER)  # type: ignore[attr-defined]


async def receive(healthy: str, hanging: str, delay_ms: str) -> None:
    """Listens on so many ports until stdin ends."""
    arrived: list[Arrival] = []
    lost: list[Arrival] = []
    loop = asyncio.get_running_loop()

    async def ports(count: int, kept: list[Arrival], *, hangs: bool) -> list[int]:
        found = []
        delay_seconds = int(delay_ms) / 1_000
        for _ in range(count):
            server = await loop.create_server(lambda: Receiving(kept, delay_seconds, hangs=hangs), "127.0.0.1", 0)
            found.append(server.sockets[0].getsockname()[1])
        return found

    told = {"healthy": await ports(int(healthy), arrived, hangs=False)}
    told["hanging"] = await ports(int(hanging), lost, hangs=True)
    print(json.dumps(told), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(arrived), flush=True)
        arrived.clear()


async def send(concurrency: str, per_receiver: str, *ports: str) -> None:
    """What a bare client needs for the same hooks. Prints when it began."""
    body = sys.stdin.buffer.read()
    posts = [f"http://127.0.0.1:{port}/" for _ in range(int(per_receiver)) for port in ports]
    numbers = itertools.count()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def work() -> None:
            while posts:
                url = posts.pop()
                headers = {"Content-Type": "application/json", "webhook-id": str(next(numbers))}
                async with session.post(url, data=body, headers=headers) as answer:
                    assert answer.status == 204

        began = time.monotonic()
        await asyncio.gather(*(work() for _ in range(int(concurrency))))
    print(began)


if __name__ == "__main__":
    kinds = {"receive": receive, "send": send}
    uvloop.run(kinds[sys.argv[1]](*sys.argv[2:]))  # type: ignore[arg-type]  # each takes its own arguments
