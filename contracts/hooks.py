"""The body of a hook, field for field as the reference system sends it, so that receivers written for it work unchanged.

Source: the reference's "Hook External Systems" table and sample (kept in `tests/contract/zadig_hook_body.json`). Numbers
are integers, times Unix seconds with 0 for "not yet". Every field is always sent; the sample leaves `instance_code` out
although the table has it, so a reader must bear its absence. The answer that comes back is `contracts.http.Callback`.
"""

from collections.abc import Mapping
from typing import Any, Literal, cast, get_args

import msgspec

from contracts.hook_jobs import Repo, Wire
from contracts.plan import Status
from contracts.values import GateName

JobStatus = Literal["todo", "done", "skipped", "failed", "running"]
TaskStatus = Literal["", "prepare", "created", "running", "passed", "failed", "timeout", "cancelled"]

SPELLINGS: Mapping[str, Status] = {
    "wait_for_success_external_check": "wait_for_all_done_external_check",
    "wait_for_success_external_check_failed": "wait_for_all_done_external_check_failed",
}
"""The sample's spelling of the final check, beside the table's. Both are read; the table's is written."""


class WorkflowParam(Wire, frozen=True):
    """A global variable. The value of a credential is masked, always."""

    name: str
    description: str = ""
    type: str = "string"
    value: str = ""
    repo: Repo | None = None
    choice_options: tuple[str, ...] = ()
    choice_value: tuple[str, ...] = ()
    default: str = ""
    is_credential: bool = False
    source: str = "runtime"


class WorkflowJob(Wire, frozen=True):
    """`spec` has a shape of its own for each type; `contracts.hook_jobs.job_spec` reads it."""

    name: str
    type: str
    spec: Any = None
    run_policy: str = ""


class WorkflowStage(Wire, frozen=True):
    name: str
    jobs: tuple[WorkflowJob, ...] = ()


class HookWorkflow(Wire, frozen=True):
    name: str
    display_name: str = ""
    disabled: bool = False
    category: str = ""
    params: tuple[WorkflowParam, ...] = ()
    stages: tuple[WorkflowStage, ...] = ()
    project: str = ""
    description: str = ""
    created_by: str = ""
    create_time: int = 0
    updated_by: str = ""
    update_time: int = 0
    remark: str = ""
    enable_approval_ticket: bool = False
    approval_ticket_id: str = ""


class TextSpec(Wire, frozen=True):
    content: str = ""
    remark: str = ""


class WorkflowSpec(Wire, frozen=True):
    workflow: HookWorkflow
    status: TaskStatus = ""
    task_id: int = 0


class HookJob(Wire, frozen=True):
    """One item of the plan. `spec` is a `TextSpec` or a `WorkflowSpec`, by `type`; `spec_of` reads it."""

    id: str
    name: str
    type: Literal["text", "workflow"]
    spec: Any
    status: JobStatus
    executed_by: str = ""
    executed_time: int = 0


class HookPlan(Wire, frozen=True):
    id: str
    index: int
    name: str
    event_name: GateName
    manager: str
    manager_id: str
    instance_code: str | msgspec.UnsetType = msgspec.UNSET
    start_time: int = 0
    end_time: int = 0
    schedule_execute_time: int = 0
    description: str = ""
    created_by: str = ""
    create_time: int = 0
    updated_by: str = ""
    update_time: int = 0
    jobs: tuple[HookJob, ...] = ()
    status: str = ""
    planning_time: int = 0
    approval_time: int = 0
    executing_time: int = 0
    success_time: int = 0


class HookBody(Wire, frozen=True):
    """The whole body. `event` is always `release_plan`; which of the three it is says `release_plan.event_name`."""

    object_kind: Literal["release_plan"]
    event: Literal["release_plan"]
    workflow: None
    release_plan: HookPlan


def spec_of(job: HookJob) -> TextSpec | WorkflowSpec:
    """The typed specification of a job that was decoded."""
    if job.type == "text":
        return msgspec.convert(job.spec, TextSpec)
    return msgspec.convert(job.spec, WorkflowSpec)


def status_of(text: str) -> Status:
    """The plan status that a body names, in either spelling. Raises ValueError for one that does not exist."""
    status = SPELLINGS.get(text, text)
    if status not in get_args(Status):
        raise ValueError(f"{text!r} is not a status of a release plan")
    return cast(Status, status)
