"""The rules of gates, given / when / then."""

from collections.abc import Callable
from typing import Any, Literal

import pytest

from contracts import plan_events as e
from contracts.commands import Actor, AnswerGate, OverrideGate, RecheckGate
from contracts.gate_events import GateSystemAnswered
from contracts.plan import Plan
from contracts.seal import seal_of
from contracts.values import GateName, GateRule, Gates
from services.hook_dispatcher.decider import gates
from tests.support.builders import ADA, ANA, MALLORY, NOON, OLIVIA, PLAN, content, created, plan_after, then
from tests.support.spec import given

GATE: GateName = "finish_planning"
RULES = Gates(finish_planning=GateRule(deadline_seconds=60))
CODE, NEW, OLD, FOREIGN = "a" * 16, "b" * 16, "c" * 16, "d" * 16
DEADLINE = NOON + 60_000_000
FIRST = e.GateOpened(gate=GATE, round=1, instance_code=CODE, deadline=DEADLINE)
CODES: dict[str, GateName] = {CODE: GATE, OLD: GATE, FOREIGN: "all_job_done"}

PASSED = e.GatePassed(gate=GATE, round=1, text="fine")
FAILED = e.GateFailed(gate=GATE, round=1, reason="no")
EXPIRED = e.GateExpired(gate=GATE, round=1)
OVERRIDDEN = e.GateOverridden(gate=GATE, round=1, reason="we know")


def due(**fields: Any) -> Plan:
    fields = {"gates": RULES, **fields}
    return plan_after(created(**fields), seal_of(content(**fields), {}))


def opened(*more: e.Event) -> Plan:
    return then(due(), [FIRST, *more])


Result = Literal["success", "failed", "executing"]


def answering(
    result: Result, text: str = "", code: str = CODE, at: int = NOON, gate: GateName = GATE, by: Actor = OLIVIA
) -> Callable[[Plan], Any]:
    command = AnswerGate(plan=PLAN, gate=gate, instance_code=code, result=result, text=text)
    return lambda plan: gates.answer(plan, command, at, CODES, by)


def test_success_lets_the_plan_go_on() -> None:
    given(opened()).when(answering("success", "fine")).then(PASSED)
    assert opened(PASSED).status == "finish_planning"


def test_failure_keeps_its_reason_and_asks_for_one_that_is_missing() -> None:
    given(opened()).when(answering("failed", "no")).then(FAILED)
    given(opened()).when(answering("failed")).then(e.GateFailed(gate=GATE, round=1, reason="no reason given"))


def test_executing_is_progress_and_the_same_progress_again_is_nothing() -> None:
    progress = e.GateProgressed(gate=GATE, round=1, text="half")
    given(opened()).when(answering("executing", "half")).then(progress)
    given(opened(progress)).when(answering("executing", "half")).then_nothing()
    given(opened()).when(answering("executing")).then_nothing()


@pytest.mark.parametrize(("answered", "result"), [(PASSED, "success"), (FAILED, "failed")])
def test_the_same_answer_again_changes_nothing(answered: e.Event, result: Result) -> None:
    given(opened(answered)).when(answering(result, "said otherwise")).then_nothing()


@pytest.mark.parametrize("answered", [PASSED, FAILED])
def test_progress_that_comes_after_the_verdict_changes_nothing(answered: e.Event) -> None:
    given(opened(answered)).when(answering("executing", "late")).then_nothing()


@pytest.mark.parametrize(("answered", "result"), [(PASSED, "failed"), (FAILED, "success")])
def test_the_other_answer_to_the_same_round_contradicts(answered: e.Event, result: Result) -> None:
    given(opened(answered)).when(answering(result)).refused("answer_contradicts")


def test_a_code_of_an_earlier_round_is_stale() -> None:
    given(opened()).when(answering("success", code=OLD)).refused("instance_code_stale")
    again = e.GateOpened(gate=GATE, round=2, instance_code=NEW, deadline=DEADLINE)
    given(opened(FAILED, again)).when(answering("success", code=CODE)).refused("instance_code_stale")


def test_a_code_that_nobody_gave_out_is_unknown() -> None:
    given(opened()).when(answering("success", code="e" * 16)).refused("instance_code_unknown")


