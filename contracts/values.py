"""The values that a plan is made of: who, what, when, under which rules.

A reference to people is a text: `user:olivia` or `group:sre`. Times are RFC 3339 with an offset, kept in UTC; the zone
that people think in stands beside them. Nothing here is a float and no number exceeds 2**53, so the sorted JSON of
these values is the RFC 8785 form that the seal hashes.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Ref = Annotated[
    str,
    Meta(
        pattern=r"^(user|group):[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$(?!\n)",
        max_length=110,
        title="user:NAME or group:NAME",
    ),
]
Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)",
        title="one line without tabs and other control characters",
    ),
]
Slug = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$(?!\n)",
        max_length=100,
        title="letters, digits, dots, dashes and underscores, a letter or digit first, such as web-shop_2.0",
    ),
]
ItemId = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$(?!\n)",
        max_length=64,
        title="letters, digits, dots, dashes and underscores, a letter or digit first, such as deploy-web",
    ),
]
InputName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$(?!\n)",
        max_length=64,
        title="letters, digits and underscores, no digit first, such as image_tag",
    ),
]
LongText = Annotated[str, Meta(max_length=20_000)]
ShortText = Annotated[str, Meta(max_length=2_000)]
Moment = Annotated[datetime, Meta(tz=True)]
Seconds = Annotated[int, Meta(ge=1, le=31_622_400)]

GateName = Literal["finish_planning", "start_execute", "all_job_done"]
GATES: tuple[GateName, ...] = ("finish_planning", "start_execute", "all_job_done")


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Something without identity: equal fields, equal value. Unknown fields are a fault, so a misspelt one is seen."""


class Window(Value, frozen=True):
    """When items may start: from `start` until before `end`. `zone` is an IANA name or `Anywhere on Earth`."""

    start: Moment
    end: Moment
    zone: Annotated[str, Meta(max_length=64)] = "UTC"


class Schedule(Value, frozen=True):
    """When the plan starts by itself. Missed by more than `catch_up_seconds` (we were down), it is skipped and recorded so."""

    at: Moment
    catch_up_seconds: Annotated[int, Meta(ge=0, le=604_800)] = 0


class Requirement(Value, frozen=True):
    """A sprint or an issue in a tracker that this release delivers."""

    tracker: Slug
    kind: Literal["sprint", "issue"]
    key: Name
    title: ShortText = ""
    url: (
        Annotated[
            str,
            Meta(
                max_length=2_000,
                pattern=r"^https?://[^\s<>\"]+$(?!\n)",
                title="an address such as https://tracker.example.com/WEB-12",
            ),
        ]
        | None
    ) = None


class Touch(Value, frozen=True):
    """A service in an environment that the release changes; two plans that touch the same one conflict."""

    service: Slug
    environment: Slug


class SubStep(Value, frozen=True):
    """One box of a text item that can be ticked by itself."""

    id: ItemId
    text: ShortText


class TextSpec(Value, frozen=True, tag_field="type", tag="text"):
    """Something that a person does and then confirms."""

    content: LongText = ""
    sub_steps: Annotated[tuple[SubStep, ...], Meta(max_length=500)] = ()


class WorkflowSpec(Value, frozen=True, tag_field="type", tag="workflow"):
    """A workflow to run. Without a `revision` the newest one at sealing is taken, and then kept.

    An input may use what an earlier item gave: `${items.build.outputs.image}` (`contracts.references`).
    """

    project: Slug
    workflow: Slug
    revision: Annotated[int, Meta(ge=1)] | None = None
    inputs: dict[InputName, LongText] = {}


class Item(Value, frozen=True):
    """One thing of the release content. `group` is the heading that it stands under, for people only."""

    id: ItemId
    name: Annotated[str, Meta(min_length=1, max_length=1_000)]
    spec: TextSpec | WorkflowSpec
    owner: Annotated[tuple[Ref, ...], Meta(max_length=50)] = ()
    needs: Annotated[tuple[ItemId, ...], Meta(max_length=100)] = ()
    may_fail: bool = False
    group: Annotated[str, Meta(max_length=1_000)] = ""


SealedSection = Literal["window", "schedule", "owner", "items", "approval", "gates", "rules"]


class ApprovalRule(Value, frozen=True):
    """`needed` different people out of `approvers` agree. A group counts its members.

    `on_reject`: the first rejection denies the plan, or (`quorum`) it is denied when too few are left to agree.
    `keep_votes`: a vote counts on after a reopening for the same seal only, or as long as the sections that it `signs` (none
    named: all) are unchanged. Who must agree and how the plan runs (`approval`, `rules`) are signed always.
    """

    approvers: Annotated[tuple[Ref, ...], Meta(min_length=1, max_length=100)]
    needed: Annotated[int, Meta(ge=1, le=100)] = 1
    on_reject: Literal["first_reject", "quorum"] = "first_reject"
    keep_votes: Literal["same_seal", "unchanged_sections"] = "same_seal"
    signs: Annotated[tuple[SealedSection, ...], Meta(max_length=7)] = ()


