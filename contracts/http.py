"""The bodies of the HTTP interface: what the gateway reads and what it answers. Other teams' clients are written to these.

A body that is read refuses unknown fields, so that a misspelt one is seen; the callback alone lets them pass, since
systems written for the seed may send more. A body that is answered has every field, always. What the log keeps too (the
sections inside `content`, definitions, freezes, filters, sources, next moves) leaves out in it what has its default, and a
problem has `faults` only where there are some. Times are RFC 3339 in UTC, `null` for "not yet". `version` is the stream's
(the ETag), `position` the log's.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from contracts.command import PlanId
from contracts.delivery import Format, Signing
from contracts.http_approval import DelegationView, EmergencyView
from contracts.http_base import Answered as Answered
from contracts.http_base import Read as Read
from contracts.plan import ItemStatus, Status
from contracts.plan_events import ResolvedWorkflow, Source
from contracts.record import Entry
from contracts.refusals import Fault
from contracts.saved_list import Filters
from contracts.values import (
    Content,
    GateName,
    InputName,
    Item,
    ItemId,
    LongText,
    Moment,
    Name,
    Ref,
    ShortText,
    Slug,
)
from contracts.workflow import Stage, WorkflowDefinition, WorkflowInput

PROBLEM_TYPE = "https://gonogo.dev/problems/"
"""Put the code of a refusal behind it: the `type` of a problem (RFC 9457). It is a name; nothing need answer there."""


Email = Annotated[
    str,
    Meta(
        max_length=254,
        title="an e-mail address such as olivia@example.com, or empty",
        pattern=r"^([^\s@<>()\[\]\\,;:\"\x00-\x20\x7f-\U0010ffff]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]*)?$(?!\n)",
    ),
]
"""An address of the plain kind (RFC 5321 `Dot-string` in ASCII); nothing in it can end a header or begin another."""


# What is sent to us


class NewPlan(Content, frozen=True, kw_only=True):
    """A plan to create: its project, and any of its sections."""

    project: Slug

    def content(self) -> Content:
        """The sections alone."""
        return Content(**{name: getattr(self, name) for name in Content.__struct_fields__})


class CopyOf(Read, frozen=True, kw_only=True):
    """`name` of the new plan; without it the old one's is used, marked as a copy."""

    name: Name | None = None


class Nothing(Read, frozen=True, kw_only=True):
    """An order without details: no body, or `{}`."""


class Reason(Read, frozen=True, kw_only=True):
    """Why. Some orders refuse an empty reason."""

    reason: ShortText = ""


class Completion(Read, frozen=True, kw_only=True):
    remark: LongText = ""


class Tick(Read, frozen=True, kw_only=True):
    step: ItemId
    ticked: bool = True


class WorkflowBody(Read, frozen=True, kw_only=True):
    """A definition; project and name are those of the address and may be repeated here."""

    stages: Annotated[tuple[Stage, ...], Meta(min_length=1, max_length=50)]
    project: Slug | None = None
    name: Slug | None = None
    display_name: Name | None = None
    description: ShortText = ""
    inputs: Annotated[tuple[WorkflowInput, ...], Meta(max_length=100)] = ()
    runners: Annotated[tuple[Ref, ...], Meta(max_length=50)] = ()
    outputs: Annotated[tuple[InputName, ...], Meta(max_length=100)] = ()


EventPattern = Annotated[
    str,
    Meta(
        max_length=100,
        pattern=r"^[a-z*>][a-z0-9_.*>]*$(?!\n)",
        title="a hook or a pattern such as start_execute, item.finished.v1, plan.* or gate.>",
    ),
]