def test_a_code_of_another_gate_is_unknown_here() -> None:
    refusal = given(opened()).when(answering("success", code=FOREIGN)).refused("instance_code_unknown")
    assert "all_job_done" in refusal.detail


@pytest.mark.parametrize("code", ["", "e" * 16])
def test_a_gate_that_never_asked_takes_no_answer(code: str) -> None:
    given(opened()).when(answering("success", code=code, gate="start_execute")).refused("gate_not_open")
    given(due()).when(answering("success", code=code)).refused("gate_not_open")


def test_the_code_of_a_finished_round_is_stale_once_the_gate_is_due_again() -> None:
    fields = content(gates=RULES)
    plan = opened(PASSED, e.PlanReopened(), seal_of(fields, {}))
    assert plan.gates[GATE].state == "due"
    given(plan).when(answering("success")).refused("instance_code_stale")


@pytest.mark.parametrize("ended", [EXPIRED, OVERRIDDEN, e.PlanReopened(), e.PlanCancelled(reason="no")])
def test_an_answer_after_the_waiting_ended_is_refused(ended: e.Event) -> None:
    given(opened(ended)).when(answering("success")).refused("gate_not_open")


def test_an_answer_at_the_deadline_comes_too_late_even_before_the_expiry_is_recorded() -> None:
    given(opened()).when(answering("success", at=DEADLINE - 1)).then(e.GatePassed(gate=GATE, round=1))
    given(opened()).when(answering("success", at=DEADLINE)).refused("gate_not_open")


def test_an_answer_for_no_plan_is_refused() -> None:
    command = AnswerGate(plan=PLAN, gate=GATE, instance_code=CODE, result="success")
    given(None).when(lambda plan: gates.answer(plan, command, NOON, {}, OLIVIA)).refused("plan_not_found")


# Opening and expiring


def test_a_due_gate_opens_with_a_new_round_a_code_and_a_deadline() -> None:
    given(due()).when(lambda plan: gates.open_due(plan, NOON, CODE)).then(FIRST)
    given(opened()).when(lambda plan: gates.open_due(plan, NOON, NEW)).then_nothing()


def test_each_round_has_the_next_number_also_after_a_reopen() -> None:
    plan = opened(PASSED, e.PlanReopened(), seal_of(content(gates=RULES), {}))
    (event,) = gates.open_due(plan, NOON, NEW)
    assert event == e.GateOpened(gate=GATE, round=2, instance_code=NEW, deadline=DEADLINE)


def test_a_gate_expires_at_its_deadline_and_not_before() -> None:
    given(opened()).when(lambda plan: gates.expire(plan, DEADLINE - 1)).then_nothing()
    given(opened()).when(lambda plan: gates.expire(plan, DEADLINE)).then(EXPIRED)
    given(opened(PASSED)).when(lambda plan: gates.expire(plan, DEADLINE)).then_nothing()


# Recheck and override


def rechecking(actor: Actor = OLIVIA) -> Callable[[Plan], Any]:
    return lambda plan: gates.recheck(plan, RecheckGate(plan=PLAN, gate=GATE), actor, NOON, NEW)


@pytest.mark.parametrize("ended", [FAILED, EXPIRED])
def test_a_failed_or_expired_gate_is_asked_again(ended: e.Event) -> None:
    given(opened(ended)).when(rechecking()).then(e.GateOpened(gate=GATE, round=2, instance_code=NEW, deadline=DEADLINE))


def test_a_gate_that_waits_needs_no_recheck_and_one_that_passed_has_none() -> None:
    given(opened()).when(rechecking()).then_nothing()
    given(opened(PASSED)).when(rechecking()).refused("gate_not_failed")
    given(opened(FAILED, e.PlanReopened())).when(rechecking()).refused("gate_not_failed")


def overriding(reason: str = "we know", actor: Actor = OLIVIA) -> Callable[[Plan], Any]:
    return lambda plan: gates.override(plan, OverrideGate(plan=PLAN, gate=GATE, reason=reason), actor)


