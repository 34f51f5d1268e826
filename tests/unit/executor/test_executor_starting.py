"""Items that the plan has the system start: whose turn it is, in whose name, and what happens where that cannot be."""

from typing import Any

import pytest
from msgspec.structs import replace

from contracts.commands import Actor, ExecuteItem
from contracts.executing_events import ItemHeld
from contracts.plan import Plan
from contracts.plan_events import (
    Event,
    ExecutionStarted,
    Frozen,
    ItemCompleted,
    ItemFinished,
    ItemSkipped,
    ItemStarted,
    PlanDrifted,
    PlanHeld,
    PlanReopened,
    StartRequested,
)
from contracts.run import run_id
from contracts.seal import seal_of
from contracts.values import Item, Rules
from contracts.workflow import WorkflowDefinition
from services.executor.decider.items import Context, decide
from services.executor.decider.walk import due, needs_workflows
from services.executor.views import Found
from tests.unit.executor.given import (
    DEPLOY,
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

SRE = Actor("user:olivia", ("group:sre",), channel="system")


def running(*items: Item, run: Any = "in_order") -> Given:
    return Given(content(*items, rules=Rules(run=run))).executing()


def look(
    plan: Plan, at: int = NOON, runner: Actor | None = OLIVIA, known: dict[str, Found] | None = None
) -> tuple[Event, ...]:
    return due(plan, at, all_found(plan) if known is None else known, None, runner)


def started(item: str, attempt: int = 1) -> ItemStarted:
    return ItemStarted(item=item, attempt=attempt, run=run_id(PLAN, item, attempt), on_behalf_of="user:olivia")


def ended(item: str, outcome: Any = "done") -> ItemFinished:
    return ItemFinished(item=item, attempt=1, outcome=outcome)


def test_by_hand_nothing_starts_by_itself() -> None:
    plan = running(workflow(), run="by_hand").plan
    assert look(plan) == ()
    assert not needs_workflows(plan, NOON)


def test_in_order_the_system_starts_one_after_the_other_and_waits_for_people() -> None:
    given = running(workflow("a"), text("notes"), workflow("b"))
    assert needs_workflows(given.plan, NOON)
    assert look(given.plan) == (started("a"),)
    given.then(started("a"))
    assert look(given.plan) == ()
    given.then(ended("a"))
    assert look(given.plan) == ()  # the text is its owner's
    given.then(ItemCompleted(item="notes", attempt=1))
    assert look(given.plan) == (started("b"),)


def test_by_needs_branches_run_side_by_side_and_join() -> None:
    given = running(
        workflow("build"),
        workflow("eu", needs=("build",)),
        workflow("us", needs=("build",)),
        workflow("check", needs=("eu", "us")),
        run="by_needs",
    )
    assert look(given.plan) == (started("build"),)
    given.then(started("build"), ended("build"))
    assert look(given.plan) == (started("eu"), started("us"))
    given.then(started("eu"), started("us"), ended("eu"))
    assert look(given.plan) == ()
    given.then(ended("us"))
    assert look(given.plan) == (started("check"),)


def test_nothing_goes_on_after_a_failure_unless_the_plan_says_so() -> None:
    for may_fail, follows in ((False, ()), (True, (started("b"),))):
        given = running(workflow("a", may_fail=may_fail), workflow("b", needs=("a",)))
        given.then(started("a"), ended("a", "failed"))
        assert look(given.plan) == follows
    given = running(workflow("a"), workflow("b", needs=("a",)))
    given.then(started("a"), ended("a", "failed"), ItemSkipped(item="a", reason="by hand"))
    assert look(given.plan) == (started("b"),)


def test_what_was_cancelled_is_left_to_people_until_the_plan_is_started_anew() -> None:
    given = running(workflow("a")).then(started("a"))
    assert look(given.plan) == ()
    given.then(ended("a", "cancelled"))
    assert look(given.plan) == ()
    seal = given.then(PlanReopened()).sealed().plan.seal
    assert seal is not None
    given.then(StartRequested(by="owner"), ExecutionStarted(seal=seal.value), at=NOON - 1)
    assert look(given.plan) == (started("a", 2),)


def test_the_system_runs_with_the_rights_of_whoever_sealed_and_no_others() -> None:
    guarded: WorkflowDefinition = replace(DEPLOY, runners=("group:sre",))
    given = Given(content(workflow(), rules=Rules(run="in_order")))
    given.executing()
    plan = given.plan
    assert plan.seal is not None
    seal = seal_of(plan.content, {"deploy": found(guarded).resolved})
    plan.seal = replace(plan.seal, sections=seal.sections, items=seal.items, workflows=seal.workflows)
    known = {"deploy": found(guarded)}
    assert look(plan, runner=SRE, known=known) == (started("deploy"),)
    (held,) = look(plan, runner=OLIVIA, known=known)
    assert isinstance(held, ItemHeld)
    assert (held.item, held.code) == ("deploy", "runner_not_allowed")
    (gone,) = look(plan, runner=None, known=known)
    assert isinstance(gone, ItemHeld)
    assert "user:olivia, who sealed the plan, is not let in any more" in gone.detail


def test_a_held_item_is_not_tried_again_by_the_system_and_is_started_by_people() -> None:
    given = running(workflow()).then(ItemHeld(item="deploy", code="runner_not_allowed", detail="why"))
    assert look(given.plan) == ()
    assert given.plan.state_of("deploy").held == "why"
    by_hand = decide(given.plan, ExecuteItem(plan=PLAN, item="deploy"), Context(OLIVIA, NOON, all_found(given.plan)))
    given.then(*by_hand)
    assert given.plan.state_of("deploy").held == ""


def test_an_input_that_cannot_be_had_holds_the_item_and_says_why() -> None:
    uses = workflow("deploy", {"version": "${items.build.outputs.version}"}, needs=("build",))
    given = running(workflow("build"), uses, run="by_needs").then(ItemSkipped(item="build", reason="built before"))
    (held,) = look(given.plan)
    assert isinstance(held, ItemHeld)
    assert held.code == "output_missing"
    assert "item build is skipped" in held.detail


def test_drift_stops_the_plan_before_anything_of_this_look_starts() -> None:
    given = running(workflow("a"), workflow("b"), run="by_needs")
    known = {"a": found(), "b": found(replace(DEPLOY, description="other"))}
    assert look(given.plan, known=known) == (PlanDrifted(item="b", fields=("workflow.digest",)),)


def test_a_freeze_holds_what_the_system_would_start_and_only_that() -> None:
    frozen = Frozen(freeze="ab" * 12, name="Holidays", start=NOON - 1, end=NOON + 9)
    given = running(workflow())
    assert due(given.plan, NOON, all_found(given.plan), frozen, OLIVIA) == (
        PlanHeld(freeze=frozen.freeze, name="Holidays", until=NOON + 9),
    )
    given.then(PlanHeld(freeze=frozen.freeze, name="Holidays", until=NOON + 9))
    assert due(given.plan, NOON, all_found(given.plan), frozen, OLIVIA) == ()
    given.then(*look(given.plan, NOON + 9))
    assert given.plan.held is None
    assert given.plan.state_of("deploy").status == "running"
    by_hand = running(workflow(), run="by_hand").plan
    assert due(by_hand, NOON, all_found(by_hand), frozen, OLIVIA) == ()


@pytest.mark.parametrize("run", ["in_order", "by_needs"])
def test_outside_the_window_nothing_starts(run: Any) -> None:
    from contracts.moments import moment
    from contracts.values import Window
    from tests.unit.executor.given import HOUR

    window = Window(start=moment(NOON - HOUR), end=moment(NOON))
    given = Given(content(workflow(), rules=Rules(run=run), window=window)).executing()
    assert look(given.plan, NOON - 1) == (started("deploy"),)
    assert [type(event).__name__ for event in look(given.plan, NOON)] == ["PlanTimedOut"]
