"""How a plan starts, goes on and ends by itself: given a plan, when the executor looks at a moment, then these events."""

from typing import Any

import pytest
from msgspec.structs import replace

from contracts.commands import Actor
from contracts.moments import moment
from contracts.plan import Plan
from contracts.plan_events import (
    Event,
    ExecutionStarted,
    GateExpired,
    GateFailed,
    GateOpened,
    GateOverridden,
    GatePassed,
    ItemCompleted,
    ItemFinished,
    ItemsSettled,
    ItemStarted,
    PlanApproved,
    PlanCancelled,
    PlanDenied,
    PlanDrifted,
    PlanReopened,
    PlanSubmitted,
    PlanSucceeded,
    PlanTimedOut,
    ScheduleMissed,
    StartRequested,
)
from contracts.refusals import Refused
from contracts.registry import encode
from contracts.values import (
    Approval,
    ApprovalLevel,
    ApprovalRule,
    GateName,
    GateRule,
    Gates,
    Rules,
    Schedule,
    Window,
)
from infra.eventlog.check import EVENT_BYTES
from services.executor.decider.rules import success
from services.executor.decider.walk import ACTIVE, due, needs_workflows, start
from services.executor.views import Found
from tests.unit.executor.given import (
    ADMIN,
    DEPLOY,
    EVE,
    HOUR,
    IVAN,
    NOON,
    OLIVIA,
    PLAN,
    Given,
    all_found,
    content,
    found,
    text,
    workflow,
)

ASKED = Approval(levels=(ApprovalLevel(rules=(ApprovalRule(approvers=("user:ada",)),)),))
SECOND = 1_000_000
LATER = Window(start=moment(NOON), end=moment(NOON + HOUR))


def begin(
    plan: Plan | None, actor: Actor = OLIVIA, at: int = NOON, known: dict[str, Found] | None = None
) -> tuple[Event, ...]:
    workflows = known if known is not None else all_found(plan) if plan is not None else {}
    return start(plan, PLAN, actor, at, workflows)


