"""Planner, approval and audit as services: commands by the bus, state from the log, tables that can be thrown away."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest_asyncio

from contracts.commands import (
    Accepted,
    CancelPlan,
    CopyPlan,
    CreatePlan,
    Denied,
    EditPlan,
    ReopenPlan,
    SealPlan,
    SubmitPlan,
    VoteOnPlan,
)
from contracts.evolve import fold
from contracts.plan import Plan
from contracts.values import Changes
from infra.eventlog import EventLog
from infra.identity import Identities
from infra.projection import rebuild
from services.approval import app as approval_app
from services.approval.config import Settings as ApprovalSettings
from services.audit import app as audit_app
from services.audit.config import Settings as AuditSettings
from services.planner import app as planner_app
from services.planner.config import Settings as PlannerSettings
from tests.support.apps import Apps, open_apps
from tests.support.builders import ANA, BEN, NOON, OLIVIA, approval, content, text_item
from tests.support.servers import Nats, Postgres
from tests.support.wait import eventually

PLAN = "68b7ec363306e52e21b2dbe6"
CREATE = CreatePlan(plan=PLAN, project="web", content=content(approval=approval("user:ana", "user:ben", needed=2)))


@pytest_asyncio.fixture
async def apps(postgres: Postgres, nats: Nats, tmp_path: Path) -> AsyncIterator[Apps]:
    async with open_apps(postgres, nats, tmp_path) as apps:
        people = await asyncpg.create_pool(apps.dsns.admin, min_size=1, max_size=1)
        identities = Identities(people)
        for user in ("olivia", "ana", "ben"):
            await identities.put_user(user, name=user.capitalize(), groups=("sre",) if user != "olivia" else ())
        await people.close()
        await apps.start("planner", PlannerSettings, planner_app.build)
        await apps.start("approval", ApprovalSettings, approval_app.build)
        await apps.start("audit", AuditSettings, audit_app.build)
        yield apps


@pytest_asyncio.fixture
async def log(apps: Apps) -> AsyncIterator[EventLog]:
    log = await EventLog.open(apps.dsns.admin)
    yield log
    await log.close()


async def plan_now(log: EventLog) -> Plan:
    plan = fold(await log.read_stream(f"plan-{PLAN}"))
    assert plan is not None
    return plan


async def to_approval(apps: Apps, log: EventLog) -> Plan:
    await apps.accepted(CREATE, OLIVIA, at=NOON)
    await apps.accepted(SealPlan(plan=PLAN), OLIVIA, at=NOON)
    await apps.accepted(SubmitPlan(plan=PLAN), OLIVIA, at=NOON)
    return await plan_now(log)


async def test_two_approvers_vote_at_the_same_moment_and_both_votes_count(apps: Apps, log: EventLog) -> None:
    plan = await to_approval(apps, log)
    assert plan.seal is not None
    vote = VoteOnPlan(plan=PLAN, vote="approve", seal=plan.seal.value)
    await asyncio.gather(apps.accepted(vote, ANA, at=NOON), apps.accepted(vote, BEN, at=NOON))
    plan = await plan_now(log)
    assert plan.approved
    assert {one.by for one in plan.approval.votes} == {"user:ana", "user:ben"}


async def test_a_command_sent_again_is_answered_as_the_first_time_even_after_the_state_moved_on(
    apps: Apps, log: EventLog
) -> None:
    plan = await to_approval(apps, log)
    assert plan.seal is not None
    vote = VoteOnPlan(plan=PLAN, vote="approve", seal=plan.seal.value)
    first = await apps.accepted(vote, ANA, at=NOON, key="vote-1")
    await apps.accepted(ReopenPlan(plan=PLAN), OLIVIA, at=NOON)
    again = await apps.accepted(vote, ANA, at=NOON + 5, key="vote-1")
    assert (again.version, again.position, again.repeated) == (first.version, first.position, True)


async def test_a_key_that_was_used_for_another_command_is_refused(apps: Apps) -> None:
    await apps.accepted(CREATE, OLIVIA, at=NOON, key="k")
    reply = await apps.refused(CopyPlan(plan="a" * 24, origin=PLAN), OLIVIA, at=NOON, key="k")
    assert reply.code == "idempotency_key_reused"


async def test_of_two_edits_of_one_version_the_second_is_told_the_new_version(apps: Apps) -> None:
    created = await apps.accepted(CREATE, OLIVIA, at=NOON)
    edits = [EditPlan(plan=PLAN, changes=Changes(name=name)) for name in ("one", "two")]
    replies = await asyncio.gather(*(apps.ask(edit, OLIVIA, at=NOON, if_match=created.version) for edit in edits))
    accepted = [reply for reply in replies if isinstance(reply, Accepted)]
    refused = [reply for reply in replies if isinstance(reply, Denied)]
    assert [reply.code for reply in refused] == ["version_conflict"]
    assert refused[0].facts["current_version"] == accepted[0].version


async def test_a_refusal_stores_nothing_and_its_key_may_be_used_again(apps: Apps, log: EventLog) -> None:
    empty = CreatePlan(plan=PLAN, project="web", content=content(items=()))
    await apps.accepted(empty, OLIVIA, at=NOON)
    head = await log.head()
    reply = await apps.refused(SealPlan(plan=PLAN), OLIVIA, at=NOON, key="seal")
    assert [fault.path for fault in reply.faults] == ["/items"]
    assert (await log.head()).position == head.position
    await apps.accepted(EditPlan(plan=PLAN, changes=Changes(items=(text_item(),))), OLIVIA, at=NOON)
    await apps.accepted(SealPlan(plan=PLAN), OLIVIA, at=NOON, key="seal")


async def test_active_html_never_gets_into_a_plan(apps: Apps, log: EventLog) -> None:
    bad = content(description="<p>fine</p><script>alert(1)</script><img src=x onerror=alert(1)>")
    await apps.accepted(CreatePlan(plan=PLAN, project="web", content=bad), OLIVIA, at=NOON)
    assert (await plan_now(log)).content.description == "<p>fine</p>"


async def rows(log: EventLog, table: str) -> list[tuple[object, ...]]:
    return sorted(tuple(row.values()) for row in await log.pool.fetch(f"select * from {table}"))


async def test_the_tables_folded_live_are_the_tables_folded_from_the_beginning(apps: Apps, log: EventLog) -> None:
    plan = await to_approval(apps, log)
    assert plan.seal is not None
    vote = VoteOnPlan(plan=PLAN, vote="approve", seal=plan.seal.value, comment="ünïcödé ✓")
    await apps.accepted(vote, ANA, at=NOON)
    await apps.accepted(CopyPlan(plan="a" * 24, origin=PLAN), BEN, at=NOON)
    await apps.accepted(CancelPlan(plan=PLAN, reason="no"), OLIVIA, at=NOON)
    head = (await log.head()).position

    async def caught_up() -> bool:
        found = await log.pool.fetch("select position from view.checkpoint where name in ('plans', 'record')")
        return len(found) == 2 and all(row["position"] == head for row in found)

    await eventually(caught_up)
    tables = ("view.plan", "view.timer", "view.record", "view.record_stream")
    live = {table: await rows(log, table) for table in tables}
    assert len(live["view.plan"]) == 2
    assert len(live["view.record"]) == head
    for projection in (*planner_app.projections(log), *audit_app.projections(log)):
        await rebuild(log, projection, limit=3)
    assert {table: await rows(log, table) for table in tables} == live
