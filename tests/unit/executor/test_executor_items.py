"""The rules of item commands: given a plan, when somebody asks, then these events or this refusal."""

from typing import Any

import pytest
from msgspec.structs import replace

from contracts.commands import Actor, CancelItem, CompleteItem, ExecuteItem, RetryItem, SkipItem, TickSubStep, WaiveItem
from contracts.executing_events import ItemCancelRequested
from contracts.guidance import moves_left
from contracts.moments import moment
from contracts.plan import Plan
from contracts.plan_events import (
    Event,
    ExecutionStarted,
    ItemCompleted,
    ItemFinished,
    ItemsSettled,
    ItemStarted,
    PlanDrifted,
    PlanReopened,
    PlanSucceeded,
    SubStepTicked,
)
from contracts.refusals import Refused
from contracts.run import run_id
from contracts.seal import seal_of
from contracts.values import GateRule, Gates, Rules, Window, WorkflowSpec
from contracts.workflow import WorkflowInput
from services.executor.decider.items import Context, ItemCommand, decide
from services.executor.decider.runs import unwanted
from services.executor.decider.starting import demand_turn
from services.executor.views import Found
from tests.unit.executor.given import (
    ADMIN,
    DEPLOY,
    EVE,
    HOUR,
    IVAN,
    NOON,
    OLIVIA,
    OPEN,
    PLAN,
    Given,
    all_found,
    content,
    found,
    text,
    workflow,
)

RUN = "ab" * 12


def when(
    plan: Plan | None,
    command: ItemCommand,
    actor: Actor = OLIVIA,
    at: int = NOON,
    workflows: dict[str, Found] | None = None,
) -> tuple[Event, ...]:
    known = workflows if workflows is not None else all_found(plan) if plan is not None else {}
    return decide(plan, command, Context(actor, at, known))


