"""The next move of a run, whether its plan still wants it, and what its end means: pure rules."""

from typing import Any

import pytest
from msgspec.structs import replace

from contracts.envelope import Fact
from contracts.plan_events import (
    ItemFinished,
    ItemsSettled,
    ItemStarted,
    NextMove,
    PlanCancelled,
    PlanReopened,
    PlanSucceeded,
    PlanTimedOut,
)
from contracts.registry import encode
from contracts.run import (
    RunCancelRequested,
    RunClaimed,
    RunCreated,
    RunFinished,
    StepFinished,
    StepOutcome,
    StepStarted,
)
from contracts.run_state import Run, fold_run
from contracts.values import Rules
from contracts.workflow import Effect, HttpStep, ScriptStep, Stage
from services.executor.decider.runs import (
    LOST,
    MOST_ATTEMPTS,
    STOPPED,
    UNKNOWN_EFFECT,
    Claim,
    Finish,
    Perform,
    Rest,
    Wait,
    cancel,
    item_finished,
    next_move,
    repeatable,
    unwanted,
)
from tests.unit.executor.given import DEPLOY, NOON, PLAN, Given, content, text, workflow

ME, OTHER, RUN = "me", "other", "ab" * 12


def given(*events: Any, effect: Effect = "at_most_once", **created: Any) -> Run:
    steps = (ScriptStep(name="one", script="true", effect=effect), ScriptStep(name="two", script="true", effect=effect))
    definition = replace(DEPLOY, stages=(Stage(name="all", steps=steps),))
    first = RunCreated(
        plan=PLAN, item="deploy", attempt=1, revision=1, digest="d", definition=definition, inputs={}, **created
    )
    facts = []
    for i, event in enumerate((first, *events), 1):
        name, payload = encode(event)
        facts.append(Fact(i, f"run-{RUN}", i, name, NOON, NOON, "x", "x", "k", 0, None, "", payload, b""))
    run = fold_run(facts)
    assert run is not None
    return run


MINE = RunClaimed(owner=ME, until=NOON + 1)


def started(step: int = 0, attempt: int = 1) -> StepStarted:
    return StepStarted(step=step, name="x", attempt=attempt, key="k")


def ended(outcome: StepOutcome, step: int = 0, attempt: int = 1, **fields: Any) -> StepFinished:
    return StepFinished(step=step, attempt=attempt, outcome=outcome, **fields)


def test_a_free_run_is_claimed_first() -> None:
    assert next_move(given(), ME, NOON) == Claim()


def test_another_owners_run_is_left_alone_until_its_lease_ends() -> None:
    run = given(RunClaimed(owner=OTHER, until=NOON + 1))
    assert next_move(run, ME, NOON) == Wait(NOON + 1)
    assert next_move(run, ME, NOON + 1) == Claim()


def test_the_run_of_an_owner_that_is_gone_is_claimed_at_once() -> None:
    assert next_move(given(RunClaimed(owner=OTHER, until=NOON + 1)), ME, NOON, owner_gone=True) == Claim()


def test_steps_run_one_after_the_other() -> None:
    assert next_move(given(MINE), ME, NOON) == Perform(0, 1, resumed=False)
    assert next_move(given(MINE, started(), ended("passed")), ME, NOON) == Perform(1, 1, resumed=False)
    done = given(
        MINE, started(), ended("passed", outputs={"a": "1"}), started(1), ended("passed", 1, outputs={"b": "2"})
    )
    assert next_move(done, ME, NOON) == Finish(RunFinished(outcome="passed", outputs={"a": "1", "b": "2"}))


def test_an_intent_without_an_outcome_is_resumed_as_the_same_attempt() -> None:
    assert next_move(given(MINE, started()), ME, NOON) == Perform(0, 1, resumed=True)


def test_a_retry_begins_at_its_first_step() -> None:
    assert next_move(given(MINE, first_step=1), ME, NOON) == Perform(1, 1, resumed=False)


@pytest.mark.parametrize(
    ("outcome", "error", "run_outcome", "run_error"),
    [
        ("failed", "exit code 1", "failed", "step one: exit code 1"),
        ("timeout", "ran longer than 1 s", "failed", "step one: timeout: ran longer than 1 s"),
        ("unknown", UNKNOWN_EFFECT, "unknown", "step one: lease_lost_unknown_effect"),
        ("unknown", STOPPED, "unknown", "step one: lease_lost_unknown_effect: executor_stopped"),
        ("unknown", LOST, "unknown", "step one: lease_lost_unknown_effect"),
    ],
)
def test_a_step_that_did_not_pass_ends_the_run(outcome: Any, error: str, run_outcome: str, run_error: str) -> None:
    move = next_move(given(MINE, started(), ended(outcome, error=error)), ME, NOON)
    assert isinstance(move, Finish)
    assert (move.event.outcome, move.event.error) == (run_outcome, run_error)