def refusal(plan: Plan | None, actor: Actor = OLIVIA, at: int = NOON, **known: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        begin(plan, actor, at, **known)
    return caught.value


def look(plan: Plan, at: int = NOON) -> tuple[Event, ...]:
    return due(plan, at, all_found(plan))


def seal_value(given: Given) -> str:
    assert given.plan.seal is not None
    return given.plan.seal.value


def opened(gate: GateName) -> GateOpened:
    return GateOpened(gate=gate, round=1, instance_code="0" * 16, deadline=NOON + HOUR)


# The start command


def test_without_a_gate_start_is_request_and_start_at_once() -> None:
    given = Given(content(text())).sealed()
    assert begin(given.plan) == (StartRequested(by="owner"), ExecutionStarted(seal=seal_value(given)))


def test_with_a_gate_start_is_only_requested() -> None:
    given = Given(content(text(), gates=Gates(start_execute=GateRule()))).sealed()
    assert begin(given.plan) == (StartRequested(by="owner"),)


def test_starting_twice_changes_nothing() -> None:
    assert begin(Given(content(text())).executing().plan) == ()
    waiting = Given(content(text(), gates=Gates(start_execute=GateRule()))).sealed().then(StartRequested(by="owner"))
    assert begin(waiting.plan) == ()


def test_only_those_who_move_the_plan_start_it() -> None:
    plan = Given(content(text(owner=("user:ivan",)))).sealed().plan
    assert refusal(plan, EVE).code == "forbidden"
    assert refusal(plan, IVAN).code == "forbidden"  # owns an item, not the plan
    assert begin(plan, ADMIN)


def test_a_missing_plan_is_not_started() -> None:
    assert refusal(None).code == "plan_not_found"


def test_start_names_what_is_missing_in_each_status() -> None:
    draft = Given(content(text()))
    assert refusal(draft.plan).code == "not_sealed"
    unapproved = Given(content(text(), approval=ASKED)).sealed()
    assert refusal(unapproved.plan).code == "not_approved"
    submitted = unapproved.then(PlanSubmitted(round=1, seal=seal_value(unapproved)))
    assert refusal(submitted.plan).code == "not_approved"
    assert refusal(submitted.then(PlanDenied(round=1, seal="x")).plan).code == "not_approved"
    checked = Given(content(text(), gates=Gates(finish_planning=GateRule()))).sealed()
    assert refusal(checked.plan).code == "gate_not_passed"
    assert refusal(Given(content(text())).sealed().then(PlanCancelled(reason="x")).plan).code == "final"
    timed_out = Given(content(text())).sealed().then(PlanTimedOut(reason="window_end"))
    assert refusal(timed_out.plan).code == "final"
    settled = Given(content(text(), gates=Gates(all_job_done=GateRule()))).executing().then(ItemsSettled())
    assert refusal(settled.plan).code == "already_started"


def test_start_is_refused_outside_the_window() -> None:
    plan = Given(content(text(), window=LATER)).sealed().plan
    assert "opens at" in refusal(plan, at=NOON - 1).detail
    assert refusal(plan, at=NOON + HOUR).code == "outside_window"
    assert begin(plan, at=NOON)


def test_start_is_refused_before_the_schedule_but_not_after_it_was_missed() -> None:
    given = Given(content(text(), schedule=Schedule(at=moment(NOON)))).sealed()
    assert refusal(given.plan, at=NOON - 1).code == "before_schedule"
    assert begin(given.then(ScheduleMissed(reason="down")).plan, at=NOON + HOUR)


def test_start_of_what_was_not_sealed_is_drift() -> None:
    plan = Given(content(workflow())).sealed().plan
    changed = found(replace(DEPLOY, description="other"))
    assert refusal(plan, known={"deploy": changed}).facts["item"] == "deploy"


# What is due by itself


def test_an_approved_plan_starts_by_itself() -> None:
    given = Given(content(text(), approval=ASKED)).approved()
    assert look(given.plan) == (StartRequested(by="approval"), ExecutionStarted(seal=seal_value(given)))


def test_by_owner_an_approved_plan_waits_for_its_owner() -> None:
    assert look(Given(content(text(), approval=ASKED, rules=Rules(start="by_owner"))).approved().plan) == ()


def test_a_plan_that_asks_for_no_approval_waits_for_its_owner() -> None:
    assert look(Given(content(text())).sealed().plan) == ()


def test_an_approval_of_an_earlier_seal_starts_nothing() -> None:
    given = Given(content(text(), approval=ASKED)).approved()
    assert look(given.then(PlanReopened()).sealed().plan) == ()


def test_an_approved_plan_waits_for_its_window_and_then_starts() -> None:
    plan = Given(content(text(), approval=ASKED, window=LATER)).approved().plan
    assert look(plan, NOON - 1) == ()
    assert not needs_workflows(plan, NOON - 1)
    assert isinstance(look(plan, NOON)[0], StartRequested)


def test_a_drifted_plan_does_not_start_and_says_what_differs_once() -> None:
    given = Given(content(workflow(), approval=ASKED)).approved()
    assert due(given.plan, NOON, {}) == (
        PlanDrifted(
            item="deploy", fields=("workflow.project", "workflow.workflow", "workflow.revision", "workflow.digest")
        ),
    )
    given.then(PlanDrifted(item="deploy", fields=("x",)))
    assert due(given.plan, NOON, {}) == ()


def test_the_schedule_starts_the_plan_at_its_time_and_not_before() -> None:
    plan = Given(content(text(), schedule=Schedule(at=moment(NOON)))).sealed().plan
    assert look(plan, NOON - 1) == ()
    assert look(plan, NOON)[0] == StartRequested(by="schedule")


def test_a_scheduled_plan_does_not_start_on_approval() -> None:
    plan = Given(content(text(), approval=ASKED, schedule=Schedule(at=moment(NOON)))).approved().plan
    assert look(plan, NOON - SECOND) == ()


def test_within_catch_up_a_late_schedule_still_starts() -> None:
    plan = Given(content(text(), schedule=Schedule(at=moment(NOON), catch_up_seconds=600))).sealed().plan
    assert look(plan, NOON + 600 * SECOND)[0] == StartRequested(by="schedule")
    assert look(plan, NOON + 601 * SECOND) == (ScheduleMissed(reason="down"),)


def test_a_timer_that_rings_a_little_late_is_on_time() -> None:
    plan = Given(content(text(), schedule=Schedule(at=moment(NOON)))).sealed().plan
    assert look(plan, NOON + 29 * SECOND)[0] == StartRequested(by="schedule")
    assert look(plan, NOON + 31 * SECOND) == (ScheduleMissed(reason="down"),)


def test_a_missed_schedule_is_recorded_once_with_its_reason_and_starts_nothing() -> None:
    given = Given(content(text(), approval=ASKED, schedule=Schedule(at=moment(NOON)))).sealed()
    given.then(PlanSubmitted(round=1, seal=seal_value(given)))
    assert look(given.plan, NOON + 31 * SECOND) == (ScheduleMissed(reason="not_approved"),)
    given.then(ScheduleMissed(reason="not_approved"), PlanApproved(round=1, seal=seal_value(given)))
    assert look(given.plan, NOON + 32 * SECOND) == ()


def test_a_passed_start_gate_lets_the_plan_start() -> None:
    given = Given(content(text(), gates=Gates(start_execute=GateRule()))).sealed()
    given.then(StartRequested(by="owner"), opened("start_execute"))
    assert look(given.plan) == ()
    passed = GatePassed(gate="start_execute", round=1)
    assert look(given.then(passed).plan) == (ExecutionStarted(seal=seal_value(given)),)


def test_an_overridden_start_gate_lets_the_plan_start_and_a_failed_one_does_not() -> None:
    given = Given(content(text(), gates=Gates(start_execute=GateRule()))).sealed()
    given.then(
        StartRequested(by="owner"), opened("start_execute"), GateFailed(gate="start_execute", round=1, reason="no")
    )
    assert look(given.plan) == ()
    given.then(GateOverridden(gate="start_execute", round=1, reason="known"))
    assert look(given.plan) == (ExecutionStarted(seal=seal_value(given)),)


def test_behind_the_gate_seal_and_window_are_looked_at_once_more() -> None:
    given = Given(content(workflow(), gates=Gates(start_execute=GateRule()), window=LATER)).sealed()
    given.then(StartRequested(by="owner"), opened("start_execute"), GatePassed(gate="start_execute", round=1))
    assert look(given.plan, NOON - 1) == ()
    assert isinstance(due(given.plan, NOON, {})[0], PlanDrifted)
    assert isinstance(look(given.plan, NOON + HOUR)[0], PlanTimedOut)


def test_a_plan_whose_items_were_all_kept_done_succeeds_as_it_starts() -> None:
    given = Given(content(text())).executing().then(ItemCompleted(item="notes", attempt=1))
    given.then(PlanReopened()).sealed()
    assert begin(given.plan)[-2:] == (ItemsSettled(), PlanSucceeded())


def test_a_settled_plan_succeeds_when_its_last_gate_passes_and_names_what_was_not_done() -> None:
    given = Given(content(workflow(may_fail=True), gates=Gates(all_job_done=GateRule()))).executing()
    given.then(
        ItemStarted(item="deploy", attempt=1, run="ab"),
        ItemFinished(item="deploy", attempt=1, outcome="failed"),
    )
    assert look(given.plan) == (ItemsSettled(),)
    given.then(ItemsSettled(), opened("all_job_done"))
    assert look(given.plan) == ()
    assert look(given.then(GatePassed(gate="all_job_done", round=1)).plan) == (PlanSucceeded(failed=("deploy",)),)


def test_a_gate_that_passed_in_time_is_a_success_even_if_we_look_late() -> None:
    given = Given(content(text(), gates=Gates(all_job_done=GateRule()), window=LATER)).executing()
    given.then(ItemCompleted(item="notes", attempt=1), ItemsSettled(), opened("all_job_done"))
    given.then(GatePassed(gate="all_job_done", round=1), at=NOON + HOUR - 1)
    assert look(given.plan, NOON + 2 * HOUR) == (PlanSucceeded(),)


def test_an_expired_last_gate_does_not_succeed() -> None:
    given = Given(content(text(), gates=Gates(all_job_done=GateRule()))).executing()
    given.then(ItemCompleted(item="notes", attempt=1), ItemsSettled(), opened("all_job_done"))
    assert look(given.then(GateExpired(gate="all_job_done", round=1)).plan) == ()


def test_the_windows_end_times_out_and_tells_the_truth_about_each_item() -> None:
    given = Given(content(text("a"), workflow("b"), text("c"), window=LATER)).executing()
    given.then(ItemCompleted(item="a", attempt=1), ItemStarted(item="b", attempt=1, run="ab"))
    assert look(given.plan, NOON + HOUR - 1) == ()
    assert look(given.plan, NOON + HOUR) == (PlanTimedOut(reason="window_end", open=("c",), running=("b",)),)


def test_the_end_of_a_very_large_plan_is_an_event_that_the_log_takes() -> None:
    items = tuple(text(f"{i:064}") for i in range(2_000))
    (timed_out,) = look(Given(content(*items, window=LATER)).executing().plan, NOON + HOUR)
    assert isinstance(timed_out, PlanTimedOut)
    assert len(encode(timed_out)[1]) <= EVENT_BYTES
    assert len(timed_out.open) + timed_out.more == len(items)
    done = Given(content(*items)).executing()
    outcomes = ("skipped", "waived", "failed")
    end = success(done.plan, {item.id: outcomes[i % 3] for i, item in enumerate(items)})  # type: ignore[misc]  # statuses
    assert len(encode(end)[1]) <= EVENT_BYTES
    assert len((*end.skipped, *end.waived, *end.failed)) + end.more == len(items)


def test_a_plan_that_waits_for_approval_or_a_gate_times_out_as_well() -> None:
    approval = Given(content(text(), approval=ASKED, window=LATER)).sealed()
    approval.then(PlanSubmitted(round=1, seal=seal_value(approval)))
    gate = Given(content(text(), gates=Gates(finish_planning=GateRule()), window=LATER)).sealed()
    failed = Given(content(text(), gates=Gates(start_execute=GateRule()), window=LATER)).sealed()
    failed.then(
        StartRequested(by="owner"), opened("start_execute"), GateFailed(gate="start_execute", round=1, reason="no")
    )
    last = Given(content(text(), gates=Gates(all_job_done=GateRule()), window=LATER)).executing()
    last.then(ItemCompleted(item="notes", attempt=1), ItemsSettled(), opened("all_job_done"))
    for given in (approval, gate, failed, last):
        assert isinstance(look(given.plan, NOON + HOUR)[0], PlanTimedOut), given.plan.status


@pytest.mark.parametrize("status", ["planning", "denied", "success", "cancel", "timeout"])
def test_drafts_denied_and_ended_plans_do_not_time_out(status: Any) -> None:
    plan = Given(content(text(), window=LATER)).sealed().plan
    plan.status = status
    assert status not in ACTIVE
    assert look(plan, NOON + 2 * HOUR) == ()
