"""The rule of applying a plan file: create the plan, or change the sections that differ, or nothing.

A file that says what the plan has already changes nothing whatever the plan's status and version, so that it can be
applied as often as one likes. A change is an edit like any other and is refused for the same reasons.
"""

from msgspec.structs import replace

from contracts.commands import Actor, ApplyPlan, CreatePlan, EditPlan
from contracts.plan import FINAL, Plan
from contracts.plan_events import Event
from contracts.refusals import Fault, Refused
from contracts.values import SECTIONS, Changes, Content
from services.planner.decider import Known, decide


def apply(plan: Plan | None, command: ApplyPlan, actor: Actor, at: int, known: Known) -> tuple[Event, ...]:
    """The events that make the plan what the file says; `()` when it is so. Raises Refused."""
    if plan is None:
        if command.source is None:
            raise Refused("plan_not_found", f"There is no plan {command.plan}.")
        create = CreatePlan(plan=command.plan, project=command.project, content=command.content, source=command.source)
        return decide(None, create, actor, at, known)
    if plan.project != command.project:
        fault = Fault("/project", f"is {plan.project} for this plan and cannot be changed")
        raise Refused("invalid_body", "The file has 1 problem.", [fault])
    changed = differing(plan.content, wanted(plan, command))
    if not changed:
        return ()
    if plan.status in FINAL:
        detail = f"The plan has ended with {plan.status}; give the file a new key to release again."
        raise Refused("final", detail, status=plan.status)
    if command.base is not None and command.base != plan.version:
        detail = (
            f"The file was made from version {command.base}, and the plan is at version {plan.version} by now. "
            "Export it again, or take the line 'version' out to overwrite what was changed since."
        )
        raise Refused("version_conflict", detail, current_version=plan.version)
    return decide(plan, EditPlan(plan=plan.id, changes=Changes(**changed)), actor, at, known)  # type: ignore[arg-type]  # the names are those of the sections


def wanted(plan: Plan | None, command: ApplyPlan) -> Content:
    """The content that the plan is to have."""
    if plan is None or command.content.owner:
        return command.content
    return replace(command.content, owner=plan.content.owner)


def differing(before: Content, after: Content) -> dict[str, object]:
    """The sections that are not the same, as they are to be."""
    return {name: getattr(after, name) for name in SECTIONS if getattr(after, name) != getattr(before, name)}