class EndpointBody(Read, frozen=True, kw_only=True):
    """Where hooks go. `secret` signs them; it is kept apart and never shown again. Absent: the one kept before stays.

    `events`: hooks of the reference by name, and, for the formats `standard` and `both`, patterns over event types: `plan.*`,
    `item.finished.v1`, `gate.>`. The scope is one `plan`, or the plans of a `project`, or all. `ordered`: a hook of a plan
    waits for the one before it. `signing: ed25519` makes a key pair here, whose public half is shown; no secret is given
    then. `verify`: nothing goes there before the address has echoed a challenge.
    """

    url: Annotated[
        str,
        Meta(
            max_length=2_000,
            pattern=r"^https?://[^\s]+$(?!\n)",
            title="an address such as https://ci.example.com/hooks",
        ),
    ]
    secret: Annotated[str, Meta(min_length=8, max_length=1_000)] | None = None
    events: Annotated[tuple[EventPattern, ...], Meta(max_length=50)] = (
        "finish_planning",
        "start_execute",
        "all_job_done",
    )
    enabled: bool = True
    format: Format = "zadig"
    project: Slug | None = None
    plan: PlanId | None = None
    ordered: bool = False
    concurrency: Annotated[int, Meta(ge=1, le=64)] = 4
    rate_per_minute: Annotated[int, Meta(ge=0, le=60_000)] = 0
    signing: Signing = "hmac"
    verify: bool = False


class RotationBody(Read, frozen=True, kw_only=True):
    """A new signing secret; absent for an endpoint that signs with a key pair, which gets a new one.

    For `overlap_seconds` every hook has two signatures, one by the secret before, so a receiver can change over at leisure.
    """

    secret: Annotated[str, Meta(min_length=8, max_length=1_000)] | None = None
    overlap_seconds: Annotated[int, Meta(ge=0, le=2_592_000)] = 86_400


class UserBody(Read, frozen=True, kw_only=True):
    """`groups` without their prefix `group:`. One who is not `active` is let in no more; nobody is deleted.

    `email` is where letters about approvals go; absent: the address that is kept stays, empty: it is forgotten.
    """

    name: ShortText = ""
    groups: Annotated[tuple[Slug, ...], Meta(max_length=100)] = ()
    administrator: bool = False
    active: bool = True
    email: Email | None = None


class TokenBody(Read, frozen=True, kw_only=True):
    """`label` says what the token is for; `expires_at` until when it holds (absent: until it is taken back)."""

    label: ShortText = ""
    expires_at: Moment | None = None


class SecretBody(Read, frozen=True, kw_only=True):
    """At least 4 characters: a shorter secret could not be masked in a log without garbling it and telling it."""

    value: Annotated[str, Meta(min_length=4, max_length=20_000)]


