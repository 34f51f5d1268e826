"""The faults of the reference system (sections 3, 5 and 8 of its study), each beside the test that shows ours has not got it.

`FAULTS` is the table: the section, what goes wrong there, the tests here. Tests that stand elsewhere are named with their
file and are checked to exist; the others follow below the table.
"""

from typing import Any, get_args

import pytest

from contracts.commands import AnyCommand, ExecuteItem
from contracts.executing_events import ItemHeld
from contracts.plan import Status
from contracts.plan_events import (
    ExecutionStarted,
    GateOpened,
    GatePassed,
    ItemCompleted,
    ItemFinished,
    ItemStarted,
    PlanApproved,
    PlanEdited,
    PlanReopened,
    PlanSubmitted,
    PlanTimedOut,
    StartRequested,
)
from contracts.refusals import Refused
from contracts.run import RunCreated
from contracts.run_state import Run
from contracts.values import Approval, ApprovalLevel, ApprovalRule, Changes, GateRule, Gates, Rules
from services.executor.decider.items import Context, decide
from services.executor.decider.runs import item_finished
from services.executor.decider.walk import due, start
from tests.support.fault_table import Faults, exists, named_in
from tests.unit.executor.given import DEPLOY, NOON, OLIVIA, PLAN, Given, all_found, content, text, workflow

ASKED = Approval(levels=(ApprovalLevel(rules=(ApprovalRule(approvers=("user:ada",)),)),))

HERE = "unit/executor/test_reference_faults.py"
ITEMS = "unit/executor/test_executor_items.py"
WALK = "unit/executor/test_executor_walk.py"
MODEL = "unit/executor/test_small_model.py"
MONTH = "unit/executor/test_simulated_month.py"
TIMING = "unit/executor/test_executor_timing.py"
STARTING = "unit/executor/test_executor_starting.py"
RUNS = "unit/executor/test_executor_runs_rules.py"
SEALING = "unit/planner/test_decider.py"
MOVES = "unit/planner/test_reopen_and_cancel.py"
FOLD = "unit/contracts/test_fold.py"
GATES = "unit/hook_dispatcher/test_gates.py"
VOTES = "unit/approval/test_decider.py"
RACES = "integration/test_executor_races.py"
CRASHES = "integration/test_executor_crashes.py"
REAL_WALK = "integration/test_executor_walk.py"
REAL_RUNS = "integration/test_executor_runs.py"
HOOKS = "integration/test_hooks_delivery.py"
CALLBACK = "integration/test_hooks_callback.py"
ORDERS = "integration/test_gateway_orders.py"

