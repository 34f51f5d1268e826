"""What a workflow's definition must be, and who may change it. Pure.

Any user may create a workflow. From then on its creator, its runners and administrators change it: whoever may run it
decides what it does, and nobody can quietly replace what others rely on. A plan is safe from changes in any case, since
it is sealed to a revision.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from contracts.commands import Actor, PutWorkflow
from contracts.plan_events import Event
from contracts.refusals import Fault, Refused
from contracts.rights import forbidden
from contracts.workflow import (
    HttpStep,
    ScriptStep,
    WorkflowDefinition,
    WorkflowRevised,
    steps_of,
    workflow_digest,
)
from services.executor.decider.shown import shown_faults
from services.executor.views import Workflow

DEFINITION_BYTES = 32 * 1024
_REFERENCE = re.compile(r"\{\{([^{}]*)\}\}")
_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)@")
_RESERVED = ("GONOGO_", "INPUT_")


def put(workflow: Workflow | None, command: PutWorkflow, actor: Actor) -> tuple[Event, ...]:
    """A new revision; `()` when the newest one is the same. Raises Refused(invalid_workflow) with every fault."""
    definition = command.definition
    if workflow is not None:
        _demand_editor(workflow, actor)
    faults = tuple(_faults(definition))
    if faults:
        raise Refused("invalid_workflow", f"Workflow {definition.project}/{definition.name} is not sound.", faults)
    digest = workflow_digest(definition)
    if workflow is not None and workflow.newest.definition == definition:
        return ()
    revision = 1 if workflow is None else workflow.newest.revision + 1
    return (WorkflowRevised(revision=revision, definition=definition, digest=digest),)


def _demand_editor(workflow: Workflow, actor: Actor) -> None:
    runners = workflow.newest.definition.runners
    if not (actor.administrator or actor.id == workflow.created_by or actor.among(runners)):
        raise forbidden(actor, (workflow.created_by, *runners), "change this workflow")


def _faults(definition: WorkflowDefinition) -> Iterator[Fault]:
    size = len(msgspec.json.encode(definition))
    if size > DEFINITION_BYTES:
        yield Fault("", f"has {size} bytes, more than {DEFINITION_BYTES}", "too_large")
    inputs = [one.name for one in definition.inputs]
    yield from _twice("/inputs", (name.upper() for name in inputs), "an input of this name (upper or lower case)")
    for i, one in enumerate(definition.inputs):
        if one.credential and one.default is not None and not one.default.startswith("secret:"):
            yield Fault(f"/inputs/{i}/default", "is a credential: give it as secret:NAME", "credential_in_clear")
    yield from _twice("/outputs", definition.outputs, "an output of this name")
    yield from _twice("/stages", (stage.name for stage in definition.stages), "a stage of this name")
    yield from _twice("/steps", (step.name for _, step in steps_of(definition)), "a step of this name")
    for s, stage in enumerate(definition.stages):
        for t, step in enumerate(stage.steps):
            yield from _step_faults(f"/stages/{s}/steps/{t}", step, frozenset(inputs))


def _twice(path: str, names: Iterable[str], what: str) -> Iterator[Fault]:
    for name, count in Counter(names).items():
        if count > 1:
            yield Fault(path, f"{name}: there is {what} {count} times", "duplicate")


def _step_faults(path: str, step: ScriptStep | HttpStep, inputs: frozenset[str]) -> Iterator[Fault]:
    if step.effect == "detectable":
        detail = "cannot be found again after a crash by this type of step; say idempotent or at_most_once"
        yield Fault(f"{path}/effect", detail, "effect_class")
    if step.shown_as is not None:
        yield from shown_faults(f"{path}/shown_as", step.shown_as)
    match step:
        case ScriptStep():
            for name in step.env:
                if name.upper().startswith(_RESERVED):
                    yield Fault(
                        f"{path}/env/{name}", "is ours: GONOGO_ and INPUT_ names are given by GoNoGo", "reserved"
                    )
            if "\x00" in step.script or any("\x00" in value for value in step.env.values()):
                yield Fault(f"{path}/script", "holds a NUL character, which no process can be given")
        case HttpStep():
            if step.effect == "pure" and step.method not in {"GET", "HEAD"}:
                yield Fault(
                    f"{path}/effect", f"{step.method} is not pure; say idempotent or at_most_once", "effect_class"
                )
            if not step.expect:
                yield Fault(f"{path}/expect", "is empty, so the step could never pass")
            if _tells_credential(step.url):
                detail = (
                    "carries a user or password, which everybody would see; use a credential input: {{inputs.NAME}}"
                )
                yield Fault(f"{path}/url", detail, "credential_in_clear")
            for where, text in (("url", step.url), ("body", step.body), *_headers(step)):
                yield from _reference_faults(f"{path}/{where}", text, inputs)


def _tells_credential(url: str) -> bool:
    """Whether something is written out before the `@` of the host: the password, or what stands there alone."""
    authority = _AUTHORITY.match(url)
    if authority is None:
        return False
    user, colon, password = _REFERENCE.sub("", authority[1]).partition(":")
    return bool(password if colon else user)


def _headers(step: HttpStep) -> Iterator[tuple[str, str]]:
    return ((f"headers/{name}", value) for name, value in step.headers.items())


def _reference_faults(path: str, text: str, inputs: frozenset[str]) -> Iterator[Fault]:
    for reference in map(str.strip, _REFERENCE.findall(text)):
        scope, _, name = reference.partition(".")
        if scope != "inputs" or name not in inputs:
            yield Fault(path, f"{{{{{reference}}}}} names no input of this workflow", "unknown_input")
