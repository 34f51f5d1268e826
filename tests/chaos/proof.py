"""What must be true of a system that was hurt and left to go on. Each check doubts it from outside, on the log itself."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import nats as nats_client

from contracts.envelope import Fact, category
from contracts.public import public_form
from contracts.registry import decode
from contracts.run import StepStarted
from contracts.subjects import STREAM, event_subject
from infra.bus.cloudevents import LEAF
from infra.checkpoint import Projection, advance
from infra.embedded.users import RELAY
from infra.eventlog import EventLog
from infra.eventlog.verify import verify
from services.approval import app as approval_app
from services.audit import app as audit_app
from services.cli.parts import PROJECTIONS
from services.executor import app as executor_app
from services.hook_dispatcher import app as hook_app
from services.planner import app as planner_app
from tests.chaos.ledger import Acknowledged
from tests.support.wait import PATIENCE_SECONDS, eventually

if TYPE_CHECKING:
    from tests.chaos.arena import Arena, Release

_ENDS = {"delivery.succeeded.v1", "delivery.died.v1"}
_AT_ONCE = 32


async def all_facts(arena: "Arena") -> list[Fact]:
    """The whole log."""
    found: list[Fact] = []
    while facts := await arena.log.read_after(found[-1].position if found else 0, 5_000):
        found += facts
    return found


async def check_everything(arena: "Arena", acknowledged: Iterable[Acknowledged]) -> None:
    """The log is whole, holds what was acknowledged, and everything that is derived from it is what it should be."""
    await _until_quiet(arena)
    found = await verify(arena.log.pool)
    assert found.sound, found.findings
    facts = await all_facts(arena)
    assert [fact.position for fact in facts] == list(range(1, found.events + 1))
    await check_acknowledged(arena, facts, acknowledged)
    await check_mirror(arena, facts)
    await check_projections(arena, facts)


async def _until_quiet(arena: "Arena") -> None:
    """Nothing is under way any more: every delivery has ended, every projection stands at the head."""

    async def quiet() -> bool:
        head = (await arena.log.head()).position
        rows = await arena.log.pool.fetch("select name, position from view.checkpoint")
        behind = {row["name"]: row["position"] for row in rows if row["position"] != head}
        assert not behind, f"{behind} of {head}"
        assert {row["name"] for row in rows} >= set(PROJECTIONS)
        open_ones = _open_deliveries(await all_facts(arena))
        assert not open_ones, open_ones
        return True

    await eventually(quiet, what="everything is done and folded")


def _open_deliveries(facts: Iterable[Fact]) -> dict[str, str]:
    last = {fact.stream: fact.type for fact in facts if category(fact.stream) == "delivery"}
    return {stream: type_name for stream, type_name in last.items() if type_name not in _ENDS}


async def check_acknowledged(arena: "Arena", facts: list[Fact], acknowledged: Iterable[Acknowledged]) -> None:
    """Every acknowledged write is stored once, as it was answered."""
    wanted = {one.key: one for one in acknowledged}
    assert wanted
    query = "select key, stream, version, last, events from log.command where key = any($1)"
    rows = await arena.log.pool.fetch(query, list(wanted))
    times = Counter(row["key"] for row in rows)
    assert {key: times[key] for key in wanted if times[key] != 1} == {}
    of_key = Counter(fact.command_key for fact in facts)
    for row in rows:
        promise = wanted[row["key"]]
        assert (row["version"], row["last"]) == (promise.version, promise.position), promise
        assert of_key[row["key"]] == row["events"], promise
        assert promise.plan == "" or row["stream"] == f"plan-{promise.plan}", promise
        if row["events"]:
            fact = facts[promise.position - 1]
            assert (fact.command_key, fact.stream, fact.version) == (promise.key, row["stream"], promise.version)


async def check_mirror(arena: "Arena", facts: list[Fact]) -> None:
    """Message p of JetStream is event p of the log, for every p, and there are no others."""
    server = arena.system.nats
    connection = await nats_client.connect(server.url, user=RELAY, password=server.users[RELAY])
    try:
        stream = connection.jetstream(timeout=PATIENCE_SECONDS)

        async def complete() -> bool:
            state = (await stream.stream_info(STREAM)).state
            assert (state.messages, state.last_seq) == (len(facts), len(facts)), state
            return True

        await eventually(complete, what="the mirror is complete")
        slots = asyncio.Semaphore(_AT_ONCE)

        async def check(fact: Fact) -> None:
            async with slots:
                message = await stream.get_msg(STREAM, seq=fact.position)
            assert message.subject == event_subject(fact.stream, fact.type)
            assert (message.headers or {})[LEAF] == fact.leaf.hex()
            assert message.data == public_form(fact.type, fact.payload)

        await asyncio.gather(*map(check, facts))
    finally:
        await connection.close()


async def check_projections(arena: "Arena", facts: list[Fact]) -> None:
    """Each table is what folding the log from its beginning makes of it."""
    projections: list[Projection] = []
    for app in (planner_app, approval_app, audit_app, executor_app, hook_app):
        projections += app.projections(arena.log)
    assert {projection.name for projection in projections} == set(PROJECTIONS)
    admin = await EventLog.open(arena.system.urls["database"], pool_size=1)
    try:
        for projection in projections:
            await _check_projection(admin, projection, facts)
    finally:
        await admin.close()


async def _check_projection(admin: EventLog, projection: Projection, facts: list[Fact]) -> None:
    """Folds again inside a transaction that is rolled back, so the live projector only waits a moment."""
    async with admin.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute(f"lock table {', '.join(projection.tables)} in access exclusive mode")
            reached = await connection.fetchval("select position from view.checkpoint where name = $1", projection.name)
            live = await _rows(connection, projection)
            await connection.execute(f"truncate {', '.join(projection.tables)}")
            assert reached <= len(facts)
            await connection.execute("update view.checkpoint set position = 0 where name = $1", projection.name)
            for start in range(0, reached, 100):
                end = min(start + 100, reached)
                await advance(connection, projection, start, end, facts[start:end])
            assert await _rows(connection, projection) == live, projection.name
        finally:
            await transaction.rollback()


async def _rows(connection: "asyncpg.pool.PoolConnectionProxy[Any]", projection: Projection) -> Mapping[str, list[str]]:
    return {
        table: sorted(repr(tuple(row.values())) for row in await connection.fetch(f"select * from {table}"))
        for table in projection.tables
    }


async def check_release(arena: "Arena", release: "Release") -> None:
    """The plan is in success; its steps ran once, its hooks arrived under one id each."""
    facts = await all_facts(arena)
    own = [fact for fact in facts if fact.stream == f"plan-{release.outcome.plan}"]
    assert [fact.type for fact in own].count("plan.succeeded.v1") == 1
    assert max(struck.position for struck in release.struck) < own[-1].position if release.struck else True
    started = step_keys(facts)
    check_scripts(release.folder / "ran", started)
    world = release.ledger.world
    assert world is not None
    assert set(world.deployments) <= started
    assert len(world.hooks) == 3
    assert {hook.delivery for hook in world.hooks.values()} == set(release.ledger.arrivals)
    raised = {fact.stream.removeprefix("delivery-") for fact in facts if fact.type == "delivery.created.v1"}
    assert set(release.ledger.arrivals) <= raised


def step_keys(facts: Iterable[Fact]) -> set[str]:
    """The key of each step whose intent is among these facts."""
    intents = [decode(fact.type, fact.payload) for fact in facts if fact.type == "run.step_started.v1"]
    return {intent.key for intent in intents if isinstance(intent, StepStarted)}


def check_scripts(ran: Path, started: set[str]) -> None:
    """Each process noted the key under which it ran: one that the log knows, and each once."""
    keys = Counter(line.split()[-1] for line in ran.read_text().splitlines())
    assert keys
    assert {key: times for key, times in keys.items() if times != 1} == {}
    assert set(keys) <= started
