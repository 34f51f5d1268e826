"""The state of a release plan, as the fold of its events gives it.

`Plan` and its parts are read by everybody and written by `evolve` alone. Statuses are those of the seed's table. Times are
Unix microseconds, 0 for "not yet".
"""

from typing import Literal

import msgspec

from contracts.plan_events import Frozen, ResolvedWorkflow, Source
from contracts.values import Content, GateName, Item

Status = Literal[
    "planning",
    "wait_for_finish_planning_external_check",
    "wait_for_finish_planning_external_check_failed",
    "finish_planning",
    "wait_for_approval",
    "denied",
    "wait_for_execute_external_check",
    "wait_for_execute_external_check_failed",
    "executing",
    "wait_for_all_done_external_check",
    "wait_for_all_done_external_check_failed",
    "success",
    "cancel",
    "timeout",
]
FINAL: frozenset[str] = frozenset({"success", "cancel"})
ENDED: frozenset[str] = frozenset({"success", "cancel", "timeout"})
GATE_STATUS: dict[GateName, Status] = {
    "finish_planning": "wait_for_finish_planning_external_check",
    "start_execute": "wait_for_execute_external_check",
    "all_job_done": "wait_for_all_done_external_check",
}
GATE_FAILED_STATUS: dict[GateName, Status] = {
    "finish_planning": "wait_for_finish_planning_external_check_failed",
    "start_execute": "wait_for_execute_external_check_failed",
    "all_job_done": "wait_for_all_done_external_check_failed",
}

ItemStatus = Literal["todo", "running", "done", "failed", "skipped", "waived"]


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """One try at an item: by whom, from when to when, how it ended, and the run and log that prove it."""

    number: int
    by: str
    started_at: int
    run: str = ""
    ended_at: int = 0
    outcome: Literal["", "done", "failed", "cancelled"] = ""
    error: str = ""
    log: str = ""
    outputs: dict[str, str] = {}
    retry_of: str = ""


class ItemState(msgspec.Struct, frozen=True, gc=False):
    """Where an item stands. `digest` is the sealed digest under which it was settled: kept work must match it.

    `held`: why the system could not start it and a person must. `stopping`: why its running attempt is to be cancelled.
    """

    status: ItemStatus = "todo"
    attempts: tuple[Attempt, ...] = ()
    remark: str = ""
    reason: str = ""
    by: str = ""
    at: int = 0
    ticked: tuple[str, ...] = ()
    digest: str = ""
    held: str = ""
    stopping: str = ""

    @property
    def running(self) -> Attempt | None:
        """The attempt that has started and has no outcome yet."""
        last = self.attempts[-1] if self.attempts else None
        return last if last is not None and not last.outcome else None


NOT_BEGUN = ItemState()


class Seal(msgspec.Struct, frozen=True):
    """What was sealed: the seal, the section and item digests that make it, the workflow revisions that will run."""

    value: str
    sections: dict[str, str]
    items: dict[str, str]
    workflows: dict[str, ResolvedWorkflow]
    by: str
    at: int


class Digests(msgspec.Struct, frozen=True):
    """What has been said of a seal that is not complete yet: digests and resolved workflows by item."""

    items: dict[str, str] = {}
    workflows: dict[str, ResolvedWorkflow] = {}


class Places(msgspec.Struct, frozen=True):
    """Working memory of a fold: where each of exactly these items stands."""

    items: tuple[Item, ...]
    by_id: dict[str, int]


class Vote(msgspec.Struct, frozen=True):
    """One person's vote, for one seal.

    `by` cast it, `person` fills the slot: another one where the vote is delegated or a person has several identities.
    `sections` are the digests of the seal that it was given for.
    """

    by: str
    vote: Literal["approve", "reject"]
    seal: str
    at: int
    channel: str
    groups: tuple[str, ...] = ()
    comment: str = ""
    person: str = ""
    on_behalf_of: str = ""
    round: int = 0
    sections: dict[str, str] = {}

    @property
    def fills_for(self) -> str:
        """Whose slot it fills."""
        return self.person or self.by


class ApprovalRound(msgspec.Struct, frozen=True):
    """The newest approval round. `none`: never submitted. Votes for other seals are kept, and do not count."""

    round: int = 0
    state: Literal["none", "open", "passed", "denied", "expired", "closed"] = "none"
    seal: str = ""
    votes: tuple[Vote, ...] = ()
    submitted_at: int = 0
    submitted_by: str = ""
    deadline: int = 0
    decided_at: int = 0
    reason: str = ""
    reminded_at: int = 0


class Delegation(msgspec.Struct, frozen=True):
    """`by` lets `to` vote in their place until `until` (Unix microseconds)."""

    by: str
    to: str
    until: int
    at: int
    reason: str = ""


class Emergency(msgspec.Struct, frozen=True):
    """An administrator approved in an emergency. Until another person has reviewed it, the plan owes that review."""

    round: int
    seal: str
    by: str
    person: str
    at: int
    reason: str
    reviewed_by: str = ""
    reviewed_at: int = 0
    finding: Literal["", "accept", "object"] = ""
    comment: str = ""

    @property
    def owed(self) -> bool:
        return not self.reviewed_by


