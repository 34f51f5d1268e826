"""Reopening and cancelling, from every status that a plan can have: nothing waits any more, nothing done is lost."""

from typing import get_args

import pytest

from contracts import plan_events as e
from contracts.commands import CancelPlan, ReopenPlan
from contracts.plan import Plan, Status
from contracts.plan_events import Event
from contracts.seal import seal_of
from contracts.values import Content, GateName, GateRule, Gates
from services.executor.decider import walk
from services.executor.decider.runs import unwanted
from services.planner.decider import Known, decide
from tests.support.builders import NOON, OLIVIA, PLAN, approval, content, created, plan_after, text_item, then

ITEMS = (text_item("notes"), text_item("deploy"), text_item("tell"))
RULE = GateRule()
GATES = Gates(finish_planning=RULE, start_execute=RULE, all_job_done=RULE)
KNOWN = Known()


def whole(name: str = "Release") -> Content:
    return content(name=name, items=ITEMS, approval=approval("user:ana"), gates=GATES)


SEAL = seal_of(whole(), {})


def opened(gate: GateName, number: int = 1) -> Event:
    return e.GateOpened(gate=gate, round=number, instance_code=f"{number:016x}", deadline=NOON)


def failed(gate: GateName) -> Event:
    return e.GateFailed(gate=gate, round=1, reason="red")


PLANNED = (created(**{name: getattr(whole(), name) for name in ("name", "items", "approval", "gates")}),)
CHECKED = (*PLANNED, SEAL, opened("finish_planning"))
READY = (*CHECKED, e.GatePassed(gate="finish_planning", round=1))
ASKED = (*READY, e.PlanSubmitted(round=1, seal=SEAL.seal), e.VoteCast(round=1, seal=SEAL.seal, vote="approve"))
REQUESTED = (
    *ASKED,
    e.PlanApproved(round=1, seal=SEAL.seal),
    e.StartRequested(by="approval"),
    opened("start_execute"),
)
AT_WORK = (
    *REQUESTED,
    e.GatePassed(gate="start_execute", round=1),
    e.ExecutionStarted(seal=SEAL.seal),
    e.ItemCompleted(item="notes", attempt=1),
    e.ItemStarted(item="deploy", attempt=1, run="aa"),
)
DONE = (*AT_WORK, e.ItemFinished(item="deploy", attempt=1, outcome="done"), e.ItemCompleted(item="tell", attempt=1))
SETTLED = (*DONE, e.ItemsSettled(), opened("all_job_done"))
WAYS: dict[Status, tuple[Event, ...]] = {
    "planning": PLANNED,
    "wait_for_finish_planning_external_check": CHECKED,
    "wait_for_finish_planning_external_check_failed": (*CHECKED, failed("finish_planning")),
    "finish_planning": READY,
    "wait_for_approval": ASKED,
    "denied": (*ASKED, e.PlanDenied(round=1, seal=SEAL.seal, reason="no")),
    "wait_for_execute_external_check": REQUESTED,
    "wait_for_execute_external_check_failed": (*REQUESTED, failed("start_execute")),
    "executing": AT_WORK,
    "wait_for_all_done_external_check": SETTLED,
    "wait_for_all_done_external_check_failed": (*SETTLED, failed("all_job_done")),
    "success": (*SETTLED, e.GatePassed(gate="all_job_done", round=1), e.PlanSucceeded()),
    "cancel": (*AT_WORK, e.PlanCancelled(reason="no")),
    "timeout": (*AT_WORK, e.PlanTimedOut(reason="window_end", open=("tell",), running=("deploy",))),
}


def in_status(status: Status) -> Plan:
    plan = plan_after(*WAYS[status])
    assert plan.status == status
    return plan


def reopened(plan: Plan) -> Plan:
    return then(plan, decide(plan, ReopenPlan(plan=PLAN, reason="again"), OLIVIA, NOON, KNOWN))


def waits_for_nobody(plan: Plan) -> bool:
    """No round is open, no gate is to be opened or answered, no run is wanted, nothing is due by itself."""
    gates = all(gate.state not in {"due", "open", "failed", "expired"} for gate in plan.gates.values())
    runs = [(item, state.running) for item, state in plan.items.items() if state.running]
    unwanted_runs = all(unwanted(plan, item, attempt.number) for item, attempt in runs if attempt)
    return gates and unwanted_runs and plan.approval.state != "open" and not walk.due(plan, NOON, {})


def test_the_ways_lead_to_every_status() -> None:
    assert set(WAYS) == set(get_args(Status))


@pytest.mark.parametrize("status", [status for status in WAYS if status not in {"success", "cancel"}])
def test_after_reopening_nothing_waits_and_everything_done_is_kept(status: Status) -> None:
    before = in_status(status)
    done = {item for item, state in before.items.items() if state.status == "done"}
    plan = reopened(before)
    assert plan.status == "planning"
    assert waits_for_nobody(plan)
    for _ in range(2):
        assert decide(plan, ReopenPlan(plan=PLAN, reason="once more"), OLIVIA, NOON, KNOWN) == ()
        plan = then(plan, [SEAL])
        assert {item for item, state in plan.items.items() if state.status == "done"} == done
        assert [len(plan.state_of(item.id).attempts) for item in ITEMS] == [
            len(before.state_of(item.id).attempts) for item in ITEMS
        ]
        assert plan.approval.votes == before.approval.votes
        assert plan.gates["finish_planning"].state == "due"
        plan = reopened(plan)


@pytest.mark.parametrize("status", [status for status in WAYS if status not in {"success", "cancel"}])
def test_what_still_runs_while_a_plan_is_reopened_and_sealed_anew_is_not_wanted_any_more(status: Status) -> None:
    before = in_status(status)
    runs = [item for item, state in before.items.items() if state.running]
    plan = then(reopened(before), [SEAL])
    for item in runs:
        assert unwanted(plan, item, 1) == "the plan was reopened"
        plan = then(plan, [e.ItemFinished(item=item, attempt=1, outcome="cancelled")])
        assert plan.state_of(item).status == "todo"


@pytest.mark.parametrize("status", [status for status in WAYS if status not in {"success", "cancel"}])
def test_a_plan_is_cancelled_from_here_and_nothing_waits_any_more(status: Status) -> None:
    plan = in_status(status)
    plan = then(plan, decide(plan, CancelPlan(plan=PLAN, reason="no"), OLIVIA, NOON, KNOWN))
    assert (plan.status, plan.reason) == ("cancel", "no")
    assert waits_for_nobody(plan)
    assert decide(plan, CancelPlan(plan=PLAN, reason="still no"), OLIVIA, NOON, KNOWN) == ()
    assert plan.state_of("notes") == in_status(status).state_of("notes")