def refusal(plan: Plan | None, command: ItemCommand, actor: Actor = OLIVIA, at: int = NOON, **known: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        when(plan, command, actor, at, **known)
    return caught.value


def complete(item: str = "notes", remark: str = "") -> CompleteItem:
    return CompleteItem(plan=PLAN, item=item, remark=remark)


def execute(item: str = "deploy") -> ExecuteItem:
    return ExecuteItem(plan=PLAN, item=item)


def failed(*, may_fail: bool = False, more: tuple[Any, ...] = (text(),)) -> Given:
    given = Given(content(workflow(may_fail=may_fail), *more)).executing()
    return given.then(
        ItemStarted(item="deploy", attempt=1, run=RUN),
        ItemFinished(item="deploy", attempt=1, outcome="failed", error="exit code 1"),
    )


def test_completing_the_last_item_settles_and_succeeds_in_one_append() -> None:
    plan = Given(content(text())).executing().plan
    assert when(plan, complete(remark="read")) == (
        ItemCompleted(item="notes", attempt=1, remark="read"),
        ItemsSettled(),
        PlanSucceeded(),
    )


def test_with_a_last_gate_settling_does_not_succeed() -> None:
    plan = Given(content(text(), gates=Gates(all_job_done=GateRule()))).executing().plan
    assert when(plan, complete())[1:] == (ItemsSettled(),)


def test_an_open_item_keeps_the_plan_from_settling() -> None:
    plan = Given(content(text(), text("more"))).executing().plan
    assert when(plan, complete()) == (ItemCompleted(item="notes", attempt=1),)


def test_execute_is_an_intent_with_a_derived_run() -> None:
    plan = Given(content(workflow())).executing().plan
    assert when(plan, execute()) == (ItemStarted(item="deploy", attempt=1, run=run_id(PLAN, "deploy", 1)),)


def test_a_missing_plan_is_not_found() -> None:
    assert refusal(None, complete()).code == "plan_not_found"


def test_a_missing_item_is_not_found() -> None:
    assert refusal(Given(content(text())).executing().plan, complete("nope")).code == "item_not_found"


def test_a_stranger_is_forbidden_and_told_who_may() -> None:
    plan = Given(content(text(owner=("user:ivan",)))).executing().plan
    refused = refusal(plan, complete(), EVE)
    assert refused.code == "forbidden"
    assert refused.facts["allowed"] == ["user:ivan", "user:olivia"]


@pytest.mark.parametrize("actor", [IVAN, OLIVIA, ADMIN, Actor("user:zoe", groups=("group:sre",))])
def test_item_owners_plan_owners_groups_and_administrators_may(actor: Actor) -> None:
    plan = Given(content(text(owner=("user:ivan", "group:sre")))).executing().plan
    assert isinstance(when(plan, complete(), actor)[0], ItemCompleted)


def test_the_owner_of_another_item_may_not() -> None:
    plan = Given(content(text(owner=("user:ivan",)), text("other", owner=("user:eve",)))).executing().plan
    assert refusal(plan, complete(), EVE).code == "forbidden"


def test_nothing_happens_to_items_unless_executing() -> None:
    refused = refusal(Given(content(text())).sealed().plan, complete())
    assert (refused.code, refused.facts["status"]) == ("not_executing", "finish_planning")


def test_before_the_window_the_refusal_says_when_it_opens() -> None:
    window = Window(start=moment(NOON + 1), end=moment(NOON + HOUR))
    refused = refusal(Given(content(text(), window=window)).executing().plan, complete())
    assert refused.code == "outside_window"
    assert "opens at" in refused.detail


def test_the_end_of_the_window_is_outside_it() -> None:
    window = Window(start=moment(NOON - HOUR), end=moment(NOON))
    refused = refusal(Given(content(text(), window=window)).executing().plan, complete())
    assert refused.code == "outside_window"
    assert "closed at" in refused.detail


def test_inside_the_window_items_run() -> None:
    plan = Given(content(text(), window=OPEN)).executing().plan
    assert when(plan, complete())


def test_a_drifted_plan_refuses_every_item_command() -> None:
    plan = Given(content(text(), workflow())).executing().then(PlanDrifted(item="deploy", fields=("item",))).plan
    assert refusal(plan, complete()).code == "seal_drift"
    assert refusal(plan, SkipItem(plan=PLAN, item="notes", reason="no")).code == "seal_drift"


def test_a_changed_workflow_is_drift_that_names_item_and_field() -> None:
    plan = Given(content(workflow())).executing().plan
    changed = found(replace(DEPLOY, description="other"))
    refused = refusal(plan, execute(), workflows={"deploy": changed})
    assert (refused.code, refused.facts["item"]) == ("seal_drift", "deploy")
    assert refused.facts["fields"] == ["workflow.digest"]


def test_a_workflow_that_is_gone_is_drift() -> None:
    plan = Given(content(workflow())).executing().plan
    assert "workflow.revision" in str(refusal(plan, execute(), workflows={}).facts["fields"])


def test_other_inputs_than_the_sealed_ones_are_drift() -> None:
    plan = Given(content(workflow())).executing().plan
    changed = replace(plan.content.items[0], spec=replace(plan.content.items[0].spec, inputs={"version": "6.6"}))
    assert isinstance(changed.spec, WorkflowSpec)
    plan.content = replace(plan.content, items=(changed,))
    assert refusal(plan, execute()).facts["fields"] == ["item"]


def test_a_workflow_item_is_not_completed_by_hand() -> None:
    assert refusal(Given(content(workflow())).executing().plan, complete("deploy")).code == "wrong_item_type"


def test_a_text_item_is_not_executed_nor_retried() -> None:
    plan = Given(content(text())).executing().plan
    assert refusal(plan, execute("notes")).code == "wrong_item_type"
    assert refusal(plan, RetryItem(plan=PLAN, item="notes")).code == "wrong_item_type"


def test_open_sub_steps_keep_an_item_from_being_completed() -> None:
    given = Given(content(text(sub_steps=("a", "b")))).executing()
    given.then(SubStepTicked(item="notes", step="a"))
    refused = refusal(given.plan, complete())
    assert (refused.code, refused.facts["sub_steps"]) == ("sub_steps_open", ["b"])
    assert when(given.then(SubStepTicked(item="notes", step="b")).plan, complete())


def test_ticking_twice_changes_nothing_and_unticking_does() -> None:
    given = Given(content(text(sub_steps=("a",)))).executing()
    tick = TickSubStep(plan=PLAN, item="notes", step="a")
    assert when(given.plan, tick) == (SubStepTicked(item="notes", step="a"),)
    given.then(SubStepTicked(item="notes", step="a"))
    assert when(given.plan, tick) == ()
    assert when(given.plan, replace(tick, ticked=False)) == (SubStepTicked(item="notes", step="a", ticked=False),)


def test_an_unknown_sub_step_is_not_found() -> None:
    plan = Given(content(text(sub_steps=("a",)))).executing().plan
    assert refusal(plan, TickSubStep(plan=PLAN, item="notes", step="z")).code == "sub_step_not_found"


def test_a_running_item_blocks_every_other_start_and_end_of_it() -> None:
    plan = Given(content(workflow())).executing().then(ItemStarted(item="deploy", attempt=1, run=RUN)).plan
    for command in (
        execute(),
        RetryItem(plan=PLAN, item="deploy"),
        SkipItem(plan=PLAN, item="deploy", reason="no"),
        WaiveItem(plan=PLAN, item="deploy", reason="no"),
    ):
        refused = refusal(plan, command)
        assert (refused.code, refused.facts["run"]) == ("item_running", RUN)


def test_an_attempt_that_outlived_a_reopening_still_blocks() -> None:
    given = Given(content(workflow())).executing().then(ItemStarted(item="deploy", attempt=1, run=RUN))
    plan = given.then(PlanReopened()).executing().plan
    assert plan.state_of("deploy").status == "todo"
    assert refusal(plan, execute()).code == "item_running"


def test_a_late_end_of_an_earlier_attempt_lets_the_next_one_start() -> None:
    given = Given(content(workflow())).executing().then(ItemStarted(item="deploy", attempt=1, run=RUN))
    given.then(PlanReopened()).executing().then(ItemFinished(item="deploy", attempt=1, outcome="cancelled"))
    started = when(given.plan, execute())[0]
    assert isinstance(started, ItemStarted)
    assert started.attempt == 2


def test_a_settled_item_says_by_whom() -> None:
    given = Given(content(text(), text("more"))).executing()
    given.then(ItemCompleted(item="notes", attempt=1), by="user:ivan")
    refused = refusal(given.plan, complete())
    assert (refused.code, refused.facts["by"]) == ("item_settled", "user:ivan")


def test_the_same_person_completing_again_with_the_same_words_changes_nothing() -> None:
    given = Given(content(text())).executing().then(*when(Given(content(text())).executing().plan, complete()))
    assert given.plan.status == "success"
    assert when(given.plan, complete()) == ()


def test_a_failed_item_is_not_executed_but_retried_from_its_failed_run() -> None:
    plan = failed().plan
    assert refusal(plan, execute()).code == "item_not_todo"
    assert when(plan, RetryItem(plan=PLAN, item="deploy")) == (
        ItemStarted(item="deploy", attempt=2, run=run_id(PLAN, "deploy", 2), retry_of=RUN),
    )


def test_only_a_failed_item_is_retried_or_waived() -> None:
    plan = Given(content(workflow())).executing().plan
    assert refusal(plan, RetryItem(plan=PLAN, item="deploy")).code == "item_not_failed"
    assert refusal(plan, WaiveItem(plan=PLAN, item="deploy", reason="x")).code == "item_not_failed"


def test_skipping_and_waiving_need_a_reason() -> None:
    plan = failed().plan
    for command in (SkipItem(plan=PLAN, item="notes", reason=" "), WaiveItem(plan=PLAN, item="deploy")):
        refused = refusal(plan, command)
        assert (refused.code, refused.faults[0].path) == ("reason_required", "/reason")


def test_a_failed_item_is_not_done_until_waived_and_the_end_names_it() -> None:
    given = failed(more=())
    assert given.plan.status == "executing"
    events = when(given.plan, WaiveItem(plan=PLAN, item="deploy", reason="harmless"))
    assert events[1:] == (ItemsSettled(), PlanSucceeded(waived=("deploy",)))


def test_a_failed_item_may_be_skipped_with_a_reason_and_the_end_names_it() -> None:
    events = when(failed(more=()).plan, SkipItem(plan=PLAN, item="deploy", reason="later"))
    assert events[-1] == PlanSucceeded(skipped=("deploy",))


def test_a_done_item_is_not_skipped() -> None:
    given = Given(content(text(), text("more"))).executing().then(ItemCompleted(item="notes", attempt=1))
    assert refusal(given.plan, SkipItem(plan=PLAN, item="notes", reason="x")).code == "item_settled"


def test_an_item_that_may_fail_lets_the_plan_end_and_is_named() -> None:
    plan = failed(may_fail=True).plan
    assert when(plan, complete())[-1] == PlanSucceeded(failed=("deploy",))


def test_needs_are_settled_first() -> None:
    given = Given(content(text("a"), text("b", needs=("a",)), text("c"))).executing()
    refused = refusal(given.plan, complete("b"))
    assert (refused.code, refused.facts["needs"]) == ("item_needs", ["a"])
    assert when(given.plan, complete("c"))
    assert when(given.then(ItemCompleted(item="a", attempt=1)).plan, complete("b"))


def test_a_failed_need_blocks_unless_it_may_fail() -> None:
    follower = text("after", needs=("deploy",))
    assert refusal(failed(more=(follower,)).plan, complete("after")).code == "item_needs"
    assert when(failed(may_fail=True, more=(follower,)).plan, complete("after"))


def test_in_order_earlier_items_are_settled_first() -> None:
    given = Given(content(text("a"), text("b"), rules=Rules(run="in_order"))).executing()
    assert refusal(given.plan, complete("b")).code == "item_needs"
    assert when(given.then(ItemCompleted(item="a", attempt=1)).plan, complete("b"))


def test_what_an_item_of_a_long_plan_waits_for_is_found_without_comparing_each_with_each() -> None:
    compared = 0

    class Id(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)

    given = Given(content(*(text(f"i{number}") for number in range(200)), rules=Rules(run="in_order"))).executing()
    items = tuple(replace(item, id=Id(item.id)) for item in given.plan.content.items)
    plan = replace(given.plan, content=replace(given.plan.content, items=items))
    with pytest.raises(Refused) as refused:
        demand_turn(plan, items[-1])
    assert compared < 20 * len(items)
    assert refused.value.facts["needs"] == [item.id for item in items[:-1]]


def test_a_workflow_with_runners_runs_for_them_and_administrators_only() -> None:
    guarded = found(replace(DEPLOY, runners=("group:sre",)))
    resealed = Given(content(workflow()))
    resealed.then(seal_of(resealed.plan.content, {"deploy": guarded.resolved}), ExecutionStarted(seal="x"))
    known = {"deploy": guarded}
    refused = refusal(resealed.plan, execute(), workflows=known)
    assert (refused.code, refused.facts["runners"]) == ("runner_not_allowed", ["group:sre"])
    assert when(resealed.plan, execute(), ADMIN, workflows=known)
    assert when(resealed.plan, execute(), Actor("user:olivia", groups=("group:sre",)), workflows=known)


def test_inputs_are_checked_once_more_and_all_faults_are_named() -> None:
    item = workflow(inputs={"token": "hunter2", "nope": "1"})
    plan = Given(content(item)).executing().plan
    refused = refusal(plan, execute())
    assert refused.code == "invalid_workflow"
    assert {fault.path for fault in refused.faults} == {"/inputs/nope", "/inputs/version", "/inputs/token"}
    assert "hunter2" not in str(refused.faults)


def test_inputs_too_large_for_a_run_are_refused_before_it_starts() -> None:
    big = replace(DEPLOY, inputs=tuple(WorkflowInput(name=f"i{n}", default="x" * 20_000) for n in range(3)))
    given = Given(content(workflow(inputs={})))
    given.then(seal_of(given.plan.content, {"deploy": found(big).resolved}), ExecutionStarted(seal="x"))
    assert refusal(given.plan, execute(), workflows={"deploy": found(big)}).faults[0].path == "/inputs"


def test_a_running_attempt_is_cancelled_once_with_a_reason_and_also_after_the_window() -> None:
    given = Given(content(workflow(), window=OPEN)).executing().then(ItemStarted(item="deploy", attempt=1, run=RUN))
    cancel = CancelItem(plan=PLAN, item="deploy", reason="it hangs")
    requested = ItemCancelRequested(item="deploy", attempt=1, reason="it hangs")
    assert when(given.plan, cancel) == when(given.plan, cancel, at=NOON + 9 * HOUR) == (requested,)
    assert refusal(given.plan, replace(cancel, reason=" ")).code == "reason_required"
    assert refusal(given.plan, cancel, EVE).code == "forbidden"
    given.then(requested)
    assert when(given.plan, cancel) == ()
    assert unwanted(given.plan, "deploy", 1) == "it hangs"
    given.then(ItemFinished(item="deploy", attempt=1, outcome="cancelled", error="it hangs"))
    assert (given.plan.state_of("deploy").status, given.plan.state_of("deploy").stopping) == ("todo", "")
    assert refusal(given.plan, cancel).code == "item_not_running"
    assert when(given.plan, execute())[0] == ItemStarted(item="deploy", attempt=2, run=run_id(PLAN, "deploy", 2))


def test_what_may_be_done_about_failed_items_that_block_the_plan_is_told_for_the_others() -> None:
    given = failed(more=(workflow("other", may_fail=True), text()))
    moves = moves_left(given.plan, frozenset({"notes"}))
    assert [(move.verb, move.item, move.by) for move in moves] == [
        (verb, "deploy", ("user:olivia", "administrators")) for verb in ("retry", "waive", "skip")
    ]
    assert moves_left(given.plan, frozenset({"deploy"})) == ()
    assert moves_left(failed(may_fail=True).plan, frozenset()) == ()
