"""Hooks against the reference's own words: the sample of its documentation, and the fields of its tables.

`zadig_hook_body.json` is that sample to the letter. It is no JSON as printed: a comma stands before a closing brace. The
test takes that comma away and nothing else.
"""

import re
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from contracts import hooks
from contracts import plan_events as e
from contracts.hooks import HookBody, HookPlan, WorkflowSpec, spec_of, status_of
from contracts.http import Callback
from contracts.plan import Plan, Status
from contracts.seal import seal_of
from contracts.values import Approval, GateRule, Gates, Item, Schedule, SubStep, TextSpec, Window
from contracts.workflow import HttpStep, ScriptStep, Stage, WorkflowDefinition, WorkflowInput
from services.hook_dispatcher.views.body import MASKED, Revision, hook_body, instance_code
from tests.support.builders import NOON, content, facts, plan_after, then, utc, workflow_item

PRINTED = (Path(__file__).parent / "zadig_hook_body.json").read_text(encoding="utf-8")
SAMPLE = re.sub(r",(\s*})", r"\1", PRINTED)
SEED = Path("../shared/seeds/zadig-release-plan.txt")


def names(text: str) -> list[str]:
    """The first column of a table of the documentation."""
    return text.split()


PLAN_TABLE = names(
    """id index name event_name description manager manager_id instance_code start_time end_time schedule_execute_time
    approval_time planning_time executing_time success_time status jobs created_by create_time updated_by update_time"""
)
JOB_TABLE = names("id name status type spec executed_by executed_time")
WORKFLOW_TABLE = names(
    "name display_name disabled params stages project description created_by create_time updated_by update_time remark"
)
PARAM_TABLE = names("name description type value repo choice_options choice_value default is_credential source")


def decoded() -> HookBody:
    return msgspec.json.decode(SAMPLE, type=HookBody)


def ordered(text: str | bytes) -> list[Any]:
    """The names in the order in which they stand, with their values."""

    def walk(value: Any, path: str) -> list[Any]:
        if isinstance(value, dict):
            return [line for name, inner in value.items() for line in walk(inner, f"{path}/{name}")]
        if isinstance(value, list):
            return [line for i, inner in enumerate(value) for line in walk(inner, f"{path}/{i}")] or [(path, [])]
        return [(path, value)]

    return walk(msgspec.json.decode(text), "")


def test_the_sample_is_the_seeds_to_the_letter() -> None:
    if not SEED.is_file():
        pytest.skip("the seed document is absent")
    assert "".join(PRINTED.split()) in "".join(SEED.read_text(encoding="utf-8").split())


def test_one_comma_is_all_that_keeps_the_sample_from_being_json() -> None:
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(PRINTED)
    assert len(PRINTED) - len(SAMPLE) == 1


def test_the_sample_is_read_into_our_structs() -> None:
    plan = decoded().release_plan
    spec = spec_of(plan.jobs[0])
    assert isinstance(spec, WorkflowSpec)
    assert (plan.id, plan.index, plan.event_name) == ("68b7ec363306e52e21b2dbe6", 52, "all_job_done")
    assert (plan.jobs[0].status, plan.jobs[0].executed_time) == ("failed", 1756893022)
    assert (spec.status, spec.task_id, spec.workflow.stages[0].jobs[0].type) == ("prepare", 3, "zadig-build")


def test_reading_and_writing_the_sample_keeps_every_name_value_and_place() -> None:
    body = decoded()
    typed = [msgspec.structs.replace(job, spec=spec_of(job)) for job in body.release_plan.jobs]
    again = msgspec.structs.replace(body, release_plan=msgspec.structs.replace(body.release_plan, jobs=tuple(typed)))
    assert ordered(msgspec.json.encode(body)) == ordered(SAMPLE)
    assert ordered(msgspec.json.encode(again)) == ordered(SAMPLE)


def test_both_spellings_of_the_final_check_are_the_same_status() -> None:
    assert decoded().release_plan.status == "wait_for_success_external_check"
    assert status_of(decoded().release_plan.status) == "wait_for_all_done_external_check"
    assert status_of("wait_for_all_done_external_check") == "wait_for_all_done_external_check"
    assert status_of("wait_for_success_external_check_failed") == "wait_for_all_done_external_check_failed"
    with pytest.raises(ValueError, match="not a status"):
        status_of("waiting")


