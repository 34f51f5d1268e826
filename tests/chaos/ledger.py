"""What the outside remembers: every write that was acknowledged to a client, and every hook that arrived.

It is kept where the answers arrive, so it knows nothing that the system did not promise.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import msgspec
from aiohttp import web

from infra.ids import random_id
from services.cli.client import Answer, Gateway
from services.cli.demo.receiver import World


class Acknowledged(msgspec.Struct, frozen=True):
    """A write that was answered with success: under this key, at this version and position. `plan` where it is of one."""

    key: str
    version: int
    position: int
    plan: str = ""


class Ledger:
    """`acknowledged` in the order of the answers. `arrivals`: how often each webhook-id came. `world`: who received."""

    def __init__(self) -> None:
        self.acknowledged: list[Acknowledged] = []
        self.arrivals: Counter[str] = Counter()
        self.world: World | None = None

    def take(self, key: str, path: str, answer: Answer) -> None:
        """Note an answer. Identities are not in the log, so their writes have no position."""
        if "Gonogo-Position" not in answer.headers:
            return
        plan = answer.json()["id"] if path.startswith(("/api/v1/plans", "/api/callback")) else ""
        version = int(answer.etag.strip('"'))
        self.acknowledged.append(Acknowledged(key, version, int(answer.headers["Gonogo-Position"]), plan))


@contextmanager
def recorded() -> Iterator[Ledger]:
    """Whatever the demonstration is answered and told in this block is written down."""
    ledger = Ledger()

    class Remembering(Gateway):
        async def send(self, method: str, path: str, body: Any = None, *, key: str = "", **options: Any) -> Answer:
            key = key or random_id()
            answer = await super().send(method, path, body, key=key, **options)
            ledger.take(key, path, answer)
            return answer

    class Counting(World):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            ledger.world = self

        async def _hook(self, request: web.Request) -> web.Response:
            ledger.arrivals[request.headers["webhook-id"]] += 1
            return await super()._hook(request)

    with (
        patch("services.cli.demo.cast.Gateway", Remembering),
        patch("services.cli.demo.run.World", Counting),
    ):
        yield ledger
