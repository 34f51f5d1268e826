"""The faults of the reference system before and around execution (sections 1, 2, 4 and 6 of its study), beside their tests.

`FAULTS` is the table: the section, what goes wrong there, the tests that show ours has not got it. Sections 3, 5 and 8 stand
beside the executor's tests. Tests that stand elsewhere are checked to exist; the others follow below the table.
"""

import pytest

from contracts import plan_events as e
from contracts.commands import CancelPlan, SubmitPlan
from contracts.seal import seal_of
from services.approval.decider import decide
from services.gateway.views import plan_view
from services.planner.decider import Known as Planning
from services.planner.decider import decide as plan_decide
from tests.support.builders import ANA, BEN, NOON, OLIVIA, PLAN, content, created, plan_after, then, workflow_item
from tests.support.fault_table import Faults, exists, named_in
from tests.unit.approval.test_more_rules import TWO, after_vote, waiting

HERE = "unit/test_faults_before_execution.py"
PLANNING = "unit/planner/test_faults_of_the_reference.py"
DRAFTS = "unit/planner/test_decider.py"
EDITS = "unit/planner/test_editing.py"
APPROVERS = "unit/planner/test_approvers.py"
APPROVING = "unit/approval/test_reference_faults.py"
VOTES = "unit/approval/test_decider.py"
RULES = "unit/approval/test_more_rules.py"
DIFFERENCE = "unit/contracts/test_difference.py"
MERGING = "unit/contracts/test_merging.py"
TEMPLATE = "unit/contracts/test_template.py"
PRESENCE = "unit/gateway/test_presence.py"
WORDS = "contract/test_words.py"
OPENAPI = "contract/test_openapi.py"
ORDERS = "integration/test_gateway_orders.py"
READING = "integration/test_gateway_reading.py"
EDITING = "integration/test_editing.py"
TEMPLATES = "integration/test_templates.py"
LETTERS = "integration/test_letters.py"
INBOX = "integration/test_inbox.py"
TOGETHER = "integration/test_planning_and_approval.py"
CALLBACK = "integration/test_hooks_callback.py"