@pytest.mark.parametrize("before", [(), (FAILED,), (EXPIRED,)])
def test_a_gate_is_overridden_with_a_reason(before: tuple[e.Event, ...]) -> None:
    given(opened(*before)).when(overriding(actor=ADA)).then(OVERRIDDEN)
    given(opened(*before)).when(overriding(" \n")).refused("reason_required")


def test_a_gate_that_let_the_plan_pass_is_not_overridden_again() -> None:
    given(opened(PASSED)).when(overriding()).then_nothing()
    given(opened(OVERRIDDEN)).when(overriding()).then_nothing()
    given(opened(EXPIRED, e.PlanReopened())).when(overriding()).refused("gate_not_open")


def test_who_does_not_own_the_plan_moves_no_gate() -> None:
    refusal = given(opened(FAILED)).when(rechecking(MALLORY)).refused("forbidden")
    assert "user:olivia" in refusal.detail
    given(opened(FAILED)).when(overriding(actor=MALLORY)).refused("forbidden")


# Several systems on one gate

QA, BOARD = Actor("user:qa"), Actor("endpoint:board")
SEVERAL = Gates(finish_planning=GateRule(deadline_seconds=60, systems=("user:qa", "endpoint:board", "group:sre")))
ASKED = e.GateOpened(
    gate=GATE, round=1, instance_code=CODE, deadline=DEADLINE, systems=("user:qa", "endpoint:board", "group:sre")
)


def asked(*more: e.Event) -> Plan:
    return then(due(gates=SEVERAL), [ASKED, *more])


def said(system: str, result: Result, text: str = "") -> GateSystemAnswered:
    return GateSystemAnswered(gate=GATE, round=1, system=system, result=result, text=text)


def test_the_round_asks_the_systems_of_the_rule() -> None:
    given(due(gates=SEVERAL)).when(lambda plan: gates.open_due(plan, NOON, CODE)).then(ASKED)


def test_the_gate_passes_with_the_last_of_its_systems() -> None:
    given(asked()).when(answering("success", by=QA)).then(said("user:qa", "success"))
    two = asked(said("user:qa", "success"), said("endpoint:board", "success"))
    assert (two.gates[GATE].state, two.gates[GATE].waiting_for) == ("open", ("group:sre",))
    given(two).when(answering("success", "all well", by=ANA)).then(
        said("group:sre", "success", "all well"), e.GatePassed(gate=GATE, round=1, text="all well")
    )


def test_one_failure_fails_the_gate_and_names_the_system() -> None:
    given(asked(said("user:qa", "success"))).when(answering("failed", "red", by=BOARD)).then(
        said("endpoint:board", "failed", "red"), e.GateFailed(gate=GATE, round=1, reason="endpoint:board: red")
    )


def test_who_is_not_asked_does_not_answer() -> None:
    given(asked()).when(answering("success", by=MALLORY)).refused("system_not_asked")
    given(asked()).when(answering("success", by=ADA)).refused("system_not_asked")


def test_each_system_repeats_and_contradicts_itself_alone() -> None:
    plan = asked(said("user:qa", "success"))
    given(plan).when(answering("success", by=QA)).then_nothing()
    given(plan).when(answering("executing", "late", by=QA)).then_nothing()
    given(plan).when(answering("failed", by=QA)).refused("answer_contradicts")
    given(plan).when(answering("executing", "half", by=BOARD)).then(said("endpoint:board", "executing", "half"))


def test_after_the_verdict_only_who_gave_its_part_repeats_it() -> None:
    plan = asked(said("endpoint:board", "executing"), said("user:qa", "failed"), FAILED)
    given(plan).when(answering("failed", by=QA)).then_nothing()
    given(plan).when(answering("success", by=QA)).refused("answer_contradicts")
    given(plan).when(answering("success", by=BOARD)).refused("gate_not_open")


def test_a_new_round_asks_all_of_them_again() -> None:
    plan = asked(said("user:qa", "success"), said("endpoint:board", "failed"), FAILED)
    (event,) = gates.recheck(plan, RecheckGate(plan=PLAN, gate=GATE), OLIVIA, NOON, NEW)
    assert then(plan, [event]).gates[GATE].waiting_for == ASKED.systems
