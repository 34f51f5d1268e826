"""The bodies of the HTTP interface about templates; see `contracts.http` for what holds for all of them."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from contracts.command import PlanId
from contracts.http import Answered, Read
from contracts.template import Template
from contracts.values import InputName, LongText, Name, Slug


class FilledTemplate(Read, frozen=True, kw_only=True):
    """A plan to make from a template: its parameters' values, by name. `project` and `name` replace the template's."""

    values: Annotated[dict[InputName, LongText | int | bool], Meta(max_length=50)] = {}
    revision: Annotated[int, Meta(ge=1)] | None = None
    project: Slug | None = None
    name: Name | None = None


class FromPlan(Read, frozen=True, kw_only=True):
    """The plan whose content becomes a template."""

    plan: PlanId


class TemplateQuery(Read, frozen=True, kw_only=True):
    """`revision` counts from 1; without it the newest."""

    revision: Annotated[int, Meta(ge=1)] | None = None


class TemplatesQuery(Read, frozen=True, kw_only=True):
    """A page of the list of templates."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 100
    cursor: Annotated[str, Meta(max_length=500)] = ""


class TemplateView(Answered, frozen=True, kw_only=True):
    """One revision of a template. `deleted`: it is offered no more. `put_by` and `put_at` are the newest revision's."""

    name: str
    revision: int
    template: Template
    put_by: str
    put_at: datetime
    created_by: str
    deleted: bool
    version: int


class TemplateRow(Answered, frozen=True, kw_only=True):
    """One line of the list of templates; `parameters` and `items` count them."""

    name: str
    description: str
    project: str | None
    revision: int
    parameters: int
    items: int
    put_by: str
    put_at: datetime
    version: int


class TemplatePage(Answered, frozen=True, kw_only=True):
    """By name. `next` is the cursor of the next page, `null` at the end."""

    templates: tuple[TemplateRow, ...]
    next: str | None
