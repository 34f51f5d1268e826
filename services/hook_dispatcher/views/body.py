"""The body of a hook, from the plan as it was when the hook was raised. Pure: the same log gives the same bytes.

People are named by their ids: a body goes to other houses and its digest stays in the log, so nobody's name is in it.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime

import msgspec

from contracts.hook_jobs import MASKED
from contracts.hooks import (
    HookBody,
    HookJob,
    HookPlan,
    HookWorkflow,
    JobStatus,
    TaskStatus,
    TextSpec,
    WorkflowParam,
    WorkflowSpec,
)
from contracts.moments import micros
from contracts.plan import ItemState, ItemStatus, Plan
from contracts.rights import owners
from contracts.values import GateName, Item
from contracts.values import TextSpec as Text
from contracts.values import WorkflowSpec as Workflow
from contracts.workflow import WorkflowDefinition
from services.hook_dispatcher.views.jobs import shown_stages

_JOB_STATUS: Mapping[ItemStatus, JobStatus] = {
    "todo": "todo",
    "running": "running",
    "done": "done",
    "failed": "failed",
    "skipped": "skipped",
    "waived": "skipped",  # the reference has no word for it; skipped is nearest, since it was not done
}


class Revision(msgspec.Struct, frozen=True):
    """A workflow revision, and who made the workflow and the revision, when (Unix µs)."""

    definition: WorkflowDefinition
    created_by: str
    created_at: int
    updated_by: str
    updated_at: int


def instance_code(plan: Plan, event: GateName, raised_by: int, *, gated: bool) -> str:
    """The code of the gate's round; for a hook that nobody waits for, one of the same shape that no callback can use."""
    if gated:
        return plan.gates[event].instance_code
    return hashlib.sha256(f"{plan.id}/{event}/{raised_by}".encode()).hexdigest()[:16]


def hook_body(plan: Plan, event: GateName, code: str, revisions: Mapping[str, Revision]) -> bytes:
    """The exact bytes to send. `plan` is the plan at the fact that raised the hook, `revisions` by item id."""
    return msgspec.json.encode(
        HookBody(
            object_kind="release_plan",
            event="release_plan",
            workflow=None,
            release_plan=_plan(plan, event, code, revisions),
        )
    )


def _plan(plan: Plan, event: GateName, code: str, revisions: Mapping[str, Revision]) -> HookPlan:
    content, times, who = plan.content, plan.times, owners(plan)
    window, schedule = content.window, content.schedule
    return HookPlan(
        id=plan.id,
        index=plan.index,
        name=content.name,
        event_name=event,
        manager=", ".join(map(_bare, who)),
        manager_id=",".join(who),
        instance_code=code,
        start_time=_of(window.start) if window else 0,
        end_time=_of(window.end) if window else 0,
        schedule_execute_time=_of(schedule.at) if schedule else 0,
        description=content.description,
        created_by=_bare(plan.created_by),
        create_time=_seconds(plan.created_at),
        updated_by=_bare(plan.updated_by),
        update_time=_seconds(plan.updated_at),
        jobs=tuple(_job(item, plan.state_of(item.id), revisions.get(item.id)) for item in content.items),
        status=plan.status,
        planning_time=_seconds(times.finish_planning),
        approval_time=_seconds(times.approval),
        executing_time=_seconds(times.executing),
        success_time=_seconds(times.success or _all_done_at(plan, event)),
    )


def _all_done_at(plan: Plan, event: GateName) -> int:
    """The reference sets its success time when all is done, before the final check has answered."""
    return plan.gates["all_job_done"].opened_at if event == "all_job_done" else 0


def _job(item: Item, state: ItemState, revision: Revision | None) -> HookJob:
    return HookJob(
        id=item.id,
        name=item.name,
        type="text" if isinstance(item.spec, Text) else "workflow",
        spec=_text(item.spec, state) if isinstance(item.spec, Text) else _workflow(item.spec, state, revision),
        status=_JOB_STATUS[state.status],
        executed_by=_bare(state.by),
        executed_time=_seconds(state.at),
    )


def _text(spec: Text, state: ItemState) -> TextSpec:
    """Sub-steps have no place of their own in the body; they stand below the content as check boxes."""
    boxes = (f"- [{'x' if step.id in state.ticked else ' '}] {step.text}" for step in spec.sub_steps)
    content = "\n\n".join(filter(None, (spec.content, "\n".join(boxes))))
    return TextSpec(content=content, remark=state.remark or state.reason)


def _workflow(spec: Workflow, state: ItemState, revision: Revision | None) -> WorkflowSpec:
    return WorkflowSpec(
        workflow=_definition(spec, revision),
        status=_task_status(state),
        task_id=state.attempts[-1].number if state.attempts else 0,
    )


def _task_status(state: ItemState) -> TaskStatus:
    if not state.attempts:
        return "prepare"  # as the reference's sample has it before there is a task
    match state.attempts[-1].outcome:
        case "":
            return "running"
        case "done":
            return "passed"
        case "failed":
            return "failed"
        case "cancelled":
            return "cancelled"


def _definition(spec: Workflow, revision: Revision | None) -> HookWorkflow:
    if revision is None:
        return HookWorkflow(name=spec.workflow, display_name=spec.workflow, project=spec.project)
    definition = revision.definition
    return HookWorkflow(
        name=definition.name,
        display_name=definition.display_name or definition.name,
        params=tuple(_params(definition, spec.inputs)),
        stages=shown_stages(definition, spec.inputs),
        project=definition.project,
        description=definition.description,
        created_by=_bare(revision.created_by),
        create_time=_seconds(revision.created_at),
        updated_by=_bare(revision.updated_by),
        update_time=_seconds(revision.updated_at),
    )


def _params(definition: WorkflowDefinition, given: Mapping[str, str]) -> list[WorkflowParam]:
    return [
        WorkflowParam(
            name=one.name,
            description=one.description,
            value=MASKED if one.credential else given.get(one.name, one.default or ""),
            default="" if one.credential else one.default or "",
            is_credential=one.credential,
        )
        for one in definition.inputs
    ]


def _bare(ref: str) -> str:
    """`olivia` of `user:olivia`; what the system did by itself was done by `system`."""
    return "system" if ref.startswith("service:") else ref.partition(":")[2] or ref


def _seconds(at: int) -> int:
    return at // 1_000_000


def _of(moment: datetime) -> int:
    return _seconds(micros(moment))