class SystemAnswer(msgspec.Struct, frozen=True):
    """The newest answer of one system in a round."""

    system: str
    result: Literal["success", "failed", "executing"]
    text: str
    at: int


class GateState(msgspec.Struct, frozen=True):
    """The newest round of a gate. `due`: it must be opened; `passed` and `overridden` let the plan go on.

    `systems` are those that the round asks, `answers` what they have said so far.
    """

    round: int = 0
    state: Literal["none", "due", "open", "passed", "failed", "expired", "overridden", "closed"] = "none"
    instance_code: str = ""
    deadline: int = 0
    opened_at: int = 0
    answered_at: int = 0
    text: str = ""
    systems: tuple[str, ...] = ()
    answers: tuple[SystemAnswer, ...] = ()

    def answer_of(self, system: str) -> SystemAnswer | None:
        """What this system has said in this round."""
        return next((answer for answer in self.answers if answer.system == system), None)

    @property
    def waiting_for(self) -> tuple[str, ...]:
        """The systems without a success in this round, in the order of the rule."""
        passed = {answer.system for answer in self.answers if answer.result == "success"}
        return tuple(system for system in self.systems if system not in passed)

    @property
    def passable(self) -> bool:
        return self.state in {"passed", "overridden"}


CLOSED_GATES: dict[GateName, GateState] = {
    "finish_planning": GateState(),
    "start_execute": GateState(),
    "all_job_done": GateState(),
}


class Drift(msgspec.Struct, frozen=True):
    """What would run differs from what was approved."""

    item: str
    fields: tuple[str, ...]
    at: int


class Hold(msgspec.Struct, frozen=True):
    """The plan would have started, but for this freeze; it is looked at again at `until` (Unix µs)."""

    freeze: str
    name: str
    until: int
    since: int


class FreezeOverride(msgspec.Struct, frozen=True):
    """Occurrences of freezes that do not hold this plan: who said so, why."""

    freezes: tuple[Frozen, ...]
    reason: str
    by: str
    at: int


class StartOverride(msgspec.Struct, frozen=True):
    """Rules of time that do not keep this plan waiting: who said so, why."""

    rules: tuple[str, ...]
    reason: str
    by: str
    at: int


class Times(msgspec.Struct, frozen=True):
    """Milestones, as the hook body has them. 0: not reached in this pass."""

    planning: int = 0
    finish_planning: int = 0
    approval: int = 0
    executing: int = 0
    success: int = 0
    ended: int = 0


class Plan(msgspec.Struct, kw_only=True):
    """A release plan at `version` of its stream and `position` of the log. Written by `contracts.evolve` alone."""

    id: str
    index: int
    project: str
    content: Content
    created_by: str
    created_at: int
    source: Source | None = None
    version: int = 0
    position: int = 0
    status: Status = "planning"
    updated_by: str = ""
    updated_at: int = 0
    editors: frozenset[str] = frozenset()
    seal: Seal | None = None
    approval: ApprovalRound = ApprovalRound()
    gates: dict[GateName, GateState] = msgspec.field(default_factory=lambda: dict(CLOSED_GATES))
    items: dict[str, ItemState] = msgspec.field(default_factory=dict)
    times: Times = Times()
    start_requested: str = ""
    schedule_missed: bool = False
    settled: bool = False
    digests: Digests = Digests()
    places: Places | None = None
    drift: Drift | None = None
    reason: str = ""
    held: Hold | None = None
    overrides: tuple[FreezeOverride, ...] = ()
    start_override: StartOverride | None = None
    delegations: tuple[Delegation, ...] = ()
    emergencies: tuple[Emergency, ...] = ()

    def item(self, item_id: str) -> Item | None:
        """The item with this id, if the plan has it. It looks through all: who asks for many makes a dictionary."""
        return next((item for item in self.content.items if item.id == item_id), None)

    def state_of(self, item_id: str) -> ItemState:
        """Where the item stands; a new one is `todo`."""
        return self.items.get(item_id, NOT_BEGUN)

    def overrides_freeze(self, frozen: Frozen) -> bool:
        """Somebody who may has said that this occurrence does not hold the plan. A part of one is covered by it."""
        return any(
            one.freeze == frozen.freeze and one.start <= frozen.start and frozen.end <= one.end
            for override in self.overrides
            for one in override.freezes
        )

    @property
    def remind_at(self) -> int:
        """When those who have not voted are reminded, in Unix microseconds; 0: not, or it is done."""
        round_, before = self.approval, self.content.approval.remind_before_seconds
        if round_.state != "open" or not round_.deadline or not before or round_.reminded_at:
            return 0
        return round_.deadline - before * 1_000_000

    @property
    def review_owed(self) -> bool:
        """An emergency approval of this plan, the newest or an earlier one, waits for its second person's review."""
        return any(one.owed for one in self.emergencies)

    @property
    def approved(self) -> bool:
        """The current seal has a passed approval, or no approval is asked."""
        if self.seal is None:
            return False
        if not self.content.approval.levels:
            return True
        return self.approval.state == "passed" and self.approval.seal == self.seal.value