FAULTS: Faults = (
    # 3 the state machine
    ("3.2", "a draft cannot be cancelled", (f"{SEALING}::test_a_draft_can_be_cancelled_and_needs_a_reason",)),
    (
        "3.2",
        "other statuses cannot be cancelled",
        (f"{MOVES}::test_a_plan_is_cancelled_from_here_and_nothing_waits_any_more",),
    ),
    ("3.2", "a client asks for a status by name", (f"{HERE}::test_no_command_names_a_status",)),
    ("3.2", "sealing checks nothing", (f"{SEALING}::test_sealing_tells_every_problem_at_once",)),
    ("3.2", "the window is not checked at the start", (f"{WALK}::test_start_is_refused_outside_the_window",)),
    (
        "3.2",
        "a lookup that fails stops a rollback half-way",
        (f"{REAL_WALK}::test_reopening_ends_what_runs_and_the_item_can_run_again",),
    ),
    (
        "3.2",
        "cancelling leaves the work running",
        (f"{REAL_RUNS}::test_cancelling_the_plan_ends_the_running_step_and_no_later_one_starts",),
    ),
    (
        "3.2",
        "what follows a move is lost when a later part fails",
        (f"{REAL_WALK}::test_what_became_due_while_no_executor_lived_is_done_at_the_next_start",),
    ),
    (
        "3.3",
        "the runner's own rights are not asked for",
        (
            f"{ITEMS}::test_a_workflow_with_runners_runs_for_them_and_administrators_only",
            f"{STARTING}::test_the_system_runs_with_the_rights_of_whoever_sealed_and_no_others",
        ),
    ),
    (
        "3.3",
        "a failed item cannot be skipped",
        (f"{ITEMS}::test_a_failed_item_may_be_skipped_with_a_reason_and_the_end_names_it",),
    ),
    (
        "3.3",
        "a failed item is executed again from the beginning",
        (f"{ITEMS}::test_a_failed_item_is_not_executed_but_retried_from_its_failed_run",),
    ),
    (
        "3.3",
        "failed counts as done",
        (f"{MODEL}::test_success_has_no_failed_item_but_those_that_may_fail_and_names_all_that_were_not_simply_done",),
    ),
    ("3.4", "two rollbacks forget what was done", (f"{FOLD}::test_reopening_twice_keeps_what_was_done",)),
    (
        "3.4",
        "a plan with everything done hangs in executing",
        (f"{WALK}::test_a_plan_whose_items_were_all_kept_done_succeeds_as_it_starts",),
    ),
    (
        "3.4",
        "an item that was edited is kept done",
        (f"{FOLD}::test_an_item_that_changed_is_asked_for_again_after_a_reopening",),
    ),
    (
        "3.5",
        "a schedule that is past at registration is dropped",
        (
            f"{MONTH}::test_the_timeline_is_the_expected_one",
            f"{WALK}::test_a_missed_schedule_is_recorded_once_with_its_reason_and_starts_nothing",
        ),
    ),
    (
        "3.5",
        "a schedule missed while down is dropped silently",
        (f"{REAL_WALK}::test_a_schedule_that_was_slept_through_is_recorded_once_and_left_to_the_owner",),
    ),
    (
        "3.5",
        "the schedule is consumed before it has led to anything",
        (f"{HERE}::test_a_schedule_is_not_used_up_by_a_look_that_led_to_nothing",),
    ),
    (
        "3.5",
        "the first item that cannot start aborts the rest",
        (f"{HERE}::test_an_item_that_cannot_start_does_not_keep_the_others",),
    ),
    (
        "3.5",
        "the schedule runs failed items again",
        (f"{STARTING}::test_nothing_goes_on_after_a_failure_unless_the_plan_says_so",),
    ),
    (
        "3.5",
        "the schedule ignores the order of items",
        (
            f"{STARTING}::test_in_order_the_system_starts_one_after_the_other_and_waits_for_people",
            f"{STARTING}::test_by_needs_branches_run_side_by_side_and_join",
        ),
    ),
    ("3.5", "anybody may fire the schedule", (f"{WALK}::test_only_those_who_move_the_plan_start_it",)),
    (
        "3.5",
        "a schedule fires while a gate waits and is used up",
        (f"{HERE}::test_a_schedule_asks_for_the_start_once_and_the_gate_comes_next",),
    ),
    (
        "3.6",
        "a late answer of an earlier round is taken",
        (
            f"{CALLBACK}::test_a_recheck_asks_with_a_new_code_and_the_old_one_is_stale",
            f"{GATES}::test_each_round_has_the_next_number_also_after_a_reopen",
        ),
    ),
    (
        "3.7",
        "a passed first gate skips the gate before the start",
        (f"{HERE}::test_no_way_to_executing_leaves_the_start_gate_out",),
    ),
    ("3.7", "a failed check cannot be asked again", (f"{GATES}::test_a_failed_or_expired_gate_is_asked_again",)),
    ("3.7", "waiting for a check has no end", (f"{GATES}::test_a_gate_expires_at_its_deadline_and_not_before",)),
    ("3.7", "nobody can go on without the check", (f"{GATES}::test_a_gate_is_overridden_with_a_reason",)),
    (
        "3.8",
        "the window's end is not seen by plans that wait",
        (f"{WALK}::test_a_plan_that_waits_for_approval_or_a_gate_times_out_as_well",),
    ),
    (
        "3.8",
        "work goes on unattended after the window's end",
        (
            f"{REAL_WALK}::test_the_windows_end_times_out_and_cancels_what_runs_where_the_plan_says_so",
            f"{REAL_WALK}::test_the_windows_end_lets_running_work_finish_by_default",
        ),
    ),
    (
        "3.8",
        "success time and timeout in one plan",
        (f"{HERE}::test_a_plan_that_timed_out_never_has_a_time_of_success",),
    ),
    ("3.8", "approvals never time out", (f"{VOTES}::test_a_round_expires_at_its_deadline_and_not_before",)),
    # 5 running workflows
    (
        "5",
        "what runs is merged with the newest definition",
        (
            f"{SEALING}::test_the_seal_takes_the_workflow_revision_that_will_run",
            f"{ITEMS}::test_a_changed_workflow_is_drift_that_names_item_and_field",
        ),
    ),
    (
        "5",
        "nothing flows from item to item",
        ("integration/test_executor_automatic.py::test_branches_run_by_themselves_and_pass_their_outputs_on",),
    ),
    ("5", "some ends of a run leave its item running", (f"{HERE}::test_every_end_of_a_run_ends_its_attempt",)),
    (
        "5",
        "a running item cannot be cancelled alone",
        (
            "integration/test_executor_automatic.py::test_a_running_item_is_cancelled_without_the_plan_and_can_run_again",
        ),
    ),
    (
        "5",
        "no order, no parallel branches",
        (f"{ITEMS}::test_needs_are_settled_first", f"{ITEMS}::test_in_order_earlier_items_are_settled_first"),
    ),
    # 8.1 correctness and safety
    (
        "8.1.1",
        "approval survives an edit",
        (
            f"{HERE}::test_an_edited_plan_needs_a_new_approval",
            f"{FOLD}::test_approval_does_not_survive_a_reopening_until_it_is_submitted_again",
        ),
    ),
    ("8.1.2", "the client supplies the approval", (f"{HERE}::test_content_has_no_field_of_a_state",)),
    (
        "8.1.3",
        "the table of states has holes",
        (
            f"{MODEL}::test_what_is_over_stays_over_but_for_a_late_outcome_and_a_reopened_timeout",
            f"{HERE}::test_no_command_names_a_status",
        ),
    ),
    (
        "8.1.4",
        "failed jobs count as done",
        (f"{MODEL}::test_a_failed_item_leaves_failure_only_by_retry_skip_waiver_or_a_new_seal",),
    ),
    ("8.1.5", "a gate is skipped without approval", (f"{HERE}::test_no_way_to_executing_leaves_the_start_gate_out",)),
    (
        "8.1.6",
        "an edit revives an ended plan",
        (
            f"{SEALING}::test_a_sealed_plan_is_not_edited",
            f"{MODEL}::test_what_is_over_stays_over_but_for_a_late_outcome_and_a_reopened_timeout",
        ),
    ),
    (
        "8.1.7",
        "approved content is not frozen",
        (
            f"{TIMING}::test_a_section_that_is_not_what_was_sealed_stops_every_start_and_is_named",
            f"{REAL_RUNS}::test_drift_is_refused_recorded_and_stops_the_plan",
        ),
    ),
    (
        "8.1.8",
        "rights on the other project are not asked for",
        (f"{ITEMS}::test_a_workflow_with_runners_runs_for_them_and_administrators_only",),
    ),
    (
        "8.1.9",
        "secrets are shown",
        (
            f"{REAL_RUNS}::test_a_credential_reaches_the_process_and_no_kept_output_nor_the_log",
            f"{ORDERS}::test_the_secret_of_an_endpoint_reaches_neither_the_command_nor_the_answer",
        ),
    ),
    (
        "8.1.10",
        "an order drops items",
        ("unit/planner/test_editing.py::test_an_order_can_neither_drop_nor_double_nor_invent_an_item",),
    ),
    (
        "8.1.11",
        "window and schedule disagree, and waiting ignores time",
        (f"{SEALING}::test_sealing_tells_every_problem_at_once", f"{MONTH}::test_the_timeline_is_the_expected_one"),
    ),
    (
        "8.1.12",
        "cancel and timeout leave jobs running",
        (
            f"{RUNS}::test_a_plan_that_moved_on_wants_it_no_longer_and_says_why",
            f"{RUNS}::test_at_the_windows_end_the_plans_own_rule_decides",
        ),
    ),
    # 8.2 concurrency, crash, delivery
    (
        "8.2.13",
        "locks that end early, whole documents overwritten",
        (
            f"{RACES}::test_two_people_who_press_execute_make_one_start_and_one_is_told_who_was_first",
            f"{RACES}::test_a_callback_that_meets_a_cancel_passes_the_gate_before_it_or_is_told_that_nothing_waits",
        ),
    ),
    (
        "8.2.14",
        "a crash between task and plan releases twice",
        (f"{CRASHES}::test_a_killed_executor_neither_kills_nor_repeats_its_step_and_the_run_goes_on",),
    ),
    (
        "8.2.15",
        "a hook is lost with a crash",
        (
            f"{HOOKS}::test_a_dispatcher_that_is_killed_between_intent_and_outcome_loses_nothing",
            f"{HOOKS}::test_a_failing_receiver_gets_the_same_hook_again_under_the_same_id",
        ),
    ),
    (
        "8.2.16",
        "a schedule row is deleted first, and its first error aborts all",
        (
            f"{HERE}::test_a_schedule_is_not_used_up_by_a_look_that_led_to_nothing",
            f"{HERE}::test_an_item_that_cannot_start_does_not_keep_the_others",
        ),
    ),
    (
        "8.2.17",
        "a missing record makes rollback impossible",
        (f"{MODEL}::test_whoever_reaches_a_dead_end_is_told_a_way_out",),
    ),
    (
        "8.2.18",
        "votes in two stores, groups overwritten",
        (
            "integration/test_planning_and_approval.py::test_two_approvers_vote_at_the_same_moment_and_both_votes_count",
            f"{VOTES}::test_a_group_member_votes_with_the_groups_of_that_moment",
        ),
    ),
    (
        "8.2.19",
        "one leader, blind for minutes after a crash",
        (
            "chaos/test_fencing.py::test_a_release_goes_on_when_one_of_two_executors_stops_in_the_middle_of_a_step",
            f"{REAL_WALK}::test_several_executors_start_a_plan_once",
        ),
    ),
    (
        "8.2.20",
        "moves without an entry in the record",
        (
            "contract/test_words.py::test_every_event_has_a_verb_in_the_record_or_is_silent_on_purpose",
            f"{REAL_WALK}::test_every_step_of_the_executor_itself_has_an_actor_and_a_cause",
        ),
    ),
    (
        "8.2.21",
        "all kept done hangs; two rollbacks run it again",
        (f"{HERE}::test_reopening_twice_runs_nothing_again_and_ends",),
    ),
    (
        "8.2.22",
        "a retry leaves the old status, a round its old code",
        (
            f"{HERE}::test_a_retry_starts_with_a_clean_state",
            f"{GATES}::test_each_round_has_the_next_number_also_after_a_reopen",
        ),
    ),
    (
        "8.2.23",
        "a wrong request is a 500, nothing can be repeated safely",
        (
            f"{ORDERS}::test_what_is_no_json_is_a_400_and_never_a_500",
            f"{ORDERS}::test_the_same_key_and_body_give_the_first_answer_again_and_create_one_plan",
        ),
    ),
)


