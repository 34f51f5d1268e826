"""Every problem that keeps a plan from being a plan, or from being sealed: all of them at once, each with its path.

Pure, part of the planner's decider. Paths are JSON Pointers into the plan's content.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from contracts.moments import micros
from contracts.plan import Plan
from contracts.references import references
from contracts.refusals import Fault
from contracts.values import GATES, Content, Item, WorkflowSpec
from contracts.workflow import WorkflowDefinition
from services.planner.decider.approvers import approver_faults
from services.planner.decider.structure import structural_faults

if TYPE_CHECKING:
    from services.planner.decider import Known

ANYWHERE_ON_EARTH = "Anywhere on Earth"


def sealing_faults(plan: Plan, at: int, known: "Known") -> tuple[Fault, ...]:
    """What keeps this plan from being sealed at this time (Unix µs)."""
    content = plan.content
    return (
        *structural_faults(content),
        *_people(content, known.people),
        *_times(content, at, known.zones),
        *_items(content, known),
        *approver_faults(plan, known),
    )


def _people(content: Content, people: frozenset[str]) -> Iterator[Fault]:
    if not content.owner:
        yield Fault("/owner", "names nobody", "owner_missing")
    yield from _unknown(content.owner, people, "/owner")
    for i, item in enumerate(content.items):
        yield from _unknown(item.owner, people, f"/items/{i}/owner")
    for i, level in enumerate(content.approval.levels):
        for j, rule in enumerate(level.rules):
            yield from _unknown(rule.approvers, people, f"/approval/levels/{i}/rules/{j}/approvers")
    for gate in GATES:
        asked = content.gates.rule(gate)
        if asked is not None:
            yield from _unknown(asked.systems, people, f"/gates/{gate}/systems")


def _unknown(refs: tuple[str, ...], people: frozenset[str], path: str) -> Iterator[Fault]:
    for i, ref in enumerate(refs):
        if ref not in people:
            yield Fault(f"{path}/{i}", f"{ref} does not exist", "unknown_person")


def _times(content: Content, at: int, zones: frozenset[str]) -> Iterator[Fault]:
    window, schedule = content.window, content.schedule
    if window is not None:
        if micros(window.end) <= at:
            yield Fault("/window/end", "is in the past", "window_past")
        if window.zone != ANYWHERE_ON_EARTH and window.zone not in zones:
            yield Fault("/window/zone", f"{window.zone} is no time zone; give an IANA name", "unknown_zone")
    if schedule is not None:
        if micros(schedule.at) + schedule.catch_up_seconds * 1_000_000 <= at:
            yield Fault("/schedule/at", "is in the past", "schedule_past")
        if window is not None and not window.start <= schedule.at < window.end:
            yield Fault("/schedule/at", "is outside the window", "schedule_outside_window")


def _items(content: Content, known: "Known") -> Iterator[Fault]:
    if not content.items:
        yield Fault("/items", "is empty; a plan releases at least one item", "no_items")
    ids = {item.id for item in content.items}
    for i, item in enumerate(content.items):
        for j, need in enumerate(item.needs):
            if need not in ids:
                yield Fault(f"/items/{i}/needs/{j}", f"there is no item {need}", "unknown_item")
        if isinstance(item.spec, WorkflowSpec):
            yield from _workflow(i, item, item.spec, known)
    yield from _cycles(content.items)


def _workflow(i: int, item: Item, spec: WorkflowSpec, known: "Known") -> Iterator[Fault]:
    definition = known.definitions.get(item.id)
    if definition is None:
        which = f" with revision {spec.revision}" if spec.revision else ""
        detail = f"there is no workflow {spec.project}/{spec.workflow}{which}"
        yield Fault(f"/items/{i}/spec/workflow", detail, "workflow_not_found")
        return
    yield from _inputs(f"/items/{i}/spec/inputs", spec, definition)


def _inputs(path: str, spec: WorkflowSpec, definition: WorkflowDefinition) -> Iterator[Fault]:
    declared = {one.name: one for one in definition.inputs}
    for name in spec.inputs:
        if name not in declared:
            yield Fault(f"{path}/{name}", f"the workflow has no input {name}", "unknown_input")
        elif declared[name].credential and references(spec.inputs[name]):
            detail = "is a credential; give secret:NAME, an output is in the log for everybody to read"
            yield Fault(f"{path}/{name}", detail, "credential_in_clear")
        elif declared[name].credential and not spec.inputs[name].startswith("secret:"):
            yield Fault(f"{path}/{name}", "is a credential; give secret:NAME, never its value", "credential_in_clear")
    for one in definition.inputs:
        if one.default is None and one.name not in spec.inputs:
            yield Fault(f"{path}/{one.name}", "is required by the workflow", "input_missing")


def _cycles(items: tuple[Item, ...]) -> Iterator[Fault]:
    """Items whose needs lead back to themselves: those that are left when everything startable has been taken away."""
    known = {item.id for item in items}
    open_needs = {item.id: len(known.intersection(item.needs)) for item in items}
    wanted_by: dict[str, list[str]] = {}
    for item in items:
        for need in set(item.needs):
            wanted_by.setdefault(need, []).append(item.id)
    ready = [one for one, count in open_needs.items() if not count]
    while ready:
        done = ready.pop()
        known.discard(done)
        for waiting in wanted_by.get(done, ()):
            open_needs[waiting] -= 1
            if not open_needs[waiting]:
                ready.append(waiting)
    for i, item in enumerate(items):
        if item.id in known:
            yield Fault(f"/items/{i}/needs", f"{item.id} can never start: its needs form a circle", "needs_circle")
