"""A plan as a file: all of its sections, and which plan it is.

A file says which plan it describes by its `project` and a `key` that stays the same for as long as this release is meant:
the id of the plan follows from both, so applying the file twice finds the same plan and two people cannot create it twice.
A plan that was not made from a file is named by its id instead (`plan`). A section that the file does not have is empty,
but for `owner`: without it the owner stays who it is.
"""

import hashlib
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from contracts.commands import PlanId
from contracts.plan_events import Source
from contracts.refusals import Fault
from contracts.values import Content, Slug

SCHEMA_PATH = "/schemas/plan-file.json"
"""Where the gateway serves the JSON Schema of plan files."""

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

FileKey = Annotated[
    Slug, Meta(description="Stays the same for as long as this release is meant, such as release-1.37.")
]
Base = Annotated[
    int, Meta(ge=1, description="The version that the file was exported from: a newer plan is not changed.")
]


class PlanFile(Content, frozen=True, kw_only=True):
    """A release plan as a file. Exactly one of `key` and `plan` says which plan it is."""

    project: Slug
    key: FileKey | None = None
    plan: Annotated[PlanId, Meta(description="Id of a plan that was not made from a file.")] | None = None
    version: Base | None = None

    def content(self) -> Content:
        """The sections alone."""
        return Content(**{name: getattr(self, name) for name in Content.__struct_fields__})

    @property
    def plan_id(self) -> str:
        """The id of the plan that is meant."""
        return self.plan or plan_of_key(self.project, self.key or "")

    @property
    def source(self) -> Source | None:
        """Where a plan comes from that this file creates; `None` where it names a plan that must be there."""
        return Source(kind="file", name=self.key) if self.key is not None else None


def plan_of_key(project: str, key: str) -> str:
    """The id of the plan that files with this key describe."""
    return hashlib.sha256("\x00".join(("plan-file", project, key)).encode()).hexdigest()[:24]


def identity_faults(key: object, plan: object) -> Iterator[Fault]:
    """Exactly one of the two says which plan it is."""
    if key is None and plan is None:
        yield Fault("/key", "is missing; give the plan a key that stays, such as release-1.37", "missing")
    elif key is not None and plan is not None:
        yield Fault("/plan", "stands beside key; one of them says which plan it is")


def plan_file_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a plan file, for editors."""
    schema = msgspec.json.schema(PlanFile)
    schema |= {"$schema": _DIALECT, "$id": "urn:gonogo:plan-file", "title": "GoNoGo release plan"}
    body = schema["$defs"]["PlanFile"]
    body["oneOf"] = [{"required": ["key"]}, {"required": ["plan"]}]
    return schema


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What applying a file did, or would do: `sections` are those that differ.

    A dry run tells them before and after in `changes`, unless that is too much for one answer. `version` and `position` are
    those of the plan afterwards; of a dry run those of the plan as it is, 0 for none.
    """

    id: str
    version: int
    position: int
    outcome: Literal["created", "changed", "unchanged"]
    dry_run: bool
    sections: tuple[str, ...]
    changes: dict[str, "SectionChange"]


class SectionChange(msgspec.Struct, frozen=True, kw_only=True):
    """A section as it was (`null`: there was no plan) and as it is to be."""

    before: Any
    after: Any