@pytest.mark.parametrize("named", named_in(FAULTS))
def test_each_test_of_the_table_exists(named: str) -> None:
    assert exists(named)


def test_every_numbered_fault_is_in_the_table() -> None:
    sections = {section for section, _, _ in FAULTS}
    numbered = {f"8.1.{n}" for n in range(1, 13)} | {f"8.2.{n}" for n in range(13, 24)}
    assert sections == numbered | {"3.2", "3.3", "3.4", "3.5", "3.6", "3.7", "3.8", "5"}


def test_no_command_names_a_status() -> None:
    statuses = set(get_args(Status))
    for command in get_args(AnyCommand):
        assert not {"status", "state"} & set(command.__struct_fields__), command
        assert not statuses & set(command.__struct_fields__), command


def test_content_has_no_field_of_a_state() -> None:
    from contracts.plan import ApprovalRound, ItemState
    from contracts.values import Content, Item

    assert not set(Item.__struct_fields__) & set(ItemState.__struct_fields__)
    assert not set(Approval.__struct_fields__) & {*ApprovalRound.__struct_fields__, "status"}
    assert "status" not in Content.__struct_fields__


def test_a_schedule_is_not_used_up_by_a_look_that_led_to_nothing() -> None:
    from contracts.moments import moment
    from contracts.values import Schedule

    schedule = Schedule(at=moment(NOON), catch_up_seconds=3_600)
    given = Given(content(text(), approval=ASKED, schedule=schedule)).sealed()
    assert given.plan.seal is not None
    seal = given.plan.seal.value
    given.then(PlanSubmitted(round=1, seal=seal))
    assert due(given.plan, NOON, {}) == ()  # not approved yet
    given.then(PlanApproved(round=1, seal=seal))
    assert due(given.plan, NOON + 60_000_000, {})[0] == StartRequested(by="schedule")


