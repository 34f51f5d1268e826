"""What can happen to a release plan: the events of a `plan-<id>` stream.

Names are written by hand and live for ever. `OWNERS` says which service may append which; the log enforces it. Who did
it, when and through which channel stands in the envelope of the fact, not in the event.
"""

from typing import Literal

import msgspec

from contracts.values import Changes, Content, GateName


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A thing that happened. Unknown fields are ignored, so an older reader survives a newer writer.

    Not tracked by the garbage collector (`gc=False`), as no value of ours can hold a cycle: reading is a third faster.
    """


class Source(Event, frozen=True, gc=False):
    """Where a plan came from: a checklist that was imported, a plan that was copied, a plan file, a template.

    `revision` and `values` are those of a template: with them it can be filled in again and compared.
    """

    kind: Literal["checklist", "copy", "file", "template"]
    name: str
    revision: int = 0
    values: dict[str, str] = {}


class PlanCreated(Event, frozen=True, gc=False):
    index: int
    project: str
    content: Content
    source: Source | None = None


class PlanEdited(Event, frozen=True, gc=False):
    """`restored`: this and what follows in the same append bring back the content of that version."""

    changes: Changes
    restored: int = 0


class ResolvedWorkflow(Event, frozen=True, gc=False):
    """The workflow revision that an item will run, and the digest of its definition."""

    project: str
    workflow: str
    revision: int
    digest: str


class PlanSealed(Event, frozen=True, gc=False):
    """`seal` binds everything that will run; `sections` and `items` are the digests that it is made of."""

    seal: str
    sections: dict[str, str]
    items: dict[str, str]
    workflows: dict[str, ResolvedWorkflow] = {}


class PlanReopened(Event, frozen=True, gc=False):
    reason: str = ""


class PlanCancelled(Event, frozen=True, gc=False):
    reason: str


class PlanSubmitted(Event, frozen=True, gc=False):
    """An approval round opens for this seal. `deadline` in Unix microseconds.

    `kept` are the people whose earlier votes count on; absent, as before it was written: all who agreed to this seal.
    """

    round: int
    seal: str
    deadline: int | None = None
    kept: tuple[str, ...] | None = None


class VoteCast(Event, frozen=True, gc=False):
    """`groups` are the voter's groups at this moment; leaving one later does not undo the vote.

    `person` is whose slot the vote fills: the one person behind all of the voter's identities, or whoever delegated the
    vote. `on_behalf_of` is the identity that delegated it; then the groups are the delegator's.
    """

    round: int
    seal: str
    vote: Literal["approve", "reject"]
    groups: tuple[str, ...] = ()
    comment: str = ""
    person: str = ""
    on_behalf_of: str = ""


class VoteWithdrawn(Event, frozen=True, gc=False):
    """`person` is whose slot is free again; absent: the actor's."""

    round: int
    reason: str = ""
    person: str = ""


class PlanApproved(Event, frozen=True, gc=False):
    round: int
    seal: str


class PlanDenied(Event, frozen=True, gc=False):
    round: int
    seal: str
    reason: str = ""


class ApprovalExpired(Event, frozen=True, gc=False):
    round: int


class StartRequested(Event, frozen=True, gc=False):
    """Everything that is needed to start is given; the start gate comes next. `by` says what asked."""

    by: Literal["approval", "owner", "schedule"]


class ExecutionStarted(Event, frozen=True, gc=False):
    seal: str


class ScheduleMissed(Event, frozen=True, gc=False):
    """The scheduled time passed without a start, and the catch-up policy says to let it pass."""

    reason: str


class PlanDrifted(Event, frozen=True, gc=False):
    """What would run is not what was approved. Nothing starts until the plan is reopened."""

    item: str
    fields: tuple[str, ...]


class ItemStarted(Event, frozen=True, gc=False):
    """Intent: attempt `attempt` of a workflow item runs as `run`. `retry_of`: the failed run whose passed steps are kept.

    `on_behalf_of`: the person with whose rights the system started it.
    """

    item: str
    attempt: int
    run: str
    retry_of: str = ""
    on_behalf_of: str = ""


class NextMove(Event, frozen=True, gc=False):
    """Something that may be done now, and by whom: references, and `administrators`. `verb` as in the address."""

    verb: str
    by: tuple[str, ...]
    item: str = ""


class ItemFinished(Event, frozen=True, gc=False):
    """Outcome of a workflow item's attempt. `log` is the SHA-256 of its output.

    `next`: after a failure, what may be done now and by whom, as the plan was at that moment.
    """

    item: str
    attempt: int
    outcome: Literal["done", "failed", "cancelled"]
    error: str = ""
    log: str = ""
    outputs: dict[str, str] = {}
    next: tuple[NextMove, ...] = ()


class ItemCompleted(Event, frozen=True, gc=False):
    """A person confirms a text item."""

    item: str
    attempt: int
    remark: str = ""


class SubStepTicked(Event, frozen=True, gc=False):
    item: str
    step: str
    ticked: bool = True


class ItemSkipped(Event, frozen=True, gc=False):
    item: str
    reason: str


class ItemWaived(Event, frozen=True, gc=False):
    """A failed item is accepted as it is, by someone who may, with a reason."""

    item: str
    reason: str