FAULTS: Faults = (
    # 1 the data
    (
        "1.1",
        "owners are display names, which change",
        (f"{PLANNING}::test_20_who_wrote_what_is_kept_by_id_and_not_by_a_name_that_changes",),
    ),
    (
        "1.1",
        "no time of submission, denial or cancellation",
        (f"{HERE}::test_submission_denial_and_cancellation_have_their_times",),
    ),
    (
        "1.1",
        "the decision's time is that of the start of execution",
        (f"{APPROVING}::test_6_5_the_time_that_an_approval_takes_can_be_told",),
    ),
    (
        "1.1",
        "one sprint, and nothing but sprints",
        (f"{EDITING}::test_a_plan_has_group_owners_sprints_and_issues_labels_and_touches",),
    ),
    (
        "1.2",
        "no needs, no failure policy",
        (
            f"{EDITS}::test_a_draft_may_have_a_circle_and_the_check_before_sealing_finds_it",
            "unit/executor/test_executor_items.py::test_needs_are_settled_first",
        ),
    ),
    (
        "1.3",
        "moves without an entry in the record",
        (f"{WORDS}::test_every_event_has_a_verb_in_the_record_or_is_silent_on_purpose",),
    ),
    (
        "1.3",
        "the record does not say who voted, nor the comment",
        (f"{APPROVING}::test_2_3_the_record_says_who_voted_with_which_comment",),
    ),
    (
        "1.3",
        "an edit has no before and after in the record",
        ("unit/audit/test_edits.py::test_an_item_that_changed_is_told_as_it_was_and_is_and_the_others_are_not",),
    ),
    ("1.3", "the record has no pages", (f"{READING}::test_the_record_of_a_plan_is_paged_in_both_orders",)),
    (
        "1.3",
        "the record is written beside the change, and may be lost",
        (f"{EDITING}::test_the_record_of_a_large_plan_is_short_and_the_tables_are_those_of_a_rebuild",),
    ),
    (
        "1.4",
        "versions are parts, cannot be listed, shown or restored",
        (
            f"{EDITING}::test_versions_are_listed_shown_compared_and_restored",
            "unit/contracts/test_versions.py::test_the_content_is_there_at_every_version_also_between_changes",
        ),
    ),
    (
        "1.4",
        "hashes of short credentials are kept and shown",
        (
            f"{DRAFTS}::test_inputs_are_checked_against_the_workflow",
            "unit/planner/test_referring.py::test_no_output_can_choose_a_credential",
        ),
    ),
    (
        "1.5",
        "a template is saved whatever is in it",
        (f"{TEMPLATE}::test_everything_wrong_with_a_template_is_told_at_once",),
    ),
    (
        "1.5",
        "a plan keeps no link to its template",
        (f"{TEMPLATES}::test_a_plan_can_be_compared_with_the_revision_that_it_was_made_from",),
    ),
    # 2 the interface
    ("2", "a wrong request is a 500", (f"{ORDERS}::test_what_is_no_json_is_a_400_and_never_a_500",)),
    (
        "2.1",
        "creating answers nothing, not even the id",
        (f"{ORDERS}::test_a_created_plan_says_where_it_is_and_at_which_version_and_position",),
    ),
    (
        "2.1",
        "what the system decides is taken from the body",
        (
            f"{PLANNING}::test_2_what_the_system_decides_cannot_be_sent_along",
            f"{PLANNING}::test_2_an_approval_s_result_cannot_be_sent_along",
        ),
    ),
    (
        "2.1",
        "items are not looked at when a plan is created",
        (f"{DRAFTS}::test_a_draft_refuses_all_structural_faults_at_once",),
    ),
    (
        "2.1",
        "a copy keeps an old window and schedule",
        (
            f"{PLANNING}::test_a_copy_takes_no_times_no_approval_and_no_progress_along",
            f"{EDITING}::test_a_copy_says_that_it_left_window_and_schedule_behind",
        ),
    ),
    (
        "2.1",
        "an item cannot be shown when its workflow is gone",
        (f"{HERE}::test_a_plan_whose_workflow_is_gone_is_shown_all_the_same",),
    ),
    ("2.1", "a plan is deleted in any status", (f"{OPENAPI}::test_no_plan_and_no_record_can_be_deleted",)),
    (
        "2.1",
        "anybody fires the schedule",
        ("unit/executor/test_executor_walk.py::test_only_those_who_move_the_plan_start_it",),
    ),
    (
        "2.1",
        "everybody reads the secret of the hooks",
        (
            "integration/test_gateway_hooks.py::test_no_secret_of_an_endpoint_is_ever_shown",
            f"{READING}::test_endpoints_are_listed_without_their_secrets",
        ),
    ),
    (
        "2.1",
        "hooks are set up unchecked",
        (
            "unit/test_hook_address.py::test_an_odd_address_is_refused_with_a_reason",
            f"{ORDERS}::test_a_signing_secret_that_no_hook_could_be_signed_with_is_refused_and_not_shown",
        ),
    ),
    (
        "2.1",
        "anybody answers a hook",
        (
            f"{CALLBACK}::test_the_secret_of_the_endpoint_that_got_the_hook_proves_who_answers",
            f"{CALLBACK}::test_an_endpoint_answers_only_for_plans_in_its_scope",
        ),
    ),
    (
        "2.1",
        "whether somebody saved before is only asked, never enforced",
        (
            f"{ORDERS}::test_an_edit_of_an_old_version_is_refused_and_told_the_current_one",
            f"{TOGETHER}::test_of_two_edits_of_one_version_the_second_is_told_the_new_version",
        ),
    ),
    (
        "2.2",
        "a schedule is held against the window that the client sends, and may be past",
        (
            f"{PLANNING}::test_11_a_schedule_outside_a_window_that_was_changed_later_is_found",
            f"{PLANNING}::test_11_a_schedule_or_window_in_the_past_is_found_before_anything_is_approved",
        ),
    ),
    (
        "2.2",
        "an item's owner need not exist",
        (f"{PLANNING}::test_an_owner_who_does_not_exist_is_found_also_on_items",),
    ),
    (
        "2.2",
        "a changed item loses the fields that were not sent",
        (f"{EDITS}::test_a_changed_item_keeps_the_fields_that_were_not_named",),
    ),
    (
        "2.2",
        "an order drops and doubles items",
        (
            f"{PLANNING}::test_10_an_order_that_leaves_an_item_out_is_refused_and_one_that_doubles_it_as_well",
            f"{EDITING}::test_an_order_that_leaves_items_out_loses_none",
        ),
    ),
    (
        "2.2",
        "a version is made when nothing changed",
        (f"{EDITING}::test_a_save_that_changes_nothing_is_answered_with_the_same_version",),
    ),
    (
        "2.3",
        "reading needs no permission",
        (f"{OPENAPI}::test_nothing_but_health_measurements_and_descriptions_is_open",),
    ),
    (
        "2.3",
        "an edit revives an ended plan",
        (f"{PLANNING}::test_6_no_edit_brings_a_plan_back_to_planning_or_touches_it_elsewhere",),
    ),
    (
        "2.3",
        "scripts cannot move a plan",
        (f"{OPENAPI}::test_what_is_served_is_described_and_what_is_described_is_served",),
    ),
    (
        "2.4",
        "who may make plans may change every template",
        (f"{TEMPLATES}::test_only_creator_owners_and_administrators_change_a_template",),
    ),
    # 4 approval
    (
        "4",
        "approvers are not told what will be released",
        ("unit/approval/test_letters.py::test_a_letter_has_the_link_the_seal_the_items_and_the_difference",),
    ),
    ("4", "one stage", (f"{VOTES}::test_a_level_opens_when_the_one_before_it_is_met",)),
    (
        "4.1",
        "nobody is asked, and it passes",
        (
            f"{APPROVING}::test_4_1_nobody_asks_for_no_approvers",
            f"{APPROVERS}::test_everything_that_is_wrong_with_the_approvers_is_told_at_once",
        ),
    ),
    (
        "4.1",
        "rules that nobody can meet",
        (
            f"{APPROVERS}::test_levels_that_need_the_same_person_are_told_before_anybody_waits_for_ever",
            f"{RULES}::test_slots_that_cannot_all_be_filled_are_counted",
        ),
    ),
    (
        "4.1",
        "a mail that fails is never sent, and nobody sees it",
        (
            f"{LETTERS}::test_a_letter_that_is_refused_for_now_is_tried_again_and_one_that_is_refused_for_good_is_given_up",
            f"{LETTERS}::test_a_person_without_an_address_is_told_of_in_the_list",
        ),
    ),
    ("4.1", "a vote cannot be changed", (f"{APPROVING}::test_4_1_a_vote_can_be_changed_while_the_round_is_open",)),
    (
        "4.1",
        "the first rejection always denies",
        (f"{RULES}::test_with_a_quorum_a_rejection_denies_only_when_too_few_are_left",),
    ),
    (
        "4.1",
        "the groups are lost with the first vote",
        (f"{APPROVING}::test_4_1_a_vote_leaves_the_groups_in_the_rules_for_later_rounds",),
    ),
    (
        "4.1",
        "no way in an emergency",
        ("unit/approval/test_emergency.py::test_an_administrator_approves_in_an_emergency_and_the_plan_owes_a_review",),
    ),
    ("4.1", "no delegation", (f"{RULES}::test_a_delegates_vote_fills_the_delegators_slot",)),
    (
        "4.1",
        "owner and editor approve their own plan",
        (f"{VOTES}::test_the_owner_does_not_approve", f"{VOTES}::test_an_editor_does_not_approve"),
    ),
    (
        "4.1",
        "a vote is in one store and not in the other",
        (
            f"{APPROVING}::test_4_1_a_vote_and_what_it_decides_are_one_append",
            f"{TOGETHER}::test_two_approvers_vote_at_the_same_moment_and_both_votes_count",
        ),
    ),
    (
        "4.1",
        "the deadline is ignored",
        (f"{APPROVING}::test_2_4_an_approval_times_out_also_while_nobody_votes",),
    ),
    (
        "4.2",
        "groups are expanded when the plan is saved",
        (
            f"{VOTES}::test_a_group_member_votes_with_the_groups_of_that_moment",
            f"{INBOX}::test_a_vote_waits_for_the_members_that_the_group_has_now_until_they_have_voted",
        ),
    ),
    (
        "4.2",
        "an approval that was called off leaves the plan waiting, and a plan that went back leaves it open",
        (f"{APPROVING}::test_4_2_a_plan_that_goes_elsewhere_leaves_no_round_open",),
    ),
    (
        "4.3",
        "a person may stand in one place only",
        (f"{VOTES}::test_slots_are_matched_to_people_in_whatever_order_they_vote",),
    ),
    (
        "4.3",
        "an answer that got lost is waited for for ever",
        (f"{APPROVING}::test_2_4_an_approval_times_out_also_while_nobody_votes",),
    ),
    (
        "4.4",
        "approvers are not looked at at all",
        (f"{APPROVERS}::test_everything_that_is_wrong_with_the_approvers_is_told_at_once",),
    ),
    (
        "4.5",
        "every look writes, and one failing plan stops the others",
        (
            f"{APPROVING}::test_4_5_looking_at_a_plan_in_which_nothing_is_due_writes_nothing",
            "integration/test_reactor.py::test_timers_that_stay_do_not_hide_a_new_one_and_one_that_fails_does_not_stop_the_next",
        ),
    ),
    ("4.5", "approval outlives the edit", (f"{APPROVING}::test_8_1_an_approval_does_not_survive_an_edit",)),
    (
        "4.5",
        "a plan that went back and comes as it was asks everybody again",
        (f"{HERE}::test_a_plan_that_comes_back_under_the_same_seal_keeps_its_votes",),
    ),
    # 6 together, differences, lists
    (
        "6.1",
        "of two who save the last one wins",
        (
            f"{PLANNING}::test_13_of_two_people_who_save_the_same_nobody_overwrites_without_a_word",
            f"{EDITING}::test_the_second_edit_of_a_section_is_shown_what_was_what_is_and_what_was_wanted",
        ),
    ),
    (
        "6.1",
        "a callback and a move overwrite each other",
        (
            "integration/test_executor_races.py::test_a_callback_that_meets_a_cancel_passes_the_gate_before_it_or_is_told_that_nothing_waits",
        ),
    ),
    (
        "6.2",
        "who goes silent is not told of",
        (f"{PRESENCE}::test_who_is_silent_for_too_long_is_gone_and_that_is_told",),
    ),
    (
        "6.2",
        "an administrator speaks for another's screen",
        (f"{PRESENCE}::test_nobody_speaks_for_another_person_s_screen",),
    ),
    (
        "6.2",
        "the version that an edit is based on is never enforced",
        (f"{EDITS}::test_of_two_edits_of_one_section_the_second_is_shown_base_theirs_and_yours",),
    ),
    (
        "6.3",
        "long texts are only said to differ",
        (
            f"{DIFFERENCE}::test_texts_are_compared_by_words",
            f"{DIFFERENCE}::test_a_long_text_that_was_written_anew_is_compared_by_lines",
        ),
    ),
    (
        "6.3",
        "an item that is renamed is another item",
        (f"{DIFFERENCE}::test_an_item_keeps_its_identity_when_it_moves_and_changes_at_once",),
    ),
    ("6.4", "one filter at a time, no order", (f"{READING}::test_filters_are_combined",)),
    (
        "6.4",
        "signs in a search are a pattern; a window that encloses the span is missed",
        (f"{READING}::test_a_search_takes_signs_as_they_are_and_a_window_around_the_span_is_found",),
    ),
    (
        "6.4",
        "a wrong question is answered with an empty list",
        (f"{READING}::test_a_wrong_query_string_is_refused_by_parameter",),
    ),
    ("6.4", "no list of what waits for me", (f"{INBOX}::test_a_denied_plan_waits_for_its_owner",)),
    (
        "6.5",
        "the duration of approval is the time after it",
        (f"{APPROVING}::test_6_5_the_time_that_an_approval_takes_can_be_told",),
    ),
    ("6.6", "deleting leaves running work behind", (f"{OPENAPI}::test_no_plan_and_no_record_can_be_deleted",)),
)


