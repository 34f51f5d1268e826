"""What many hooks that are due at once need is made once: the body of an event, the key of an endpoint."""

import asyncio
import hashlib
from typing import cast

from contracts.delivery import EndpointPut
from contracts.endpoint_state import Endpoint, fold_endpoint
from contracts.envelope import Fact
from contracts.plan_events import PlanCreated
from contracts.seal import seal_of
from infra.clock import SetClock
from infra.config import Secret
from infra.eventlog.model import Head
from infra.keystore import KeyStore
from services.hook_dispatcher.handlers.keys import Keys
from services.hook_dispatcher.handlers.rendering import Hooked, Rendering
from tests.support.builders import content, facts

PLAN = facts(PlanCreated(index=1, project="web", content=content()), seal_of(content(), {}))
HOOK = Hooked("ab", "finish_planning", PLAN[-1].position)


class CountingLog:
    """A log of one plan, which counts how often it is read."""

    def __init__(self) -> None:
        self.read = 0

    async def read_stream(self, stream: str, after_version: int = 0) -> list[Fact]:
        self.read += 1
        await asyncio.sleep(0)
        return PLAN

    async def read_after(self, position: int, limit: int = 500) -> list[Fact]:
        return PLAN[position : position + limit]

    async def head(self) -> Head:
        return Head(len(PLAN), "epoch", 0)


class CountingStore:
    """A key store with one secret, which counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def get(self, name: str) -> Secret | None:
        self.asked.append(name)
        await asyncio.sleep(0)
        return Secret("whsec_" + "c2VjcmV0IG9mIGEgdGVzdCE=")


def endpoint() -> Endpoint:
    put = EndpointPut(url="http://e.org/", secret_ref="endpoint/e", events=("finish_planning",), enabled=True)
    found = fold_endpoint(facts(put))
    assert found is not None
    return found


async def test_a_body_is_made_once_for_all_who_want_it_at_the_same_time_and_then_remembered() -> None:
    log = CountingLog()
    rendering = Rendering(log)
    bodies = await asyncio.gather(*(rendering.body(HOOK) for _ in range(50)))
    assert len({id(body) for body in [*bodies, await rendering.body(HOOK)]}) == 1
    assert log.read == 1


async def test_the_digest_of_a_body_is_that_of_its_bytes() -> None:
    body = await Rendering(CountingLog()).body(HOOK)
    assert body.sha256 == hashlib.sha256(body.text).hexdigest()


async def test_a_key_is_read_once_for_all_who_sign_with_it_at_the_same_time_and_anew_after_its_time() -> None:
    store, clock = CountingStore(), SetClock(1_000_000)
    keys = Keys(cast(KeyStore, store), clock)
    await asyncio.gather(*(keys.of(endpoint()) for _ in range(50)))
    assert store.asked == ["endpoint/e"]
    clock.advance(60)
    await keys.of(endpoint())
    assert store.asked == ["endpoint/e"] * 2
