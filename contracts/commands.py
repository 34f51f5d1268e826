"""What can be asked of the services. A command is an order; it says what, never who or when: the request carries that.

`SERVICES` says which service answers which command. Each travels as one NATS request whose body is a `Request` and whose
answer is a `Reply`.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from contracts.approval_commands import APPROVAL, ApprovalCommand, User
from contracts.command import Command as Command
from contracts.command import PlanId as PlanId
from contracts.command import Sealed
from contracts.delivery import Format, Signing
from contracts.edit_commands import ChangeItem, MoveItem, PutItem, RemoveItem, ReorderItems, RestorePlan
from contracts.freeze import Freeze
from contracts.hook_commands import HOOKS, HookCommand, Proof
from contracts.plan_events import Source
from contracts.refusals import Fault
from contracts.saved_list import Filters
from contracts.template import Template
from contracts.values import Changes, Content, GateName, ItemId, LongText, Name, ShortText, Slug
from contracts.workflow import WorkflowDefinition


class CreatePlan(Command, frozen=True, tag="create_plan"):
    """`plan` is derived from the asker and the idempotency key, so that asking twice creates once."""

    plan: PlanId
    project: Slug
    content: Content
    source: Source | None = None


class CopyPlan(Command, frozen=True, tag="copy_plan"):
    """A new plan `plan` with the content of `origin`; window and schedule are left behind."""

    plan: PlanId
    origin: PlanId
    name: Name | None = None


class EditPlan(Command, frozen=True, tag="edit_plan"):
    """`base` is the stream version that the asker looked at, see `contracts.edit_commands`."""

    plan: PlanId
    changes: Changes
    base: int | None = None


class ApplyPlan(Command, frozen=True, tag="apply_plan"):
    """Create the plan, or change it, so that it has this content. `source` `None`: the plan must be there.

    `base`: only change it if it is still at this version. An empty owner stays who it is. `dry_run`: only say what it
    would do.
    """

    plan: PlanId
    project: Slug
    content: Content
    source: Source | None = None
    base: int | None = None
    dry_run: bool = False


class SealPlan(Command, frozen=True, tag="seal_plan"):
    plan: PlanId


class RehearsePlan(Command, frozen=True, tag="rehearse_plan"):
    """How would it go from now on? Changes nothing. Answered by a `contracts.foresight.Rehearsal`."""

    plan: PlanId


class PutTemplate(Command, frozen=True, tag="put_template"):
    """A new revision of a template; the same again makes none."""

    name: Slug
    template: Template


class DeleteTemplate(Command, frozen=True, tag="delete_template"):
    name: Slug


class FillTemplate(Command, frozen=True, tag="fill_template"):
    """A new plan `plan` from a template: its newest revision, or the one asked for, filled in with these values.

    `project` and `name` replace those of the template.
    """

    plan: PlanId
    template: Slug
    values: dict[str, str]
    revision: Annotated[int, Meta(ge=1)] | None = None
    project: Slug | None = None
    name: Name | None = None


class CheckSeal(Command, frozen=True, tag="check_seal"):
    """What would SealPlan say? Changes nothing. Answered by a `contracts.foresight.SealCheck`."""

    plan: PlanId


class ReopenPlan(Command, frozen=True, tag="reopen_plan"):
    plan: PlanId
    reason: ShortText = ""


class CancelPlan(Command, frozen=True, tag="cancel_plan"):
    plan: PlanId
    reason: ShortText = ""


class OverrideFreeze(Command, frozen=True, tag="override_freeze"):
    """The freezes that hold the plan now, or would in its window or at its schedule, do not. Administrators only."""

    plan: PlanId
    reason: ShortText = ""


class PutFreeze(Command, frozen=True, tag="put_freeze"):
    """`freeze` is derived from the name in the address. Administrators only."""

    freeze: PlanId
    definition: Freeze


class SaveList(Command, frozen=True, tag="save_list"):
    """A list of plans that the asker keeps under a name."""

    name: Slug
    filters: Filters


class DropList(Command, frozen=True, tag="drop_list"):
    name: Slug


class DeleteFreeze(Command, frozen=True, tag="delete_freeze"):
    freeze: PlanId
    reason: ShortText = ""


class SubmitPlan(Command, frozen=True, tag="submit_plan"):
    plan: PlanId


class VoteOnPlan(Command, frozen=True, tag="vote_on_plan"):
    """`seal` is the seal that the voter looked at; a vote for another one is refused.

    `on_behalf_of`: whose vote it is, where they delegated it to the asker.
    """

    plan: PlanId
    vote: Literal["approve", "reject"]
    seal: Sealed
    comment: ShortText = ""
    on_behalf_of: User | None = None


class WithdrawVote(Command, frozen=True, tag="withdraw_vote"):
    plan: PlanId
    reason: ShortText = ""


class StartPlan(Command, frozen=True, tag="start_plan"):
    plan: PlanId


class OverrideStart(Command, frozen=True, tag="override_start"):
    """Start now, though the window has not opened or the schedule's time has not come. Administrators only.

    Neither an approval nor a gate nor a freeze nor a seal is overridden by it.
    """

    plan: PlanId
    reason: ShortText = ""


class CompleteItem(Command, frozen=True, tag="complete_item"):
    plan: PlanId
    item: ItemId
    remark: LongText = ""


class TickSubStep(Command, frozen=True, tag="tick_sub_step"):
    plan: PlanId
    item: ItemId
    step: ItemId
    ticked: bool = True


class ExecuteItem(Command, frozen=True, tag="execute_item"):
    plan: PlanId
    item: ItemId


class SkipItem(Command, frozen=True, tag="skip_item"):
    plan: PlanId
    item: ItemId
    reason: ShortText = ""


class CancelItem(Command, frozen=True, tag="cancel_item"):
    """Cancel the running attempt of the item; the item is to be done again, or skipped."""

    plan: PlanId
    item: ItemId
    reason: ShortText = ""


class RetryItem(Command, frozen=True, tag="retry_item"):
    plan: PlanId
    item: ItemId


class WaiveItem(Command, frozen=True, tag="waive_item"):
    plan: PlanId
    item: ItemId
    reason: ShortText = ""


class PutWorkflow(Command, frozen=True, tag="put_workflow"):
    definition: WorkflowDefinition


class AnswerGate(Command, frozen=True, tag="answer_gate"):
    """A callback, as the seed has it: `executing` is progress. `proof` where the asker brought a signature, no token."""

    plan: PlanId
    gate: GateName
    instance_code: Annotated[str, Meta(max_length=64)]
    result: Literal["success", "failed", "executing"]
    text: ShortText = ""
    proof: Proof | None = None


class RecheckGate(Command, frozen=True, tag="recheck_gate"):
    plan: PlanId
    gate: GateName


class OverrideGate(Command, frozen=True, tag="override_gate"):
    plan: PlanId
    gate: GateName
    reason: ShortText = ""


class PutEndpoint(Command, frozen=True, tag="put_endpoint"):
    """`secret_ref` names the key-store entry of the signing secret; the secret itself never travels here."""

    endpoint: PlanId
    url: Annotated[str, Meta(max_length=2_000, pattern=r"^https?://[^\s]+$(?!\n)")]
    secret_ref: str
    events: tuple[str, ...] = ("finish_planning", "start_execute", "all_job_done")
    enabled: bool = True
    name: str = ""
    format: Format = "zadig"
    project: str = ""
    plan: str = ""
    ordered: bool = False
    concurrency: int = 4
    rate_per_minute: int = 0
    signing: Signing = "hmac"
    public_key: str = ""
    verify: bool = False


class ResendDelivery(Command, frozen=True, tag="resend_delivery"):
    delivery: PlanId


AnyCommand = (
    CreatePlan
    | CopyPlan
    | EditPlan
    | ApplyPlan
    | PutItem
    | ChangeItem
    | RemoveItem
    | MoveItem
    | ReorderItems
    | RestorePlan
    | SealPlan
    | CheckSeal
    | RehearsePlan
    | PutTemplate
    | DeleteTemplate
    | FillTemplate
    | ReopenPlan
    | CancelPlan
    | OverrideFreeze
    | PutFreeze
    | DeleteFreeze
    | SaveList
    | DropList
    | SubmitPlan
    | VoteOnPlan
    | WithdrawVote
    | ApprovalCommand
    | StartPlan
    | OverrideStart
    | CompleteItem
    | TickSubStep
    | ExecuteItem
    | SkipItem
    | CancelItem
    | RetryItem
    | WaiveItem
    | PutWorkflow
    | AnswerGate
    | RecheckGate
    | OverrideGate
    | PutEndpoint
    | ResendDelivery
    | HookCommand
)

SERVICES: dict[str, tuple[type[Command], ...]] = {
    "planner": (
        CreatePlan,
        CopyPlan,
        EditPlan,
        ApplyPlan,
        PutItem,
        ChangeItem,
        RemoveItem,
        MoveItem,
        ReorderItems,
        RestorePlan,
        SealPlan,
        CheckSeal,
        RehearsePlan,
        PutTemplate,
        DeleteTemplate,
        FillTemplate,
        ReopenPlan,
        CancelPlan,
        OverrideFreeze,
        PutFreeze,
        DeleteFreeze,
        SaveList,
        DropList,
    ),
    "approval": (SubmitPlan, VoteOnPlan, WithdrawVote, *APPROVAL),
    "executor": (
        StartPlan,
        OverrideStart,
        CompleteItem,
        TickSubStep,
        ExecuteItem,
        SkipItem,
        CancelItem,
        RetryItem,
        WaiveItem,
        PutWorkflow,
    ),
    "hook_dispatcher": (
        AnswerGate,
        RecheckGate,
        OverrideGate,
        PutEndpoint,
        ResendDelivery,
        *HOOKS,
    ),
}
SERVICE_OF: dict[type[Command], str] = {kind: service for service, kinds in SERVICES.items() for kind in kinds}


class Actor(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who asks: `user:olivia` or `service:executor`, their groups (`group:sre`) at this moment, and the channel."""

    id: str
    groups: tuple[str, ...] = ()
    administrator: bool = False
    channel: str = "http"

    def among(self, refs: tuple[str, ...]) -> bool:
        """Whether one of these references names this actor, directly or by a group."""
        return self.id in refs or any(group in refs for group in self.groups)


