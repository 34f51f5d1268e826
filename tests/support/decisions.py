"""The decision tables: what every command gives in every status to everybody, computed from the deciders.

`python -m tests.support.decisions` writes `contracts/decisions.md`, which people read and a test compares with the code: a
rule that changes shows as a changed line there, for the reviewer to agree with.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

from contracts import approval_commands as a
from contracts import commands as c
from contracts import edit_commands as edits
from contracts.commands import Actor
from contracts.moments import moment
from contracts.plan import GATE_FAILED_STATUS, GATE_STATUS, Plan, Status
from contracts.plan_events import Event
from contracts.refusals import Refused
from contracts.registry import NAMES
from contracts.values import (
    GATES,
    Approval,
    ApprovalLevel,
    ApprovalRule,
    Changes,
    GateName,
    GateRule,
    Gates,
    Rules,
    SubStep,
)
from tests.support.builders import NOON, PLAN, content, created, plan_after, text_item, then, workflow_item
from tests.support.rules import PEOPLE, code_of, decide, ended, follows

FILE = Path(__file__).parents[2] / "contracts" / "decisions.md"
STATUSES: tuple[Status, ...] = get_args(Status)
APPROVED = "finish_planning, approved"


def _actor(name: str, administrator: bool = False) -> Actor:
    return Actor(f"user:{name}", groups=PEOPLE[f"user:{name}"], administrator=administrator)


ROLES: Mapping[str, Actor] = {
    "administrator": _actor("ada", administrator=True),
    "owner": _actor("olivia"),
    "owner by group": _actor("gil"),
    "item owner": _actor("ina"),
    "approver": _actor("ana"),
    "stranger": _actor("mallory"),
}
OWNER, APPROVER = ROLES["owner"], ROLES["approver"]
DRAFT = content(
    owner=("user:olivia", "group:release"),
    items=(
        text_item("notes", owner=("user:ina",), spec={"sub_steps": (SubStep(id="one", text="One"),)}),
        workflow_item("deploy", owner=("user:ina",)),
        text_item("announce", owner=("user:ina",)),
    ),
    approval=Approval(
        levels=(ApprovalLevel(rules=(ApprovalRule(approvers=("group:sre",)),)),), deadline_seconds=86_400
    ),
    gates=Gates(finish_planning=GateRule(), start_execute=GateRule(), all_job_done=GateRule()),
    rules=Rules(start="by_owner"),
)
"""Notes have a sub-step; the deploy has failed once wherever the plan executes; all of it is Ina's."""


def command_of(verb: str, plan: Plan) -> Any:
    """A sensible command of this kind for this plan: the current seal, the gate that it waits at with its code."""
    return COMMANDS[verb](plan)


def _seal(plan: Plan) -> str:
    return plan.seal.value if plan.seal is not None else "0" * 64


def _gate(plan: Plan) -> GateName:
    waits = [gate for gate in GATES if plan.status in {GATE_STATUS[gate], GATE_FAILED_STATUS[gate]}]
    return waits[0] if waits else "start_execute"


def _answer(plan: Plan, result: Any) -> c.AnswerGate:
    gate = _gate(plan)
    return c.AnswerGate(plan=PLAN, gate=gate, instance_code=code_of(plan, gate), result=result)


_LATER = moment(NOON) + timedelta(days=1)
_WHY = "Because."
COMMANDS: Mapping[str, Callable[[Plan], Any]] = {
    "edit_plan": lambda _: c.EditPlan(plan=PLAN, changes=Changes(labels=("new",))),
    "apply_plan": lambda plan: c.ApplyPlan(plan=PLAN, project=plan.project, content=content(name="Another")),
    "put_item": lambda _: edits.PutItem(plan=PLAN, item=text_item("new")),
    "change_item": lambda _: edits.ChangeItem(plan=PLAN, item="notes", changes=edits.ItemChanges(name="New")),
    "remove_item": lambda _: edits.RemoveItem(plan=PLAN, item="notes"),
    "move_item": lambda _: edits.MoveItem(plan=PLAN, item="notes", after="announce"),
    "reorder_items": lambda _: edits.ReorderItems(plan=PLAN, items=("announce", "notes", "deploy")),
    "restore_plan": lambda _: edits.RestorePlan(plan=PLAN, version=1),
    "seal_plan": lambda _: c.SealPlan(plan=PLAN),
    "reopen_plan": lambda _: c.ReopenPlan(plan=PLAN, reason=_WHY),
    "cancel_plan": lambda _: c.CancelPlan(plan=PLAN, reason=_WHY),
    "override_freeze": lambda _: c.OverrideFreeze(plan=PLAN, reason=_WHY),
    "submit_plan": lambda _: c.SubmitPlan(plan=PLAN),
    "vote_on_plan approve": lambda plan: c.VoteOnPlan(plan=PLAN, vote="approve", seal=_seal(plan)),
    "vote_on_plan reject": lambda plan: c.VoteOnPlan(plan=PLAN, vote="reject", seal=_seal(plan), comment=_WHY),
    "vote_on_plan another seal": lambda _: c.VoteOnPlan(plan=PLAN, vote="approve", seal="1" * 64),
    "withdraw_vote": lambda _: c.WithdrawVote(plan=PLAN),
    "delegate_vote": lambda _: a.DelegateVote(plan=PLAN, to="user:ben", until=_LATER),
    "end_delegation": lambda _: a.EndDelegation(plan=PLAN, to="user:ben"),
    "approve_in_emergency": lambda plan: a.ApproveInEmergency(plan=PLAN, seal=_seal(plan), reason=_WHY),
    "review_emergency": lambda _: a.ReviewEmergency(plan=PLAN, finding="accept", comment=_WHY),
    "start_plan": lambda _: c.StartPlan(plan=PLAN),
    "override_start": lambda _: c.OverrideStart(plan=PLAN, reason=_WHY),
    "complete_item": lambda _: c.CompleteItem(plan=PLAN, item="announce"),
    "tick_sub_step": lambda _: c.TickSubStep(plan=PLAN, item="notes", step="one"),
    "execute_item": lambda _: c.ExecuteItem(plan=PLAN, item="deploy"),
    "cancel_item": lambda _: c.CancelItem(plan=PLAN, item="deploy", reason=_WHY),
    "retry_item": lambda _: c.RetryItem(plan=PLAN, item="deploy"),
    "skip_item": lambda _: c.SkipItem(plan=PLAN, item="notes", reason=_WHY),
    "waive_item": lambda _: c.WaiveItem(plan=PLAN, item="deploy", reason=_WHY),
    "answer_gate success": lambda plan: _answer(plan, "success"),
    "answer_gate failed": lambda plan: _answer(plan, "failed"),
    "answer_gate executing": lambda plan: _answer(plan, "executing"),
    "recheck_gate": lambda plan: c.RecheckGate(plan=PLAN, gate=_gate(plan)),
    "override_gate": lambda plan: c.OverrideGate(plan=PLAN, gate=_gate(plan), reason=_WHY),
}
"""By verb, and by what else makes a difference."""