class Callback(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of an outside system to a hook, field for field as the seed has it. `executing` is progress."""

    hook_event: GateName
    release_plan_id: Annotated[str, Meta(max_length=64)]
    instance_code: Annotated[str, Meta(max_length=64)]
    result: Literal["success", "failed", "executing"]
    failed_reason: ShortText = ""
    description: ShortText = ""


# What may stand behind the question mark


class PlanQuery(Filters, frozen=True, kw_only=True):
    """Filters with their order. `saved`: those of this list of yours, for whatever the address itself does not say.

    `min_position`: not before the list contains the log up to there (what a write answered).
    """

    saved: Slug | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    cursor: Annotated[str, Meta(max_length=2_000)] = ""
    min_position: Annotated[int, Meta(ge=0)] = 0


class RecordQuery(Read, frozen=True, kw_only=True):
    """Filters are combined by "and"; several values of one filter by "or". `target` as the entries have it (`item deploy`);
    `since` and `until`: what happened from the one until before the other.
    """

    actor: tuple[Annotated[str, Meta(max_length=200)], ...] = ()
    verb: tuple[Annotated[str, Meta(max_length=100)], ...] = ()
    target: tuple[Annotated[str, Meta(max_length=1_100)], ...] = ()
    channel: tuple[Annotated[str, Meta(max_length=100)], ...] = ()
    since: Moment | None = None
    until: Moment | None = None
    order: Literal["newest", "oldest"] = "newest"
    limit: Annotated[int, Meta(ge=1, le=500)] = 100
    cursor: Annotated[str, Meta(max_length=200)] = ""
    min_position: Annotated[int, Meta(ge=0)] = 0


class ImportQuery(Read, frozen=True, kw_only=True):
    """`name` of the plan; without it the checklist's title. `source` says where the text came from, for the record."""

    project: Slug
    name: Name | None = None
    source: Annotated[str, Meta(max_length=200)] = ""


class ApplyQuery(Read, frozen=True, kw_only=True):
    """`dry_run`: decide everything, say what differs, and change nothing."""

    dry_run: bool = False


class LogQuery(Read, frozen=True, kw_only=True):
    """`attempt` counts from 1; without it the newest. `offset` in bytes: what comes after what you have."""

    attempt: Annotated[int, Meta(ge=1)] | None = None
    offset: Annotated[int, Meta(ge=0)] = 0


class WorkflowQuery(Read, frozen=True, kw_only=True):
    """`revision` counts from 1; without it the newest."""

    revision: Annotated[int, Meta(ge=1)] | None = None


class FeedQuery(Read, frozen=True, kw_only=True):
    """`plan`: only what concerns this plan. `after`: from this log position on, where no Last-Event-ID says it.

    `epoch`: the answer's header Gonogo-Epoch when you got that position. Where the log has another one it was restored from a
    backup, and you are told so (`another_log`); begin anew without both.
    """

    plan: PlanId | None = None
    after: Annotated[int, Meta(ge=0)] | None = None
    epoch: Annotated[str, Meta(max_length=64)] | None = None


# What we answer


class Done(Answered, frozen=True, kw_only=True):
    """The order is in the log for ever, up to `position`; what it was about is now at `version`.

    `changed` is false where it was so already: then nothing is at another version than before.
    """

    id: str
    version: int
    position: int
    changed: bool


class CalledBack(Answered, frozen=True, kw_only=True):
    """The seed's answer to a callback: the plan's id."""

    id: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 9457. `code` is stable; `faults` lists all that is wrong with their paths; further members are facts."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    trace_id: str
    faults: tuple[Fault, ...] = ()


class SealView(Answered, frozen=True, kw_only=True):
    value: str
    sections: dict[str, str]
    items: dict[str, str]
    workflows: dict[str, ResolvedWorkflow]
    by: str
    at: datetime


class VoteView(Answered, frozen=True, kw_only=True):
    """`counts`: the vote is for what is asked about now. `person` is whose slot it fills, `on_behalf_of` who delegated it.

    `groups` are the groups of that person at the time of the vote.
    """

    by: str
    person: str
    on_behalf_of: str
    groups: tuple[str, ...]
    vote: Literal["approve", "reject"]
    seal: str
    at: datetime
    channel: str
    comment: str
    counts: bool


class RuleView(Answered, frozen=True, kw_only=True):
    """`missing` more of these approvers must agree. A group counts its members; one person fills one slot."""

    approvers: tuple[str, ...]
    needed: int
    missing: int
    on_reject: Literal["first_reject", "quorum"]
    keep_votes: Literal["same_seal", "unchanged_sections"]
    signs: tuple[str, ...]


class LevelView(Answered, frozen=True, kw_only=True):
    """A level is asked when the ones before it are met."""

    state: Literal["met", "asked", "later"]
    rules: tuple[RuleView, ...]


class ApprovalView(Answered, frozen=True, kw_only=True):
    """The newest round, what it still needs by level, and who is asked now.

    Before a submission the votes that were cast early count already. `emergencies` are those of all rounds.
    """

    round: int
    state: Literal["none", "open", "passed", "denied", "expired", "closed"]
    seal: str
    submitted_at: datetime | None
    submitted_by: str
    deadline: datetime | None
    decided_at: datetime | None
    reason: str
    votes: tuple[VoteView, ...]
    levels: tuple[LevelView, ...]
    waiting_for: tuple[str, ...]
    reminded_at: datetime | None
    remind_at: datetime | None
    delegations: tuple[DelegationView, ...]
    emergencies: tuple[EmergencyView, ...]


class SystemView(Answered, frozen=True, kw_only=True):
    """One of the systems that a round asks, and what it has said."""

    system: str
    result: Literal["waiting", "success", "failed", "executing"]
    text: str
    at: datetime | None


class GateView(Answered, frozen=True, kw_only=True):
    """`waits`: the plan waits here for an answer. `instance_code` is the code that a callback must bring.

    `systems` must all say success; without any, the first verdict counts.
    """

    waits: bool
    systems: tuple[SystemView, ...]
    round: int
    state: Literal["none", "due", "open", "passed", "failed", "expired", "overridden", "closed"]
    instance_code: str
    deadline: datetime | None
    opened_at: datetime | None
    answered_at: datetime | None
    text: str


class AttemptView(Answered, frozen=True, kw_only=True):
    number: int
    by: str
    started_at: datetime | None
    ended_at: datetime | None
    outcome: Literal["", "done", "failed", "cancelled"]
    error: str
    run: str
    log: str
    outputs: dict[str, str]


class ItemView(Answered, frozen=True, kw_only=True):
    """An item as it is written and how far it is. `ready`: what it needs is settled.

    `held`: why the system did not start it, though the plan has it do so. `stopping`: why its attempt is being cancelled.
    """

    item: Item
    status: ItemStatus
    ready: bool
    attempts: tuple[AttemptView, ...]
    ticked: tuple[str, ...]
    remark: str
    reason: str
    held: str
    stopping: str
    by: str
    at: datetime | None


class TimesView(Answered, frozen=True, kw_only=True):
    """Milestones of this pass."""

    planning: datetime | None
    finish_planning: datetime | None
    approval: datetime | None
    executing: datetime | None
    success: datetime | None
    ended: datetime | None


class DriftView(Answered, frozen=True, kw_only=True):
    item: str
    fields: tuple[str, ...]
    at: datetime


class StartOverrideView(Answered, frozen=True, kw_only=True):
    """Rules of time (`window`, `schedule`) that somebody who may has put aside for this plan."""

    rules: tuple[str, ...]
    reason: str
    by: str
    at: datetime


class NextStep(Answered, frozen=True, kw_only=True):
    """Something that may be done now, and by whom. `verb` is the last part of the address (`seal`, `vote`, ...).

    An empty `by` means that no person does it: the system acts, or an outside answer is awaited until `until`.
    """

    verb: str
    by: tuple[str, ...]
    detail: str
    item: str = ""
    gate: str = ""
    until: datetime | None = None


class FrozenView(Answered, frozen=True, kw_only=True):
    """One occurrence of a freeze, from `start` until before `end`."""

    freeze: str
    name: str
    start: datetime
    end: datetime


class HoldView(Answered, frozen=True, kw_only=True):
    """The plan would have started, but for this freeze; it is looked at again at `until`."""

    freeze: str
    name: str
    until: datetime
    since: datetime


class FreezeOverrideView(Answered, frozen=True, kw_only=True):
    """Occurrences that do not hold this plan: who said so, why."""

    freezes: tuple[FrozenView, ...]
    reason: str
    by: str
    at: datetime


class PlanView(Answered, frozen=True, kw_only=True):
    """A plan as the log has it at `version` and `position`. `next` says what may be done now and by whom."""

    id: str
    index: int
    project: str
    status: Status
    reason: str
    version: int
    position: int
    content: Content
    items: tuple[ItemView, ...]
    seal: SealView | None
    approval: ApprovalView
    gates: dict[GateName, GateView]
    times: TimesView
    drift: DriftView | None
    review_owed: bool
    start_override: StartOverrideView | None
    start_requested: str
    schedule_missed: bool
    held: HoldView | None
    freeze_overrides: tuple[FreezeOverrideView, ...]
    settled: bool
    source: Source | None
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime
    next: tuple[NextStep, ...]


class PlanRow(Answered, frozen=True, kw_only=True):
    """One line of a list of plans."""

    id: str
    index: int
    project: str
    name: str
    status: Status
    owners: tuple[str, ...]
    labels: tuple[str, ...]
    window_start: datetime | None
    window_end: datetime | None
    zone: str
    touches: tuple[str, ...]
    item_owners: tuple[str, ...]
    waiting_for: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    updated_by: str
    version: int
    position: int
    review_owed: bool


class SavedListView(Answered, frozen=True, kw_only=True):
    """`filters` has what is not the default."""

    name: str
    filters: Filters


class SavedListPage(Answered, frozen=True, kw_only=True):
    lists: tuple[SavedListView, ...]


class PlanPage(Answered, frozen=True, kw_only=True):
    """`next` is the cursor of the next page, `null` at the end. The list contains the log up to `position` at least."""

    plans: tuple[PlanRow, ...]
    next: str | None
    position: int


class RecordPage(Answered, frozen=True, kw_only=True):
    """The operation record. `next` is the cursor of the next page; the record contains the log up to `position`."""

    entries: tuple[Entry, ...]
    next: str | None
    position: int


class StepView(Answered, frozen=True, kw_only=True):
    """`output_bytes` and `output_sha256` describe what the step printed, kept beside the log."""

    stage: str
    name: str
    type: Literal["script", "http"]
    state: Literal["todo", "running", "passed", "failed", "cancelled", "timeout", "unknown"]
    attempt: int
    started_at: datetime | None
    ended_at: datetime | None
    exit_code: int | None
    error: str
    output_bytes: int
    output_sha256: str
    outputs: dict[str, str]


class RunView(Answered, frozen=True, kw_only=True):
    """A workflow run. The values of its inputs are not shown; credentials among them are names only, everywhere."""

    id: str
    plan: str
    item: str
    attempt: int
    project: str
    workflow: str
    revision: int
    digest: str
    state: Literal["waiting", "running", "passed", "failed", "cancelled", "unknown"]
    inputs: tuple[str, ...]
    steps: tuple[StepView, ...]
    owner: str
    cancel_reason: str | None
    error: str
    created_at: datetime
    created_by: str
    ended_at: datetime | None
    version: int


class WorkflowView(Answered, frozen=True, kw_only=True):
    """`revision` is the stream's version; `digest` is what a seal binds."""

    id: str
    project: str
    name: str
    revision: int
    digest: str
    definition: WorkflowDefinition
    put_by: str
    put_at: datetime


class EndpointView(Answered, frozen=True, kw_only=True):
    """`signed`: a signing secret is kept for it. `public_key` verifies the signatures `v1a`; empty where a secret signs.

    `previous_until`: until then hooks have a second signature, by the secret before. `reason`: why it is switched off.
    """

    id: str
    name: str
    url: str
    events: tuple[str, ...]
    enabled: bool
    signed: bool
    format: Format
    project: str
    plan: str
    ordered: bool
    concurrency: int
    rate_per_minute: int
    signing: Signing
    public_key: str
    verify: bool
    verified: bool
    previous_until: datetime | None
    reason: str
    version: int


class EndpointPage(Answered, frozen=True, kw_only=True):
    endpoints: tuple[EndpointView, ...]


class Me(Answered, frozen=True, kw_only=True):
    """Who the token speaks for."""

    id: str
    groups: tuple[str, ...]
    administrator: bool
    channel: str


class UserView(Answered, frozen=True, kw_only=True):
    id: str
    name: str
    groups: tuple[str, ...]
    administrator: bool
    active: bool
    email: str


class TokenView(Answered, frozen=True, kw_only=True):
    """`token` is shown this once; `id` takes it back."""

    id: str
    token: str
    expires_at: datetime | None


class SecretView(Answered, frozen=True, kw_only=True):
    """`reference` is what a workflow's credential input names. The value is never shown."""

    name: str
    reference: str


class LogEvent(Answered, frozen=True, kw_only=True):
    """A piece of what an attempt prints, up to the byte `offset`. The last one is `ended` and says how it ended."""

    attempt: int
    run: str
    offset: int
    text: str
    ended: bool
    outcome: Literal["", "done", "failed", "cancelled"]
    error: str


class FeedEvent(Answered, frozen=True, kw_only=True):
    """One event of the live feed. `data` is its public form; `plan` is empty where it concerns none.

    Of endpoints, identities, and people's own lists and delegations only administrators get the data; it is empty for others.
    """

    position: int
    stream: str
    plan: str
    version: int
    type: str
    at: datetime
    actor: str
    data: msgspec.Raw


class Health(Answered, frozen=True, kw_only=True):
    """`reasons` says why work should not be sent here now."""

    state: Literal["alive", "ready", "not_ready"]
    reasons: tuple[str, ...] = ()
