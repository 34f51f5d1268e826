"""All deciders behind one door: any command of a plan, decided as its service would, and what follows by itself.

The house is the same for every test: its people, groups, zones and the one workflow that the log holds. Pure.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from contracts.approval_commands import ApproveInEmergency, DelegateVote, EndDelegation, ReviewEmergency
from contracts.commands import (
    Actor,
    AnswerGate,
    ApplyPlan,
    CancelItem,
    CompleteItem,
    ExecuteItem,
    OverrideFreeze,
    OverrideGate,
    OverrideStart,
    RecheckGate,
    RetryItem,
    SkipItem,
    StartPlan,
    SubmitPlan,
    TickSubStep,
    VoteOnPlan,
    WaiveItem,
    WithdrawVote,
)
from contracts.plan import Plan
from contracts.plan_events import Event, Frozen, ItemFinished, ResolvedWorkflow
from contracts.values import GATES, GateName, WorkflowSpec
from contracts.workflow import ScriptStep, Stage, WorkflowDefinition, workflow_digest
from services.approval import decider as approval
from services.approval.decider.known import Known as ApprovalKnown
from services.executor.decider import items, walk
from services.executor.views import Found
from services.hook_dispatcher.decider import gates
from services.planner import decider as planner
from services.planner.decider import freezes
from services.planner.decider.applying import apply
from tests.support.builders import NOON

SYSTEM = Actor("service:executor", administrator=True, channel="system")
DEPLOY = WorkflowDefinition(
    project="web", name="deploy", stages=(Stage(name="all", steps=(ScriptStep(name="one", script="true"),)),)
)
RESOLVED = ResolvedWorkflow(project="web", workflow="deploy", revision=1, digest=workflow_digest(DEPLOY))
PEOPLE: Mapping[str, tuple[str, ...]] = {
    "user:olivia": (),
    "user:gil": ("group:release",),
    "user:ina": (),
    "user:ana": ("group:sre",),
    "user:ben": ("group:sre",),
    "user:ada": (),
    "user:mallory": (),
}
"""Who there is, with their groups. Olivia and the group release own, Ina owns an item, Ana and Ben approve."""
MEMBERS = {
    group: frozenset(one for one, groups in PEOPLE.items() if group in groups)
    for group in ("group:release", "group:sre")
}
FREEZE = Frozen(freeze="f0", name="Holidays", start=NOON + 10**14, end=NOON + 10**14 + 1)
"""A freeze far ahead, for there to be one to override."""


def decide(plan: Plan | None, command: Any, actor: Actor, at: int = NOON) -> tuple[Event, ...]:
    """The events that the command makes of the plan. Raises Refused."""
    match command:
        case StartPlan():
            return walk.start(plan, command.plan, actor, at, _workflows(plan))
        case OverrideStart():
            return walk.override_start(plan, command, actor, at, _workflows(plan))
        case CompleteItem() | TickSubStep() | ExecuteItem() | SkipItem() | RetryItem() | WaiveItem() | CancelItem():
            return items.decide(plan, command, items.Context(actor, at, _workflows(plan)))
        case AnswerGate():
            return gates.answer(plan, command, at, _codes(plan), actor)
        case RecheckGate():
            return gates.recheck(plan, command, actor, at, code_of(plan, command.gate, 1))
        case OverrideGate():
            return gates.override(plan, command, actor)
        case SubmitPlan() | VoteOnPlan() | WithdrawVote() | DelegateVote() | EndDelegation():
            return approval.decide(plan, command, actor, at, _approval_known(plan, actor))
        case ApproveInEmergency() | ReviewEmergency():
            return approval.decide(plan, command, actor, at, _approval_known(plan, actor))
        case OverrideFreeze():
            return freezes.override(plan, command, actor, (FREEZE,))
        case ApplyPlan():
            return apply(plan, command, actor, at, _planner_known(plan))
        case _:
            return planner.decide(plan, command, actor, at, _planner_known(plan))


def follows(plan: Plan, at: int = NOON) -> tuple[Event, ...]:
    """What the services do next without being asked: gates open, rounds expire, the plan starts, ends, times out."""
    moves: tuple[Callable[[], tuple[Event, ...]], ...] = (
        lambda: gates.open_due(plan, at, code_of(plan, gates.due_gate(plan) or GATES[0], 1)),
        lambda: gates.expire(plan, at),
        lambda: approval.expire(plan, at),
        lambda: walk.due(plan, at, _workflows(plan), None, _sealer(plan)),
    )
    return next((events for move in moves if (events := move())), ())


def ended(plan: Plan, item: str, outcome: Any) -> tuple[Event, ...]:
    """A run of this item ends so, if one is under way: what the executor makes of it."""
    attempt = plan.state_of(item).running
    if attempt is None:
        return ()
    return (
        ItemFinished(item=item, attempt=attempt.number, outcome=outcome, error="" if outcome == "done" else "exit 1"),
    )


def code_of(plan: Plan | None, gate: GateName, more: int = 0) -> str:
    """The instance code of the gate's round, or of the next one."""
    number = (plan.gates[gate].round if plan is not None else 0) + more
    return f"{GATES.index(gate) + 1:08x}{number:08x}"


def _codes(plan: Plan | None) -> dict[str, GateName]:
    if plan is None:
        return {}
    return {f"{GATES.index(gate) + 1:08x}{n:08x}": gate for gate in GATES for n in range(1, plan.gates[gate].round + 1)}


def _workflows(plan: Plan | None) -> dict[str, Found]:
    found = Found(RESOLVED, DEPLOY)
    return {item.id: found for item in plan.content.items if isinstance(item.spec, WorkflowSpec)} if plan else {}


def _sealer(plan: Plan) -> Actor | None:
    return Actor(plan.seal.by, groups=PEOPLE[plan.seal.by]) if plan.seal is not None else None


def _approval_known(plan: Plan | None, actor: Actor) -> ApprovalKnown:
    to_actor = tuple(one for one in plan.delegations if one.to == actor.id) if plan is not None else ()
    return ApprovalKnown(groups=dict(PEOPLE), members=MEMBERS, delegations=to_actor)


def _planner_known(plan: Plan | None) -> planner.Known:
    workflow_items = [i.id for i in plan.content.items if isinstance(i.spec, WorkflowSpec)] if plan is not None else []
    return planner.Known(
        index=52,
        people=frozenset((*PEOPLE, *MEMBERS)),
        members=MEMBERS,
        workflows=dict.fromkeys(workflow_items, RESOLVED),
        definitions=dict.fromkeys(workflow_items, DEPLOY),
        zones=frozenset({"UTC"}),
        version=msgspec.structs.replace(plan.content, description="As it was.") if plan is not None else None,
    )