@pytest.mark.parametrize(("outcome", "error"), [("cancelled", STOPPED), ("unknown", LOST)])
def test_a_repeatable_step_that_we_or_its_host_ended_is_done_again_but_not_for_ever(outcome: Any, error: str) -> None:
    once = given(MINE, started(), ended(outcome, error=error), effect="idempotent")
    assert next_move(once, ME, NOON) == Perform(0, 2, resumed=False)
    tired = [event for n in range(1, MOST_ATTEMPTS + 1) for event in (started(0, n), ended(outcome, 0, n, error=error))]
    assert isinstance(next_move(given(MINE, *tired, effect="idempotent"), ME, NOON), Finish)
    assert isinstance(next_move(given(MINE, started(), ended(outcome, error=error)), ME, NOON), Finish)


def test_a_cancelled_run_starts_nothing_more() -> None:
    asked = RunCancelRequested(reason="no")
    assert next_move(given(MINE, asked), ME, NOON) == Finish(RunFinished(outcome="cancelled", error="no"))
    between = given(MINE, started(), ended("passed"), asked)
    assert next_move(between, ME, NOON) == Finish(RunFinished(outcome="cancelled", error="no"))
    assert next_move(given(MINE, started(), asked), ME, NOON) == Perform(0, 1, resumed=True)


def test_a_finished_run_rests() -> None:
    assert next_move(given(MINE, RunFinished(outcome="passed")), ME, NOON) == Rest()


def test_asking_is_repeatable_and_posting_is_not() -> None:
    assert repeatable(HttpStep(name="a", url="http://x.test"))
    assert not repeatable(HttpStep(name="a", url="http://x.test", method="POST"))
    assert repeatable(HttpStep(name="a", url="http://x.test", method="PUT", effect="idempotent"))
    assert not repeatable(ScriptStep(name="a", script="true"))


def running(**fields: Any) -> Given:
    return Given(content(workflow(), **fields)).executing().then(ItemStarted(item="deploy", attempt=1, run=RUN))


def test_a_plan_wants_its_running_attempt_while_it_executes() -> None:
    assert unwanted(running().plan, "deploy", 1) is None


def test_a_plan_that_moved_on_wants_it_no_longer_and_says_why() -> None:
    assert unwanted(running().then(PlanReopened()).plan, "deploy", 1) == "the plan was reopened"
    assert unwanted(running().then(PlanReopened()).executing().plan, "deploy", 1) == "the plan was reopened"
    assert unwanted(running().then(PlanCancelled(reason="no")).plan, "deploy", 1) == "the plan was cancelled"
    assert unwanted(None, "deploy", 1) == unwanted(running().plan, "gone", 1) == "the plan has moved on"


def test_at_the_windows_end_the_plans_own_rule_decides() -> None:
    assert unwanted(running().then(PlanTimedOut(reason="window_end")).plan, "deploy", 1) is None
    cancelling = running(rules=Rules(on_window_end="cancel_running")).then(PlanTimedOut(reason="window_end"))
    assert unwanted(cancelling.plan, "deploy", 1) == "the window has ended"


def test_cancelling_is_asked_once_and_not_of_a_finished_run() -> None:
    assert cancel(given(), "no") == (RunCancelRequested(reason="no"),)
    assert cancel(given(), None) == ()
    assert cancel(given(RunCancelRequested(reason="no")), "again") == ()
    assert cancel(given(RunFinished(outcome="passed")), "no") == ()


def finished(outcome: Any, **fields: Any) -> Run:
    return given(RunFinished(outcome=outcome, **fields))


def test_the_end_of_the_last_run_settles_and_succeeds_in_one_append() -> None:
    events = item_finished(running().plan, finished("passed", outputs={"a": "1"}, log="ff"))
    done = ItemFinished(item="deploy", attempt=1, outcome="done", outputs={"a": "1"}, log="ff")
    assert events == (done, ItemsSettled(), PlanSucceeded())


@pytest.mark.parametrize("outcome", ["failed", "unknown"])
def test_a_failed_or_unknown_run_is_a_failed_item_and_settles_nothing(outcome: str) -> None:
    events = item_finished(running().plan, finished(outcome, error="why"))
    by = ("user:olivia", "administrators")
    moves = tuple(NextMove(verb=verb, by=by, item="deploy") for verb in ("retry", "waive", "skip"))
    assert events == (ItemFinished(item="deploy", attempt=1, outcome="failed", error="why", next=moves),)


def test_an_end_that_is_known_already_is_not_told_twice() -> None:
    plan = running().then(ItemFinished(item="deploy", attempt=1, outcome="failed")).plan
    assert item_finished(plan, finished("failed")) == ()


def test_a_late_end_after_a_reopening_is_told_and_settles_nothing() -> None:
    given_plan = Given(content(workflow(), text())).executing().then(ItemStarted(item="deploy", attempt=1, run=RUN))
    plan = given_plan.then(PlanReopened()).executing().plan
    assert [type(event) for event in item_finished(plan, finished("passed"))] == [ItemFinished]


def test_the_end_of_a_run_that_has_not_ended_is_nothing() -> None:
    assert item_finished(running().plan, given()) == ()
