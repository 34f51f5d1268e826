"""Workflows as the plan needs them: a definition with revisions, in the stream `workflow-<id>`.

A definition is data. Inputs reach a script as environment variables and an HTTP step as `{{inputs.NAME}}` in its URL,
headers and body; nothing is ever pasted into a script's text. A credential input is given as `secret:NAME`, a name in
the key store, so that its value never comes near the log.
"""

import hashlib
from typing import Annotated, Any, Literal

from msgspec import Meta

from contracts.canonical import canonical
from contracts.hook_jobs import JobType
from contracts.plan_events import Event
from contracts.values import InputName, LongText, Name, Ref, ShortText, Slug, Value

Effect = Literal["pure", "idempotent", "detectable", "at_most_once"]


class WorkflowInput(Value, frozen=True):
    """A parameter. Without a default it must be given. `credential`: only as a reference to the key store."""

    name: InputName
    default: LongText | None = None
    credential: bool = False
    description: ShortText = ""


class ShownAs(Value, frozen=True):
    """How hooks describe a step to receivers that were written for the reference: the type and the specification of a job
    there (`contracts.hook_jobs`). Texts may hold `{{inputs.NAME}}`; what is a credential is masked. It changes nothing of
    what runs."""

    type: JobType
    spec: dict[str, Any] = {}


class ScriptStep(Value, frozen=True, tag_field="type", tag="script"):
    """A process: `script` under `/bin/sh`. Succeeds with exit code 0. A line `gonogo::output NAME=VALUE` is an output."""

    name: Slug
    script: LongText
    env: dict[InputName, LongText] = {}
    timeout_seconds: Annotated[int, Meta(ge=1, le=86_400)] = 600
    effect: Effect = "at_most_once"
    shown_as: ShownAs | None = None


class HttpStep(Value, frozen=True, tag_field="type", tag="http"):
    """A request, sent with `Idempotency-Key: <run>/<step>/<attempt>`. Succeeds with a status out of `expect`."""

    name: Slug
    url: Annotated[
        str, Meta(max_length=2_000, pattern=r"^https?://", title="an address such as https://ci.example.com/build")
    ]
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    headers: dict[str, ShortText] = {}
    body: LongText = ""
    expect: tuple[Annotated[int, Meta(ge=100, le=599)], ...] = (200, 201, 202, 204)
    timeout_seconds: Annotated[int, Meta(ge=1, le=3_600)] = 30
    effect: Effect = "at_most_once"
    shown_as: ShownAs | None = None


class Stage(Value, frozen=True):
    """Steps that run one after the other."""

    name: Slug
    steps: Annotated[tuple[ScriptStep | HttpStep, ...], Meta(min_length=1, max_length=100)]


class WorkflowDefinition(Value, frozen=True):
    """What runs, serially: stages of steps. `runners`: who may run it (empty: whoever may act on the item).

    `outputs`: what it promises to give, so that a plan that uses another one is refused at sealing. Empty: it does not say.
    """

    project: Slug
    name: Slug
    stages: Annotated[tuple[Stage, ...], Meta(min_length=1, max_length=50)]
    display_name: Name | None = None
    description: ShortText = ""
    inputs: Annotated[tuple[WorkflowInput, ...], Meta(max_length=100)] = ()
    runners: Annotated[tuple[Ref, ...], Meta(max_length=50)] = ()
    outputs: Annotated[tuple[InputName, ...], Meta(max_length=100)] = ()


class WorkflowRevised(Event, frozen=True, gc=False):
    """A new revision (1, 2, ...) of a workflow; equal to the stream's version."""

    revision: int
    definition: WorkflowDefinition
    digest: str


EVENTS: dict[str, type[Event]] = {"workflow.revised.v1": WorkflowRevised}
OWNERS: dict[str, tuple[str, ...]] = {"executor": ("workflow.revised.v1",)}


def workflow_stream(project: str, name: str) -> str:
    """The stream of a workflow. The id is a digest, because names may hold dots and a bus subject may not."""
    return "workflow-" + hashlib.sha256(f"{project}\x00{name}".encode()).hexdigest()[:24]


def workflow_digest(definition: WorkflowDefinition) -> str:
    """SHA-256 (hex) over the canonical form of the definition."""
    return hashlib.sha256(canonical(definition)).hexdigest()


def steps_of(definition: WorkflowDefinition) -> list[tuple[Stage, ScriptStep | HttpStep]]:
    """All steps in the order in which they run."""
    return [(stage, step) for stage in definition.stages for step in stage.steps]


def step_env(inputs: dict[str, str]) -> dict[str, str]:
    """The environment variables under which a script finds its inputs: `INPUT_<NAME>`, upper case."""
    return {f"INPUT_{name.upper()}": value for name, value in inputs.items()}
