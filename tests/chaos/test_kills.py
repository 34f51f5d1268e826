"""SIGKILL of every part of the system while a release is under way: the release goes on, and nothing is lost or doubled."""

import asyncio
import os
import random
from collections import Counter
from contextlib import aclosing

import pytest

from contracts.envelope import Position
from tests.chaos.arena import PARTS, Arena, Blow, Struck
from tests.chaos.proof import check_everything, check_release

MOMENTS = ("plan.sealed.v1", "gate.opened.v1", "run.step_started.v1")
"""After the seal, while a gate waits for its answer, while a step runs."""


@pytest.mark.parametrize("part", PARTS)
async def test_a_release_reaches_success_although_this_part_is_killed(arena: Arena, part: str) -> None:
    release = await arena.release(*(Blow(part, moment) for moment in MOMENTS))
    assert [struck.part for struck in release.struck] == [part] * len(MOMENTS)
    await check_release(arena, release)
    await check_everything(arena, release.ledger.acknowledged)


async def test_a_release_reaches_success_although_every_part_is_killed_in_a_random_order(arena: Arena) -> None:
    seed = os.environ.get("GONOGO_CHAOS_SEED") or str(random.SystemRandom().randrange(10**9))
    print(f"GONOGO_CHAOS_SEED={seed}")  # shown when the test fails
    chance = random.Random(seed)
    order = [*chance.sample(PARTS, len(PARTS)), *chance.sample(PARTS, len(PARTS))]

    async def hurt(after: Position) -> tuple[Struck, ...]:
        """A blow every few events, whether or not the others have recovered. Only who is ready is struck."""
        struck: list[Struck] = []
        recovering: list[asyncio.Task[None]] = []
        pause = 1
        async with aclosing(arena.follow(after)) as facts:
            async for fact in facts:
                pause -= 1
                if fact.type == "plan.succeeded.v1" or len(struck) == len(order):
                    break
                if pause <= 0:
                    part, pause = order[len(struck)], chance.randint(1, 4)
                    await arena.system.wait_ready(part)
                    struck.append(Struck(part, fact.position))
                    recovering.append(asyncio.create_task(arena.kill(part)))
        await asyncio.gather(*recovering)
        return tuple(struck)

    release = await arena.release_while(hurt)
    assert set(Counter(struck.part for struck in release.struck)) == set(PARTS)
    await check_release(arena, release)
    await check_everything(arena, release.ledger.acknowledged)
