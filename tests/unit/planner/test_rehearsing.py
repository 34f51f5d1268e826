"""A rehearsal goes as the deciders decide: who is asked, what waits for what, how long, and where it would stop."""

from collections.abc import Mapping
from typing import Any

import pytest

from contracts.commands import Actor
from contracts.edit_events import ItemsRemoved
from contracts.foresight import Rehearsal
from contracts.moments import micros, moment
from contracts.plan import Plan
from contracts.plan_events import ExecutionStarted, Frozen, ItemStarted, PlanReopened, ResolvedWorkflow, StartRequested
from contracts.refusals import Refused
from contracts.seal import seal_of
from contracts.values import GateRule, Gates, Item, Rules, Schedule, Window, WorkflowSpec
from contracts.workflow import ScriptStep, Stage, WorkflowDefinition, workflow_digest
from services.planner.decider import Known
from services.planner.decider.rehearsing import Surroundings, Usual, rehearse
from tests.support.builders import (
    NOON,
    OLIVIA,
    PLAN,
    approval,
    content,
    created,
    plan_after,
    text_item,
    then,
    workflow_item,
)

MEMBERS = {"group:sre": frozenset({"user:ana", "user:ben"}), "group:qa": frozenset({"user:cho", "user:olivia"})}
MINUTE = 60_000_000


def definition(name: str) -> WorkflowDefinition:
    return WorkflowDefinition(
        project="web", name=name, stages=(Stage(name="s", steps=(ScriptStep(name="o", script="true"),)),)
    )


def around(*items: Item, usual: Mapping[str, int] = {}, asker: Actor | None = OLIVIA) -> Surroundings:
    specs = {item.id: item.spec for item in items if isinstance(item.spec, WorkflowSpec)}
    definitions = {item: definition(spec.workflow) for item, spec in specs.items()}
    workflows = {
        item: ResolvedWorkflow(project="web", workflow=one.name, revision=1, digest=workflow_digest(one))
        for item, one in definitions.items()
    }
    people = frozenset({"user:olivia", "user:ana", "user:ben", "user:cho", "user:ci", *MEMBERS})
    known = Known(
        people=people, members=MEMBERS, workflows=workflows, definitions=definitions, zones=frozenset({"UTC"})
    )
    lengths = {("web", name): Usual(median, 3) for name, median in usual.items()}
    return Surroundings(asker=asker, owners=("user:olivia",), sealing=known, members=MEMBERS, usual=lengths)


def rehearsed(plan: Plan, usual: Mapping[str, int] = {}, frozen: Frozen | None = None) -> Rehearsal:
    def frozen_at(_: Plan, at: int) -> Frozen | None:
        return frozen if frozen is not None and frozen.start <= at < frozen.end else None

    return rehearse(plan, PLAN, around(*plan.content.items, usual=usual), NOON, frozen_at)


def plan_of(*items: Item, **fields: Any) -> Plan:
    return plan_after(created(items=items, **fields))


def types(told: Rehearsal) -> list[str]:
    return [f"{step.type.removesuffix('.v1')} {step.item or step.gate}".strip() for step in told.steps]


DIAMOND = (
    workflow_item("build", "build"),
    workflow_item("left", "left", needs=("build",)),
    workflow_item("right", "right", needs=("build",)),
    text_item("announce", needs=("left", "right")),
)


def test_branches_run_side_by_side_and_the_shorter_one_ends_first() -> None:
    told = rehearsed(plan_of(*DIAMOND), {"build": MINUTE, "left": 3 * MINUTE, "right": 2 * MINUTE})
    assert told.outcome == "success"
    assert told.stages == (("build",), ("left", "right"), ("announce",))
    assert types(told) == [
        *("plan.sealed", "plan.start_requested", "plan.execution_started"),
        *("item.started build", "item.finished build", "item.started left", "item.started right"),
        *("item.finished right", "item.finished left", "item.completed announce"),
        *("plan.items_settled", "plan.succeeded"),
    ]
    assert told.at_least_seconds == 240
    assert told.expected_seconds is None, "nobody knows how long a person takes"
    assert [item.basis for item in told.items][2:] == [
        "median of 3 earlier runs of web/right",
        "unknown: done by people",
    ]


def test_where_every_length_is_known_the_whole_is_known_and_an_order_makes_it_longer() -> None:
    usual = {"build": MINUTE, "left": 3 * MINUTE, "right": 2 * MINUTE}
    side_by_side = rehearsed(plan_of(*DIAMOND[:3], rules=Rules(run="by_needs")), usual)
    in_order = rehearsed(plan_of(*DIAMOND[:3], rules=Rules(run="in_order")), usual)
    assert (side_by_side.expected_seconds, in_order.expected_seconds) == (240, 360)
    assert side_by_side.stages == (("build",), ("left", "right"))
    assert in_order.stages == (("build",), ("left",), ("right",))
    assert all(step.by == "service:executor" for step in in_order.steps if step.type.startswith("item."))


def test_who_is_asked_is_who_may_vote_by_the_rules_of_separation() -> None:
    plan = plan_of(text_item(), approval=approval("group:sre", "group:qa", needed=2))
    told = rehearse(plan, PLAN, around(asker=None), NOON, lambda now, at: None)
    [level] = told.approval
    [rule] = level.rules
    assert rule.people == ("user:ana", "user:ben", "user:cho")
    assert rule.kept_out == {"user:olivia": "self_approval"}
    assert types(told)[1:5] == ["plan.submitted", "plan.vote_cast", "plan.vote_cast", "plan.approved"]