class ApprovalLevel(Value, frozen=True):
    """Rules that must all be met before the next level opens."""

    rules: Annotated[tuple[ApprovalRule, ...], Meta(min_length=1, max_length=20)]


class Approval(Value, frozen=True):
    """Who must agree. No levels: no approval is asked. `deadline_seconds` after submission the round expires.

    `remind_before_seconds`: so long before the deadline those who have not voted are reminded. `reject_needs_comment`: who
    rejects says why.
    """

    levels: Annotated[tuple[ApprovalLevel, ...], Meta(max_length=10)] = ()
    deadline_seconds: Seconds | None = None
    remind_before_seconds: Seconds | None = None
    reject_needs_comment: bool = False


SystemRef = Annotated[
    str,
    Meta(
        pattern=r"^(user|group|endpoint):[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$(?!\n)",
        max_length=110,
        title="user:NAME or group:NAME (told by the token), or endpoint:NAME (told by the signature)",
    ),
]


class GateRule(Value, frozen=True):
    """The plan waits at this gate for an answer by callback, `deadline_seconds` at most.

    With `systems` each of them must say success, and is known by the token or the signature that its callback brings;
    without, the first answer of anybody who may call back is the verdict.
    """

    deadline_seconds: Seconds = 86_400
    systems: Annotated[tuple[SystemRef, ...], Meta(max_length=20)] = ()


class Gates(Value, frozen=True):
    """Which of the three events wait for an outside answer; the others are only told."""

    finish_planning: GateRule | None = None
    start_execute: GateRule | None = None
    all_job_done: GateRule | None = None

    def rule(self, gate: GateName) -> GateRule | None:
        """The rule of one gate, `None` where it does not wait."""
        rule: GateRule | None = getattr(self, gate)
        return rule


class Rules(Value, frozen=True):
    """How the plan runs. `separation`: who may not approve, beside the rule that a person fills one slot.

    `run`: who starts workflow items. `by_hand`: people. `in_order`: the system, one after the other as they stand, in the
    name of the person who sealed. `by_needs`: likewise, each as soon as what it needs is settled, so branches run side by side.
    """

    start: Literal["on_approval", "by_owner"] = "on_approval"
    run: Literal["by_hand", "in_order", "by_needs"] = "by_hand"
    separation: Annotated[tuple[Literal["owner", "editors"], ...], Meta(max_length=2)] = ("owner", "editors")
    on_window_end: Literal["finish_running", "cancel_running"] = "finish_running"


class Content(Value, frozen=True):
    """Everything about a plan that people write, by sections. The field names are the names of the sections."""

    name: Name
    description: LongText = ""
    owner: Annotated[tuple[Ref, ...], Meta(max_length=50)] = ()
    labels: Annotated[tuple[Slug, ...], Meta(max_length=50)] = ()
    window: Window | None = None
    schedule: Schedule | None = None
    requirements: Annotated[tuple[Requirement, ...], Meta(max_length=200)] = ()
    touches: Annotated[tuple[Touch, ...], Meta(max_length=200)] = ()
    items: Annotated[tuple[Item, ...], Meta(max_length=10_000)] = ()
    approval: Approval = Approval()
    gates: Gates = Gates()
    rules: Rules = Rules()


class Changes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Some sections of a plan, with their new content. A section that is absent is unchanged; `null` empties it."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    description: LongText | msgspec.UnsetType = msgspec.UNSET
    owner: Annotated[tuple[Ref, ...], Meta(max_length=50)] | msgspec.UnsetType = msgspec.UNSET
    labels: Annotated[tuple[Slug, ...], Meta(max_length=50)] | msgspec.UnsetType = msgspec.UNSET
    window: Window | msgspec.UnsetType | None = msgspec.UNSET
    schedule: Schedule | msgspec.UnsetType | None = msgspec.UNSET
    requirements: Annotated[tuple[Requirement, ...], Meta(max_length=200)] | msgspec.UnsetType = msgspec.UNSET
    touches: Annotated[tuple[Touch, ...], Meta(max_length=200)] | msgspec.UnsetType = msgspec.UNSET
    items: Annotated[tuple[Item, ...], Meta(max_length=10_000)] | msgspec.UnsetType = msgspec.UNSET
    approval: Approval | msgspec.UnsetType = msgspec.UNSET
    gates: Gates | msgspec.UnsetType = msgspec.UNSET
    rules: Rules | msgspec.UnsetType = msgspec.UNSET

    def named(self) -> dict[str, object]:
        """The sections that are present, by name."""
        pairs = ((name, getattr(self, name)) for name in SECTIONS)
        return {name: value for name, value in pairs if value is not msgspec.UNSET}


SECTIONS: tuple[str, ...] = Content.__struct_fields__
