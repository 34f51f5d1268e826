"""JetStream loses everything while a release is under way: by its files, by its API, under the feet of the server.

The stream is a mirror, so it is built again from the log, and nobody outside notices.
"""

import shutil
from contextlib import aclosing

import nats as nats_client
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from contracts.envelope import Position
from contracts.subjects import STREAM
from infra.embedded.users import RELAY
from infra.supervise.system import NATS
from tests.chaos.arena import Arena, Struck
from tests.chaos.load import check_edits, editing
from tests.chaos.proof import check_everything, check_release
from tests.chaos.test_fencing import stopped
from tests.support.wait import PATIENCE_SECONDS, eventually

MOMENTS = ("plan.sealed.v1", "run.step_started.v1")


async def test_the_store_is_deleted_while_nats_is_down_in_the_middle_of_a_release(arena: Arena) -> None:
    async def hurt(after: Position) -> tuple[Struck, ...]:
        struck: list[Struck] = []
        async with aclosing(arena.follow(after)) as facts:
            async for fact in facts:
                if fact.type == MOMENTS[len(struck)]:
                    async with arena.away(NATS):
                        shutil.rmtree(arena.store)
                    struck.append(Struck(NATS, fact.position))
                if len(struck) == len(MOMENTS):
                    break
        return tuple(struck)

    release = await arena.release_while(hurt)
    await check_release(arena, release)
    await check_everything(arena, release.ledger.acknowledged)


async def test_the_store_is_deleted_under_the_running_server_in_the_middle_of_a_release(arena: Arena) -> None:
    async def hurt(after: Position) -> tuple[Struck, ...]:
        async with aclosing(arena.follow(after)) as facts:
            async for fact in facts:
                if fact.type == "plan.sealed.v1":
                    shutil.rmtree(arena.store)  # the server goes on with files that are no more
                    first = fact.position
                if fact.type == "run.step_started.v1":
                    await arena.kill(NATS)  # and forgets what it had in memory
                    return (Struck(NATS, first), Struck(NATS, fact.position))
        raise AssertionError("the log is endless")

    release = await arena.release_while(hurt)
    await check_release(arena, release)
    await check_everything(arena, release.ledger.acknowledged)


async def test_the_stream_is_deleted_again_and_again_by_its_api_under_load(arena: Arena) -> None:
    server = arena.system.nats
    connection = await nats_client.connect(server.url, user=RELAY, password=server.users[RELAY])
    try:
        stream = connection.jetstream(timeout=PATIENCE_SECONDS)
        async with editing(arena) as load:
            for _ in range(5):
                await load.more(40)
                await stream.delete_stream(STREAM)
                await eventually(lambda: _is_there(connection), what="the stream is made anew")
            with stopped(arena.system.pids["relay"]):  # who would make it anew at once
                await stream.delete_stream(STREAM)
                await load.more(40)
                assert not await _is_there(connection), "nobody needed it for that"
            await eventually(lambda: _is_there(connection), what="the stream is made anew")
            await load.more(40)
    finally:
        await connection.close()
    assert load.broken == 0
    await check_edits(arena, load.acknowledged)
    await check_everything(arena, load.acknowledged)


async def _is_there(connection: Client) -> bool:
    try:
        found = await connection.jetstream(timeout=PATIENCE_SECONDS).stream_info(STREAM)
    except NotFoundError:
        return False
    return bool(found.state.last_seq)