class Story:
    """A plan on its way, by commands and by what follows from them."""

    def __init__(self) -> None:
        self.plan = plan_after(created(**{name: getattr(DRAFT, name) for name in DRAFT.__struct_fields__}))

    def then(self, verb: str, actor: Actor = OWNER) -> "Story":
        self._tell(decide(self.plan, command_of(verb, self.plan), actor), actor)
        return self

    def executed(self, outcome: str) -> "Story":
        self._tell(ended(self.plan, "deploy", outcome), OWNER)
        return self

    def _tell(self, events: tuple[Event, ...], actor: Actor) -> None:
        self.plan = then(self.plan, events, actor)
        while events := follows(self.plan):
            self.plan = then(self.plan, events)


def plans() -> dict[str, Plan]:
    """A plan in each status, come there by the commands of its people; in `finish_planning` one before its approval too."""
    story, found = Story(), {}
    found[story.plan.status] = story.plan
    for verb, actor in _JOURNEY:
        _go_on(story, verb, actor)
        approved = story.plan.status == "finish_planning" and story.plan.approved
        found[APPROVED if approved else story.plan.status] = story.plan
    for verb, actor in _TO_THE_END:
        _go_on(story, verb, actor)
        found.setdefault(story.plan.status, story.plan)
    found["denied"] = _branch(found["wait_for_approval"]).then("vote_on_plan reject", APPROVER).plan
    found["cancel"] = _branch(found["executing"]).then("cancel_plan").plan
    waiting = found["wait_for_approval"]
    found["timeout"] = then(waiting, follows(waiting, NOON + 10**13))
    return {status: found[status] for status in (*STATUSES[:4], APPROVED, *STATUSES[4:])}


def _go_on(story: Story, verb: str, actor: Actor) -> None:
    if verb == "failed":
        story.executed(verb)
    else:
        story.then(verb, actor)


def _branch(plan: Plan) -> Story:
    story = Story()
    story.plan = plan
    return story


_JOURNEY = (
    ("seal_plan", OWNER),
    ("answer_gate failed", OWNER),
    ("recheck_gate", OWNER),
    ("answer_gate success", OWNER),
    ("submit_plan", OWNER),
    ("vote_on_plan approve", APPROVER),
    ("start_plan", OWNER),
    ("answer_gate failed", OWNER),
    ("recheck_gate", OWNER),
    ("answer_gate success", OWNER),
    ("execute_item", OWNER),
    ("failed", OWNER),
)
_TO_THE_END = (
    ("waive_item", OWNER),
    ("skip_item", OWNER),
    ("complete_item", OWNER),
    ("answer_gate failed", OWNER),
    ("recheck_gate", OWNER),
    ("answer_gate success", OWNER),
)


def outcome(plan: Plan, verb: str, actor: Actor) -> str:
    """The events, `already so`, or the refusal's code in italics."""
    try:
        events = decide(plan, command_of(verb, plan), actor)
    except Refused as refused:
        return f"*{refused.code}*"
    return " ".join(NAMES[type(event)].removesuffix(".v1") for event in events) or "already so"


def document() -> str:
    """All tables, one for each command."""
    rows = plans()
    parts = [_HEAD]
    for verb in COMMANDS:
        parts.append(f"\n## {verb}\n\n| status | {' | '.join(ROLES)} |\n|{'---|' * (len(ROLES) + 1)}\n")
        for status, plan in rows.items():
            cells = (outcome(plan, verb, actor) for actor in ROLES.values())
            parts.append(f"| `{status}` | {' | '.join(cells)} |\n")
    return "".join(parts)


_HEAD = """# What every command gives, in every status, to everybody

Written by `python -m tests.support.decisions` from the deciders, and compared with them by a test: a rule that changes
shows here as a changed line. A cell has the events, `already so` where nothing is to be done, or the code of the refusal in
italics.

The plan: three items, all of them Ina's (`item owner`): notes to take with one sub-step, a deployment, an announcement. It
is owned by Olivia and the group release, needs one vote out of the group sre, waits at all three gates, and is started by
its owner. In `executing` the deployment has failed once; from there on it is waived, the notes are skipped and the
announcement is made. A command names the current seal, and the gate at which the plan waits with its instance code;
`complete_item` is about the announcement, `skip_item` and `tick_sub_step` about the notes, the other item commands about
the deployment.
"""


if __name__ == "__main__":
    FILE.write_text(document())