@pytest.mark.parametrize("status", get_args(Status))
def test_every_status_of_ours_is_read_as_itself(status: str) -> None:
    assert status_of(status) == status


@pytest.mark.parametrize(
    ("struct", "table", "sample_only"),
    [
        (HookPlan, PLAN_TABLE, set()),
        (hooks.HookJob, JOB_TABLE, set()),
        (hooks.TextSpec, ["content", "remark"], set()),
        (hooks.WorkflowSpec, ["workflow", "status", "task_id"], set()),
        (hooks.HookWorkflow, WORKFLOW_TABLE, {"category", "enable_approval_ticket", "approval_ticket_id"}),
        (hooks.WorkflowParam, PARAM_TABLE, set()),
        (hooks.WorkflowStage, ["name", "jobs"], set()),
        (hooks.WorkflowJob, ["name", "type", "spec", "run_policy"], set()),
    ],
)
def test_our_structs_have_the_fields_of_the_tables_and_no_others(
    struct: type[msgspec.Struct], table: list[str], sample_only: set[str]
) -> None:
    assert set(struct.__struct_fields__) == set(table) | sample_only


def test_the_seeds_callback_is_read_field_for_field() -> None:
    text = b"""{"hook_event": "all_job_done", "release_plan_id": "68b7ec363306e52e21b2dbe6",
                "instance_code": "e52e21b68b7ec3", "result": "success", "failed_reason": ""}"""
    callback = msgspec.json.decode(text, type=Callback)
    for name, value in msgspec.json.decode(text).items():
        assert getattr(callback, name) == value


# Our own bodies

DEPLOY = WorkflowDefinition(
    project="web",
    name="deploy",
    display_name="Deploy it",
    inputs=(
        WorkflowInput(name="version", default="0"),
        WorkflowInput(name="password", credential=True, default="secret:registry"),
    ),
    stages=(
        Stage(name="all", steps=(ScriptStep(name="push", script="true", env={"REGION": "eu"}),)),
        Stage(name="check", steps=(HttpStep(name="probe", url="https://e.org"),)),
    ),
)
REVISIONS = {"deploy": Revision(DEPLOY, "user:ada", NOON, "user:ben", NOON + 5_000_000)}
ITEMS = (
    Item(
        id="announce",
        name="Announce",
        spec=TextSpec(content="Tell **all**", sub_steps=(SubStep(id="a", text="mail"), SubStep(id="b", text="chat"))),
    ),
    workflow_item(inputs={"version": "1.2", "password": "secret:deploy"}),
    Item(id="extra", name="Extra", spec=TextSpec()),
)
FIELDS: dict[str, Any] = {
    "items": ITEMS,
    "owner": ("user:olivia", "group:sre"),
    "description": "<p>what</p>",
    "window": Window(start=utc(2026, 9, 21, 13), end=utc(2026, 9, 21, 20)),
    "schedule": Schedule(at=utc(2026, 9, 21, 14)),
    "gates": Gates(all_job_done=GateRule()),
    "approval": Approval(),
}


def executed() -> Plan:
    plan = plan_after(e.PlanCreated(index=52, project="web", content=content(**FIELDS)), seal_of(content(**FIELDS), {}))
    events: list[e.Event] = [
        e.StartRequested(by="owner"),
        e.ExecutionStarted(seal="0" * 64),
        e.SubStepTicked(item="announce", step="a"),
        e.ItemCompleted(item="announce", attempt=1, remark="sent"),
        e.ItemStarted(item="deploy", attempt=1, run="1" * 24),
        e.ItemFinished(item="deploy", attempt=1, outcome="failed", error="exit 1"),
        e.ItemWaived(item="deploy", reason="known"),
        e.ItemSkipped(item="extra", reason="not needed"),
        e.ItemsSettled(),
        e.GateOpened(gate="all_job_done", round=1, instance_code="00ff" * 4, deadline=NOON),
    ]
    return then(plan, events)


def body_of(plan: Plan) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(hook_body(plan, "all_job_done", "00ff" * 4, REVISIONS))
    return body