def test_an_item_that_cannot_start_does_not_keep_the_others() -> None:
    broken = workflow("broken", {"version": "${items.missing.outputs.x}"})
    plan = Given(content(broken, workflow("other"), rules=Rules(run="by_needs"))).executing().plan
    held, started = due(plan, NOON, all_found(plan), None, OLIVIA)
    assert isinstance(held, ItemHeld)
    assert isinstance(started, ItemStarted)
    assert (held.item, started.item) == ("broken", "other")


def test_a_schedule_asks_for_the_start_once_and_the_gate_comes_next() -> None:
    from contracts.moments import moment
    from contracts.values import Schedule

    gated = content(text(), gates=Gates(start_execute=GateRule()), schedule=Schedule(at=moment(NOON)))
    given = Given(gated).sealed()
    assert due(given.plan, NOON, {}) == (StartRequested(by="schedule"),)
    given.then(StartRequested(by="schedule"))
    assert due(given.plan, NOON + 9, {}) == ()
    assert given.plan.status == "wait_for_execute_external_check"


@pytest.mark.parametrize("approval", [Approval(), ASKED])
def test_no_way_to_executing_leaves_the_start_gate_out(approval: Approval) -> None:
    given = Given(content(text(), approval=approval, gates=Gates(finish_planning=GateRule(), start_execute=GateRule())))
    given = given.approved() if approval.levels else given.sealed()
    opened = GateOpened(gate="finish_planning", round=1, instance_code="0" * 16, deadline=NOON)
    given.then(opened, GatePassed(gate="finish_planning", round=1))
    for moved in (due(given.plan, NOON, {}), start(given.plan, PLAN, OLIVIA, NOON, {})):
        assert not any(isinstance(event, ExecutionStarted) for event in moved)