class ItemsSettled(Event, frozen=True, gc=False):
    """No item can change any more; the last gate comes next."""


class PlanSucceeded(Event, frozen=True, gc=False):
    """The end. Names the items that were not simply done; `more` of them are not named, where they are very many."""

    skipped: tuple[str, ...] = ()
    waived: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    more: int = 0


class PlanTimedOut(Event, frozen=True, gc=False):
    """The window ended. `open` items had not ended, `running` ones still run (by the plan's `on_window_end`); `more` of
    both are not named, where they are very many."""

    reason: Literal["window_end"]
    open: tuple[str, ...] = ()
    running: tuple[str, ...] = ()
    more: int = 0


class Frozen(Event, frozen=True, gc=False):
    """One occurrence of a freeze, by the freeze's id and name: from `start` until before `end`, Unix microseconds."""

    freeze: str
    name: str
    start: int
    end: int


class PlanHeld(Event, frozen=True, gc=False):
    """The plan would start now, but for a freeze that ends at `until` (Unix µs). It is looked at again then."""

    freeze: str
    name: str
    until: int


class FreezeOverridden(Event, frozen=True, gc=False):
    """These occurrences do not hold the plan. A freeze that is changed to reach further holds it again."""

    freezes: tuple[Frozen, ...]
    reason: str


class GateOpened(Event, frozen=True, gc=False):
    """A round of asking: hooks with this code go out, callbacks with this code are heard. `deadline` in Unix µs.

    `systems` are those that must all say success; none: whoever calls back first.
    """

    gate: GateName
    round: int
    instance_code: str
    deadline: int
    systems: tuple[str, ...] = ()


class GateProgressed(Event, frozen=True, gc=False):
    gate: GateName
    round: int
    text: str


class GatePassed(Event, frozen=True, gc=False):
    gate: GateName
    round: int
    text: str = ""


class GateFailed(Event, frozen=True, gc=False):
    gate: GateName
    round: int
    reason: str


class GateExpired(Event, frozen=True, gc=False):
    gate: GateName
    round: int


class GateOverridden(Event, frozen=True, gc=False):
    gate: GateName
    round: int
    reason: str


EVENTS: dict[str, type[Event]] = {
    "item.completed.v1": ItemCompleted,
    "item.started.v1": ItemStarted,
    "item.finished.v1": ItemFinished,
    "item.skipped.v1": ItemSkipped,
    "item.waived.v1": ItemWaived,
    "item.sub_step_ticked.v1": SubStepTicked,
    "plan.edited.v1": PlanEdited,
    "plan.created.v1": PlanCreated,
    "plan.sealed.v1": PlanSealed,
    "plan.reopened.v1": PlanReopened,
    "plan.cancelled.v1": PlanCancelled,
    "plan.submitted.v1": PlanSubmitted,
    "plan.vote_cast.v1": VoteCast,
    "plan.vote_withdrawn.v1": VoteWithdrawn,
    "plan.approved.v1": PlanApproved,
    "plan.denied.v1": PlanDenied,
    "plan.approval_expired.v1": ApprovalExpired,
    "plan.start_requested.v1": StartRequested,
    "plan.execution_started.v1": ExecutionStarted,
    "plan.schedule_missed.v1": ScheduleMissed,
    "plan.drifted.v1": PlanDrifted,
    "plan.items_settled.v1": ItemsSettled,
    "plan.succeeded.v1": PlanSucceeded,
    "plan.timed_out.v1": PlanTimedOut,
    "plan.held.v1": PlanHeld,
    "plan.freeze_overridden.v1": FreezeOverridden,
    "gate.opened.v1": GateOpened,
    "gate.progressed.v1": GateProgressed,
    "gate.passed.v1": GatePassed,
    "gate.failed.v1": GateFailed,
    "gate.expired.v1": GateExpired,
    "gate.overridden.v1": GateOverridden,
}

OWNERS: dict[str, tuple[str, ...]] = {
    "planner": (
        "plan.created.v1",
        "plan.edited.v1",
        "plan.sealed.v1",
        "plan.reopened.v1",
        "plan.cancelled.v1",
        "plan.freeze_overridden.v1",
    ),
    "approval": (
        "plan.submitted.v1",
        "plan.vote_cast.v1",
        "plan.vote_withdrawn.v1",
        "plan.approved.v1",
        "plan.denied.v1",
        "plan.approval_expired.v1",
    ),
    "executor": (
        "plan.start_requested.v1",
        "plan.execution_started.v1",
        "plan.schedule_missed.v1",
        "plan.drifted.v1",
        "plan.items_settled.v1",
        "plan.succeeded.v1",
        "plan.timed_out.v1",
        "plan.held.v1",
        "item.started.v1",
        "item.finished.v1",
        "item.completed.v1",
        "item.sub_step_ticked.v1",
        "item.skipped.v1",
        "item.waived.v1",
    ),
    "hook_dispatcher": (
        "gate.opened.v1",
        "gate.progressed.v1",
        "gate.passed.v1",
        "gate.failed.v1",
        "gate.expired.v1",
        "gate.overridden.v1",
    ),
}