class Request(msgspec.Struct, frozen=True, omit_defaults=True):
    """A command with everything around it.

    `key` is the asker's idempotency key, `fingerprint` the SHA-256 of what the asker sent; `at` is the accepting clock in
    Unix microseconds; `if_match` the stream version that the asker insists on, if any.
    """

    command: AnyCommand
    actor: Actor
    key: str
    fingerprint: bytes
    at: int
    if_match: int | None = None
    trace: str = ""


class Accepted(msgspec.Struct, frozen=True, omit_defaults=True, tag="accepted"):
    """Done, and in the log up to `position`. `version` is the stream's, `body` the id or other answer of the command.

    `changed` is false where it was so already, also in every repetition of that answer.
    """

    version: int
    position: int
    body: dict[str, Any] = {}
    repeated: bool = False
    changed: bool = True


class Denied(msgspec.Struct, frozen=True, omit_defaults=True, tag="refused"):
    """Not done: the rules forbid it. The fields are those of `Refused`."""

    code: str
    detail: str
    faults: tuple[Fault, ...] = ()
    facts: dict[str, Any] = {}


class Failed(msgspec.Struct, frozen=True, omit_defaults=True, tag="failed"):
    """Not done, or not known: a failure of ours. The same request may be sent again after `retry_after_seconds`."""

    detail: str
    retry_after_seconds: float = 1.0


Reply = Accepted | Denied | Failed