def test_an_edited_plan_needs_a_new_approval() -> None:
    given = Given(content(text(), approval=ASKED)).approved()
    assert due(given.plan, NOON, {})
    edit = PlanEdited(changes=Changes(items=(text("other"),)))
    given.then(PlanReopened(), edit).sealed()
    assert due(given.plan, NOON, {}) == ()
    with pytest.raises(Refused, match="not_approved"):
        start(given.plan, PLAN, OLIVIA, NOON, {})


def test_a_plan_that_timed_out_never_has_a_time_of_success() -> None:
    given = Given(content(workflow())).executing().then(ItemStarted(item="deploy", attempt=1, run="ab"))
    given.then(PlanTimedOut(reason="window_end", running=("deploy",)))
    events = item_finished(given.plan, _run("passed"))
    assert [type(event) for event in events] == [ItemFinished]
    given.then(*events)
    assert (given.plan.status, given.plan.times.success, given.plan.state_of("deploy").status) == ("timeout", 0, "done")


def _run(outcome: Any) -> Run:
    created = RunCreated(plan=PLAN, item="deploy", attempt=1, revision=1, digest="", definition=DEPLOY, inputs={})
    return Run("ab", created, 0, "", 1, (), outcome=outcome)


@pytest.mark.parametrize("outcome", ["passed", "failed", "cancelled", "unknown"])
def test_every_end_of_a_run_ends_its_attempt(outcome: str) -> None:
    given = Given(content(workflow(), text())).executing().then(ItemStarted(item="deploy", attempt=1, run="ab"))
    given.then(*item_finished(given.plan, _run(outcome)))
    assert given.plan.state_of("deploy").running is None
    assert given.plan.state_of("deploy").status == {"passed": "done", "cancelled": "todo"}.get(outcome, "failed")


def test_reopening_twice_runs_nothing_again_and_ends() -> None:
    given = Given(content(workflow(), text())).executing()
    given.then(
        ItemStarted(item="deploy", attempt=1, run="ab"),
        ItemFinished(item="deploy", attempt=1, outcome="done"),
        ItemCompleted(item="notes", attempt=1),
    )
    given.then(PlanReopened()).sealed().then(PlanReopened()).sealed()
    assert {state.status for state in given.plan.items.values()} == {"done"}
    given.then(*start(given.plan, PLAN, OLIVIA, NOON, all_found(given.plan)))
    assert given.plan.status == "success"
    assert len(given.plan.state_of("deploy").attempts) == 1


def test_a_retry_starts_with_a_clean_state() -> None:
    given = Given(content(workflow(), text())).executing()
    given.then(
        ItemStarted(item="deploy", attempt=1, run="ab"), ItemFinished(item="deploy", attempt=1, outcome="failed")
    )
    from contracts.commands import RetryItem

    context = Context(OLIVIA, NOON, all_found(given.plan))
    given.then(*decide(given.plan, RetryItem(plan=PLAN, item="deploy"), context))
    state = given.plan.state_of("deploy")
    assert (state.status, state.attempts[-1].outcome, state.attempts[-1].retry_of) == ("running", "", "ab")
    assert state.attempts[0].outcome == "failed"
    with pytest.raises(Refused, match="item_running"):
        decide(given.plan, ExecuteItem(plan=PLAN, item="deploy"), context)
