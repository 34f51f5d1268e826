"""Templates of plans: a plan with placeholders, and the parameters that fill them. Kept in the stream `template-<id>`.

`{{NAME}}` in a text stands for the parameter of that name, and nothing else stands for anything: no expressions, no code.
`\\{{` is a plain `{{`. What a parameter is given is put in as it is and never read again, so it can neither bring in
further placeholders nor change the structure of the plan.
"""

import hashlib
from typing import Annotated, Any, Literal

from msgspec import Meta

from contracts.plan_events import Event
from contracts.values import Content, InputName, LongText, Ref, ShortText, Slug, Value

ParameterType = Literal["string", "choice", "integer", "boolean", "moment"]


class Parameter(Value, frozen=True):
    """Something to fill in. A `choice` is one of `choices`; a `string` matches `pattern` as a whole, where it has one.

    `default` is written as the value would be: `3`, `true`, `2026-11-20T20:00:00+01:00`. Without one the parameter must be
    given, unless it is not `required`: then it is the empty text.
    """

    name: InputName
    type: ParameterType = "string"
    description: ShortText = ""
    default: LongText | None = None
    required: bool = True
    pattern: Annotated[str, Meta(max_length=200)] = ""
    choices: Annotated[tuple[ShortText, ...], Meta(max_length=100)] = ()


class _About(Value, frozen=True, kw_only=True):
    """`owner`: who may change the template besides its creator and administrators. `project`: of plans made from it."""

    parameters: Annotated[tuple[Parameter, ...], Meta(max_length=50)] = ()
    description: ShortText = ""
    owner: Annotated[tuple[Ref, ...], Meta(max_length=50)] = ()
    project: Slug | None = None


class Template(_About, frozen=True, kw_only=True):
    """A template. `plan` has the sections of a plan (`contracts.values.Content`), with placeholders in its texts."""

    plan: dict[str, Any]


class TemplateFile(_About, frozen=True, kw_only=True):
    """A template as people write it: the shape that a file is held against, placeholders apart."""

    plan: Content


class TemplateRevised(Event, frozen=True, gc=False):
    """A new revision (1, 2, ...) of a template."""

    name: str
    revision: int
    template: Template


class TemplateDeleted(Event, frozen=True, gc=False):
    """The template is offered no more. Its revisions stay, for the plans that were made from them."""

    name: str


EVENTS: dict[str, type[Event]] = {
    "template.revised.v1": TemplateRevised,
    "template.deleted.v1": TemplateDeleted,
}
OWNERS: dict[str, tuple[str, ...]] = {"planner": tuple(EVENTS)}


def template_stream(name: str) -> str:
    """The stream of a template. The id is a digest, because names may hold dots and a bus subject may not."""
    return "template-" + hashlib.sha256(f"template\x00{name}".encode()).hexdigest()[:24]
