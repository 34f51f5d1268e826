"""A plan that waits for a system which does not exist would wait in vain, so it is not sealed."""

from contracts.commands import SealPlan
from contracts.values import GateRule, Gates
from services.planner.decider import Known, decide
from tests.support.builders import NOON, OLIVIA, PLAN, created, plan_after
from tests.support.spec import given

SYSTEMS = ("user:olivia", "endpoint:board", "group:qa")


def test_each_system_that_a_gate_asks_must_exist() -> None:
    plan = plan_after(created(gates=Gates(start_execute=GateRule(systems=SYSTEMS))))
    known = Known(people=frozenset({"user:olivia"}))
    refusal = (
        given(plan).when(lambda now: decide(now, SealPlan(plan=PLAN), OLIVIA, NOON, known)).refused("not_sealable")
    )
    assert [fault.path for fault in refusal.faults] == [
        "/gates/start_execute/systems/1",
        "/gates/start_execute/systems/2",
    ]
    everybody = Known(people=frozenset(SYSTEMS))
    assert decide(plan, SealPlan(plan=PLAN), OLIVIA, NOON, everybody)