def test_gates_open_one_after_the_other_with_their_deadlines() -> None:
    gates = Gates(finish_planning=GateRule(deadline_seconds=60), all_job_done=GateRule(deadline_seconds=120))
    told = rehearsed(plan_of(text_item(), gates=gates))
    assert [(hook.event, hook.waits) for hook in told.hooks] == [
        ("finish_planning", True),
        ("start_execute", False),
        ("all_job_done", True),
    ]
    assert [hook.deadline for hook in told.hooks] == [moment(NOON + MINUTE), None, moment(NOON + 2 * MINUTE)]
    assert "gate.passed finish_planning" in types(told)


def test_a_gate_that_asks_several_systems_passes_when_each_has_answered() -> None:
    gates = Gates(finish_planning=GateRule(systems=("user:ci", "group:sre")))
    told = rehearsed(plan_of(text_item(), gates=gates))
    assert told.hooks[0].systems == ("user:ci", "group:sre")
    assert types(told)[1:5] == [
        "gate.opened finish_planning",
        *["gate.system_answered finish_planning"] * 2,
        "gate.passed finish_planning",
    ]


def test_what_starts_later_starts_when_the_window_or_the_schedule_says() -> None:
    start, end = moment(NOON + 60 * MINUTE), moment(NOON + 120 * MINUTE)
    late = rehearsed(plan_of(text_item(), window=Window(start=start, end=end), approval=approval("group:sre")))
    assert (late.outcome, late.starts_at, late.window_suffices) == ("success", start, None)
    planned = plan_of(
        workflow_item(), window=Window(start=start, end=end), schedule=Schedule(at=moment(micros(start) + MINUTE))
    )
    told = rehearsed(planned, {"deploy": 10 * MINUTE})
    assert told.starts_at == moment(micros(start) + MINUTE)
    assert (told.window_suffices, told.spare_seconds) == (True, 49 * 60)


def test_a_window_that_is_too_short_is_told_before_anything_runs() -> None:
    window = Window(start=moment(NOON - MINUTE), end=moment(NOON + 5 * MINUTE))
    told = rehearsed(plan_of(*DIAMOND, window=window), {"build": MINUTE, "left": 5 * MINUTE, "right": MINUTE})
    assert (told.outcome, told.window_suffices) == ("timeout", False)
    assert types(told)[-1] == "plan.timed_out"


def test_a_freeze_holds_the_start_and_the_rehearsal_goes_on_after_it() -> None:
    frozen = Frozen(freeze="f" * 24, name="Christmas", start=NOON - MINUTE, end=NOON + 30 * MINUTE)
    ways: tuple[dict[str, Any], ...] = (
        {"approval": approval("group:sre")},
        {"approval": approval("group:sre"), "rules": Rules(run="in_order")},
        {},  # its owner starts it, and is refused until then
    )
    for fields in ways:
        told = rehearsed(plan_of(workflow_item(), **fields), {"deploy": MINUTE}, frozen)
        assert (told.outcome, told.starts_at) == ("success", moment(frozen.end))


def test_a_plan_that_cannot_be_sealed_says_all_that_sealing_says() -> None:
    told = rehearsed(plan_of(text_item("a", needs=("b",)), text_item("c", owner=("user:nobody",))))
    assert (told.outcome, told.code, told.steps) == ("refused", "not_sealable", ())
    assert [fault.path for fault in told.faults] == ["/items/1/owner/0", "/items/0/needs/0"]


def test_an_early_rehearsal_changes_nothing_about_the_plan() -> None:
    plan = plan_of(*DIAMOND)
    before = repr(plan)
    assert rehearsed(plan) == rehearsed(plan)
    assert repr(plan) == before


def test_a_plan_that_is_over_or_not_there_is_not_rehearsed() -> None:
    with pytest.raises(Refused, match="plan_not_found"):
        rehearse(None, PLAN, Surroundings(), NOON, lambda plan, at: None)


def test_a_chain_and_a_heap_of_many_items_are_rehearsed() -> None:
    heap = tuple(text_item(f"i{i}") for i in range(300))
    chain = tuple(text_item(f"i{i}", needs=(f"i{i - 1}",) if i else ()) for i in range(300))
    assert len(rehearsed(plan_of(*heap)).stages) == 1
    assert len(rehearsed(plan_of(*chain)).stages) == 300
    with pytest.raises(Refused, match="rehearsal_too_large"):
        rehearsed(plan_of(*(text_item(f"i{i}") for i in range(1_001))))


def test_a_run_that_still_stops_is_no_part_of_the_rehearsal_once_its_item_is_removed() -> None:
    items = (workflow_item("build", "build"), text_item("notes"))
    build = {"build": around(*items).sealing.workflows["build"]}
    seals = [seal_of(content(items=items), build), seal_of(content(items=items[1:]), {})]
    started = (StartRequested(by="owner"), ExecutionStarted(seal=seals[0].seal))
    plan = plan_after(created(items=items), seals[0], *started, ItemStarted(item="build", attempt=1, run="ab"))
    plan = then(plan, [PlanReopened(), ItemsRemoved(items=("build",)), seals[1], *started])
    assert plan.state_of("build").running is not None
    assert types(rehearsed(plan))[-1] == "plan.succeeded"


def test_a_run_that_still_stops_of_a_workflow_that_is_gone_is_told_by_the_seal() -> None:
    item = workflow_item("build", "build")
    seal = seal_of(content(items=(item,)), around(item).sealing.workflows)
    started = (StartRequested(by="owner"), ExecutionStarted(seal=seal.seal))
    plan = plan_after(created(items=(item,)), seal, *started, ItemStarted(item="build", attempt=1, run="ab"))
    plan = then(plan, [PlanReopened()])
    told = rehearse(plan, PLAN, around(text_item("build")), NOON + 60 * MINUTE, lambda plan, at: None)
    assert (told.outcome, told.code) == ("refused", "not_sealable")
