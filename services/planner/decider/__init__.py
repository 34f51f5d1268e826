"""The rules of drafting: create, edit, seal, reopen, cancel.

Pure. What must be known from outside (who exists, which workflows there are, the next index) comes in `Known`. Structure
is checked with every edit, so that a draft is always a plan; whether the plan can run is checked at sealing, with all
problems at once (`services.planner.sealing`).
"""

from collections.abc import Mapping

import msgspec

from contracts.commands import Actor, CancelPlan, CopyPlan, CreatePlan, EditPlan, ReopenPlan, SealPlan
from contracts.edit_commands import ChangeItem, MoveItem, PutItem, RemoveItem, ReorderItems, RestorePlan
from contracts.plan import FINAL, Plan
from contracts.plan_events import (
    Event,
    Frozen,
    PlanCancelled,
    PlanReopened,
    ResolvedWorkflow,
    Source,
)
from contracts.refusals import Fault, Refused
from contracts.rights import demand_mover
from contracts.seal import seal_of
from contracts.values import Content
from contracts.workflow import WorkflowDefinition
from services.planner.decider.editing import Edit, demand_planning, edit
from services.planner.decider.freezes import freeze_faults
from services.planner.decider.referring import reference_faults
from services.planner.decider.running import runner_faults
from services.planner.decider.structure import counted, demand_structure
from services.planner.decider.writing import created, sealed
from services.planner.sealing import sealing_faults


class Known(msgspec.Struct, frozen=True):
    """What the planner found out for one decision.

    `people`: which references exist. `members`: group -> its users. `persons`: identity -> the one person
    behind it, where it has several. `workflows` and `definitions` by item id, absent
    where there is no such revision. `zones`: the names that a window may use. `frozen`: the occurrences of freezes that
    concern the plan in its window or at its schedule. `base`: the content that an edit was based on, where that is not
    the plan's; `version`: the content of the version to bring back.
    """

    index: int = 0
    origin: Plan | None = None
    people: frozenset[str] = frozenset()
    members: Mapping[str, frozenset[str]] = {}
    persons: Mapping[str, str] = {}
    workflows: Mapping[str, ResolvedWorkflow] = {}
    definitions: Mapping[str, WorkflowDefinition] = {}
    zones: frozenset[str] = frozenset()
    frozen: tuple[Frozen, ...] = ()
    base: Content | None = None
    version: Content | None = None


Command = CreatePlan | CopyPlan | Edit | SealPlan | ReopenPlan | CancelPlan


def decide(plan: Plan | None, command: Command, actor: Actor, at: int, known: Known) -> tuple[Event, ...]:
    """The events that this command makes of this plan; `()` when it is already so. Raises Refused."""
    match command:
        case CreatePlan():
            return _create(plan, command, actor, known)
        case CopyPlan():
            return _copy(plan, command, actor, known)
    if plan is None:
        raise Refused("plan_not_found", f"There is no plan {command.plan}.")
    match command:
        case EditPlan() | PutItem() | ChangeItem() | RemoveItem() | MoveItem() | ReorderItems() | RestorePlan():
            return edit(plan, command, actor, known.base, known.version)
        case SealPlan():
            return _seal(plan, actor, at, known)
        case ReopenPlan():
            return _reopen(plan, command, actor)
        case CancelPlan():
            return _cancel(plan, command, actor)


def _create(plan: Plan | None, command: CreatePlan, actor: Actor, known: Known) -> tuple[Event, ...]:
    if plan is not None:
        raise Refused("plan_exists", f"Plan {command.plan} exists already.")
    content = command.content
    if not content.owner:
        content = msgspec.structs.replace(content, owner=(actor.id,))
    demand_structure(content)
    return created(known.index, command.project, content, command.source)


def _copy(plan: Plan | None, command: CopyPlan, actor: Actor, known: Known) -> tuple[Event, ...]:
    if plan is not None:
        raise Refused("plan_exists", f"Plan {command.plan} exists already.")
    origin = known.origin
    if origin is None:
        raise Refused("plan_not_found", f"There is no plan {command.origin} to copy.")
    name = command.name or f"{origin.content.name} (copy)"[:200]
    content = msgspec.structs.replace(origin.content, name=name, window=None, schedule=None, owner=(actor.id,))
    source = Source(kind="copy", name=origin.id)
    return created(known.index, origin.project, content, source)


def _seal(plan: Plan, actor: Actor, at: int, known: Known) -> tuple[Event, ...]:
    demand_mover(plan, actor)
    demand_planning(plan)
    faults = (*faults_of_sealing(plan, at, known), *runner_faults(plan.content, known.definitions, actor))
    if faults:
        raise Refused("not_sealable", counted(faults, "problem") + " to solve before the plan can be sealed.", faults)
    return sealed(seal_of(plan.content, known.workflows))


def faults_of_sealing(plan: Plan, at: int, known: Known) -> tuple[Fault, ...]:
    """All that keeps this plan from being sealed, whoever asks and whatever its status is."""
    return (
        *sealing_faults(plan, at, known),
        *reference_faults(plan.content.items, known.definitions),
        *freeze_faults(plan, at, known.frozen),
    )


def _reopen(plan: Plan, command: ReopenPlan, actor: Actor) -> tuple[Event, ...]:
    demand_mover(plan, actor)
    if plan.status in FINAL:
        raise Refused("final", f"The plan has ended with {plan.status}; copy it to release again.", status=plan.status)
    if plan.status == "planning":
        return ()
    return (PlanReopened(reason=command.reason),)


def _cancel(plan: Plan, command: CancelPlan, actor: Actor) -> tuple[Event, ...]:
    demand_mover(plan, actor)
    if plan.status == "cancel":
        return ()
    if plan.status in FINAL:  # one that timed out may still let its work finish, and be cancelled meanwhile
        raise Refused("final", f"The plan has ended with {plan.status} and cannot be cancelled.", status=plan.status)
    if not command.reason.strip():
        raise Refused("reason_required", "Say why the plan is cancelled.", [Fault("/reason", "is missing or empty")])
    return (PlanCancelled(reason=command.reason),)
