"""The rules of templates: put, delete, and make a plan from one.

Anybody may create a template; from then on its creator, its owners and administrators change it. What is stored can be
filled in: unknown placeholders, unsound parameters and a plan of the wrong shape are refused when the template is saved,
all of them at once.
"""

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from contracts.commands import Actor, CreatePlan, DeleteTemplate, FillTemplate, PutTemplate
from contracts.plan_events import Event, Source
from contracts.refusals import Fault, Refused
from contracts.rights import forbidden
from contracts.template import TemplateDeleted, TemplateRevised
from contracts.template_filling import fill, filled_values, template_faults
from contracts.template_state import TemplateState

LARGEST_BYTES = 48 * 1024
"""Of a template as JSON: an event holds 64 kB."""

VALUES_BYTES = 32 * 1024
"""Of all values as JSON: a plan keeps them in its first event, beside its name."""


def put(state: TemplateState | None, command: PutTemplate, actor: Actor) -> tuple[Event, ...]:
    """A new revision; `()` when the newest one is the same. Raises Refused(invalid_template) with every fault."""
    if state is not None:
        _demand_editor(state, actor)
    faults = template_faults(command.template)
    size = len(msgspec.json.encode(command.template))
    if size > LARGEST_BYTES:
        faults = (Fault("", f"has {size} bytes, more than {LARGEST_BYTES}", "too_large"), *faults)
    if faults:
        raise Refused("invalid_template", f"The template cannot be used: {len(faults)} to solve.", faults)
    if state is not None and not state.deleted and state.newest.template == command.template:
        return ()
    revision = 1 if state is None else state.newest.revision + 1
    return (TemplateRevised(name=command.name, revision=revision, template=command.template),)


def delete(state: TemplateState | None, command: DeleteTemplate, actor: Actor) -> tuple[Event, ...]:
    """It is offered no more; `()` when it was deleted before."""
    if state is None:
        raise no_template(command.name)
    _demand_editor(state, actor)
    return () if state.deleted else (TemplateDeleted(name=command.name),)


def plan_from(state: TemplateState | None, command: FillTemplate) -> CreatePlan:
    """The order to create the plan that these values make. Raises Refused."""
    revised = state.revision(command.revision) if state is not None else None
    if revised is None:
        raise no_template(command.template, command.revision)
    template = revised.template
    project = command.project or template.project
    if project is None:
        fault = Fault("/project", "is missing, and the template names none", "missing")
        raise Refused("invalid_values", "The plan needs a project.", [fault])
    content = fill(template, command.values)
    if command.name is not None:
        content = replace(content, name=command.name)
    values = filled_values(template, command.values)
    size = len(msgspec.json.encode(values))
    if size > VALUES_BYTES:
        fault = Fault("/values", f"have {size} bytes as JSON; at most {VALUES_BYTES} are kept with a plan", "too_large")
        raise Refused("invalid_values", "The values are too large together.", [fault])
    source = Source(kind="template", name=command.template, revision=revised.revision, values=values)
    return CreatePlan(plan=command.plan, project=project, content=content, source=source)


def told(state: TemplateState | None, events: tuple[Event, ...]) -> Mapping[str, int]:
    """What the answer says of a put: the revision that is in force."""
    revised = next((event for event in events if isinstance(event, TemplateRevised)), None)
    if revised is None and state is not None:
        revised = state.newest
    return {"revision": revised.revision} if revised is not None else {}


def no_template(name: str, revision: int | None = None) -> Refused:
    """There is none of this name, or not in this revision."""
    which = f" in revision {revision}" if revision is not None else ""
    return Refused("template_not_found", f"There is no template {name}{which}.")


def _demand_editor(state: TemplateState, actor: Actor) -> None:
    owners = state.newest.template.owner
    if not (actor.administrator or actor.id == state.created_by or actor.among(owners)):
        raise forbidden(actor, (state.created_by, *owners), "change this template")
