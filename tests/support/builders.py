"""One function per thing that a test needs, with sensible defaults, so that a test says only what it is about."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from contracts.commands import Actor
from contracts.envelope import Fact
from contracts.evolve import fold
from contracts.plan import Plan
from contracts.plan_events import Event, PlanCreated
from contracts.registry import encode
from contracts.values import (
    Approval,
    ApprovalLevel,
    ApprovalRule,
    Content,
    Item,
    TextSpec,
    Window,
    WorkflowSpec,
)

NOON = 1_790_000_000_000_000
"""A moment in Unix microseconds: 2026-09-21T13:33:20Z."""
PLAN = "68b7ec363306e52e21b2dbe6"
STREAM = f"plan-{PLAN}"

OLIVIA = Actor("user:olivia")
ANA = Actor("user:ana", groups=("group:sre",))
BEN = Actor("user:ben", groups=("group:sre",))
ADA = Actor("user:ada", administrator=True)
MALLORY = Actor("user:mallory")


def text_item(item: str = "announce", **fields: Any) -> Item:
    return Item(id=item, name=fields.pop("name", item.capitalize()), spec=TextSpec(**fields.pop("spec", {})), **fields)


def workflow_item(item: str = "deploy", workflow: str = "deploy", **fields: Any) -> Item:
    spec = WorkflowSpec(project="web", workflow=workflow, inputs=fields.pop("inputs", {}))
    return Item(id=item, name=item.capitalize(), spec=spec, **fields)


def approval(*approvers: str, needed: int = 1, **fields: Any) -> Approval:
    rule = ApprovalRule(approvers=approvers, needed=needed)
    return Approval(levels=(ApprovalLevel(rules=(rule,)),), **fields)


def content(**fields: Any) -> Content:
    return Content(**{"name": "Release 1.2", "owner": ("user:olivia",), "items": (text_item(),), **fields})


def window(start: datetime, end: datetime, zone: str = "UTC") -> Window:
    return Window(start=start, end=end, zone=zone)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]  # tzinfo cannot be among the parts


def created(**fields: Any) -> PlanCreated:
    return PlanCreated(index=52, project="web", content=content(**fields))


def facts(
    *events: Event | tuple[Event, Actor],
    stream: str = STREAM,
    actor: Actor = OLIVIA,
    at: int = NOON,
    after: int = 0,
) -> list[Fact]:
    """These events as facts of one stream. An event may come with its own actor; each is a second after the last."""
    made = []
    for i, one in enumerate(events):
        event, by = one if isinstance(one, tuple) else (one, actor)
        type_name, payload = encode(event)
        made.append(
            Fact(
                position=after + i + 1,
                stream=stream,
                version=after + i + 1,
                type=type_name,
                at=at + i * 1_000_000,
                recorded_at=at + i * 1_000_000,
                actor=by.id,
                channel=by.channel,
                command_key=f"key-{after + i}",
                ordinal=0,
                cause=None,
                trace="",
                payload=payload,
                leaf=b"",
            )
        )
    return made


def plan_after(*events: Event | tuple[Event, Actor]) -> Plan:
    """The plan after these events."""
    plan = fold(facts(*events))
    assert plan is not None
    return plan


def then(plan: Plan, events: Sequence[Event], actor: Actor = OLIVIA, at: int = NOON) -> Plan:
    """The plan after some more events."""
    after = fold(facts(*events, actor=actor, at=at, after=plan.version), plan)
    assert after is not None
    return after