@pytest.mark.parametrize("named", named_in(FAULTS))
def test_each_test_of_the_table_exists(named: str) -> None:
    assert exists(named)


def test_submission_denial_and_cancellation_have_their_times() -> None:
    plan = after_vote(waiting(), ANA, "reject")
    assert plan.approval.submitted_at
    assert plan.approval.decided_at == plan.times.approval > 0
    cancelled = plan_decide(plan, CancelPlan(plan=PLAN, reason="no"), OLIVIA, NOON, Planning())
    plan = then(plan, cancelled, at=NOON + 5)
    assert (plan.status, plan.times.ended, plan.reason) == ("cancel", NOON + 5, "no")


def test_a_plan_whose_workflow_is_gone_is_shown_all_the_same() -> None:
    view = plan_view(plan_after(created(items=(workflow_item(workflow="gone"),))))
    assert [(one.item.id, one.status) for one in view.items] == [("deploy", "todo")]


@pytest.mark.parametrize("voters", [1, 2])
def test_a_plan_that_comes_back_under_the_same_seal_keeps_its_votes(voters: int) -> None:
    plan = waiting()
    for voter in (ANA, BEN)[:voters]:
        plan = after_vote(plan, voter)
    plan = then(plan, [e.PlanReopened(), seal_of(content(approval=TWO), {})])
    submitted = decide(plan, SubmitPlan(plan=PLAN), OLIVIA, NOON)
    opened = submitted[0]
    assert isinstance(opened, e.PlanSubmitted)
    assert opened.kept == ("user:ana", "user:ben")[:voters]
    assert [type(event).__name__ for event in submitted[1:]] == ["PlanApproved"] * (voters - 1)