def test_our_body_has_exactly_the_documented_fields_in_the_samples_order() -> None:
    body = body_of(executed())
    sample = msgspec.json.decode(SAMPLE)
    assert list(body) == list(sample)
    ours = list(body["release_plan"])
    assert set(ours) == set(PLAN_TABLE)
    assert [name for name in ours if name != "instance_code"] == list(sample["release_plan"])
    deploy, sampled = body["release_plan"]["jobs"][1], sample["release_plan"]["jobs"][0]
    assert list(deploy) == list(sampled)
    assert list(deploy["spec"]) == list(sampled["spec"])
    assert list(deploy["spec"]["workflow"]) == list(sampled["spec"]["workflow"])


def test_our_body_has_the_types_of_the_sample() -> None:
    def kinds(value: Any) -> dict[str, type]:
        return {name: type(inner) for name, inner in value.items()}

    ours, sample = body_of(executed())["release_plan"], msgspec.json.decode(SAMPLE)["release_plan"]
    assert {**kinds(sample), "instance_code": str} == kinds(ours)
    assert kinds(sample["jobs"][0]) == kinds(ours["jobs"][1])
    assert kinds(sample["jobs"][0]["spec"]["workflow"]) == kinds(ours["jobs"][1]["spec"]["workflow"])


def test_our_body_says_what_happened() -> None:
    plan = body_of(executed())["release_plan"]
    assert (plan["manager"], plan["manager_id"]) == ("olivia, sre", "user:olivia,group:sre")
    assert (plan["event_name"], plan["status"]) == ("all_job_done", "wait_for_all_done_external_check")
    assert (plan["start_time"], plan["end_time"]) == (1789995600, 1790020800)
    assert plan["schedule_execute_time"] == 1789999200
    assert plan["planning_time"] == NOON // 1_000_000 + 1
    assert (plan["approval_time"], plan["executing_time"]) == (0, NOON // 1_000_000 + 1)
    assert plan["success_time"] == NOON // 1_000_000 + 9
    assert [job["status"] for job in plan["jobs"]] == ["done", "skipped", "skipped"]
    assert plan["jobs"][0]["spec"] == {"content": "Tell **all**\n\n- [x] mail\n- [ ] chat", "remark": "sent"}
    assert plan["jobs"][2]["spec"] == {"content": "", "remark": "not needed"}


def test_a_workflow_is_shown_with_its_stages_and_its_secrets_are_not() -> None:
    text = hook_body(executed(), "all_job_done", "00ff" * 4, REVISIONS)
    spec = msgspec.json.decode(text)["release_plan"]["jobs"][1]["spec"]
    assert (spec["status"], spec["task_id"]) == ("failed", 1)
    assert [(stage["name"], stage["jobs"][0]["name"]) for stage in spec["workflow"]["stages"]] == [
        ("all", "push"),
        ("check", "probe"),
    ]
    assert [(one["name"], one["value"], one["is_credential"]) for one in spec["workflow"]["params"]] == [
        ("version", "1.2", False),
        ("password", MASKED, True),
    ]
    assert b"secret:" not in text


def test_a_workflow_that_is_gone_does_not_keep_a_hook_from_going_out() -> None:
    workflow = msgspec.json.decode(hook_body(executed(), "all_job_done", "0" * 16, {}))
    assert workflow["release_plan"]["jobs"][1]["spec"]["workflow"]["name"] == "deploy"


def test_the_same_plan_gives_the_same_bytes() -> None:
    assert hook_body(executed(), "all_job_done", "0" * 16, REVISIONS) == hook_body(
        executed(), "all_job_done", "0" * 16, REVISIONS
    )


def test_a_body_can_be_read_again_by_our_own_structs() -> None:
    body = msgspec.json.decode(hook_body(executed(), "all_job_done", "0" * 16, REVISIONS), type=HookBody, strict=True)
    assert [type(spec_of(job)).__name__ for job in body.release_plan.jobs] == ["TextSpec", "WorkflowSpec", "TextSpec"]


def test_a_code_is_the_rounds_own_or_one_that_nobody_waits_for() -> None:
    plan = executed()
    assert instance_code(plan, "all_job_done", 12, gated=True) == "00ff" * 4
    free = {instance_code(plan, "finish_planning", position, gated=False) for position in (3, 9)}
    assert len(free) == 2
    assert all(re.fullmatch(r"[0-9a-f]{16}", code) for code in free)


def test_facts_of_the_builder_are_a_second_apart() -> None:
    """The times above rest on it."""
    first, second = facts(e.ItemsSettled(), e.ItemsSettled())
    assert second.at - first.at == 1_000_000
