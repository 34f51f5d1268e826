"""What the view of a plan says may be done now, and by whom."""

from contracts import plan_events as e
from contracts.guidance import ADMINISTRATORS
from contracts.moments import moment
from contracts.plan import Plan
from contracts.seal import seal_of
from contracts.values import GateRule, Gates, Rules, Window
from services.gateway.next_steps import next_steps
from services.gateway.views import plan_view
from tests.support.builders import ANA, NOON, approval, content, created, plan_after, text_item, then, workflow_item

OWNERS = ("user:olivia", ADMINISTRATORS)


def verbs(plan: Plan) -> list[str]:
    return [step.verb for step in next_steps(plan)]


def sealed(**fields: object) -> Plan:
    return plan_after(created(**fields), seal_of(content(**fields), {}))


def executing(**fields: object) -> Plan:
    plan = sealed(**fields)
    assert plan.seal is not None
    return then(plan, (e.StartRequested(by="owner"), e.ExecutionStarted(seal=plan.seal.value)))


def test_a_draft_is_sealed_or_given_its_first_item() -> None:
    assert verbs(plan_after(created())) == ["seal", "cancel"]
    assert verbs(plan_after(created(items=()))) == ["edit", "cancel"]


def test_a_sealed_plan_is_submitted_where_approval_is_asked_and_started_where_not() -> None:
    assert verbs(sealed(approval=approval("user:ana"))) == ["submit", "vote", "reopen", "cancel"]
    assert verbs(sealed()) == ["start", "reopen", "cancel"]


def test_an_approver_who_has_voted_is_not_asked_again_and_may_withdraw() -> None:
    plan = sealed(approval=approval("user:ana", "user:ben", needed=2))
    assert plan.seal is not None
    seal = plan.seal.value
    plan = then(plan, (e.PlanSubmitted(round=1, seal=seal),))
    plan = then(plan, (e.VoteCast(round=1, seal=seal, vote="approve"),), actor=ANA)
    steps = {step.verb: step for step in next_steps(plan)}
    assert steps["vote"].by == ("user:ben",)
    assert steps["withdraw"].by == ("user:ana",)


def test_an_approved_plan_that_its_owner_starts_names_the_owner() -> None:
    plan = sealed(approval=approval("user:ana"), rules=Rules(start="by_owner"))
    assert plan.seal is not None
    seal = plan.seal.value
    plan = then(plan, (e.PlanSubmitted(round=1, seal=seal), e.PlanApproved(round=1, seal=seal)))
    assert (next_steps(plan)[0].verb, next_steps(plan)[0].by) == ("start", OWNERS)


def test_an_open_gate_waits_for_an_outside_answer_until_its_deadline() -> None:
    plan = sealed(gates=Gates(finish_planning=GateRule()))
    opened = e.GateOpened(gate="finish_planning", round=1, instance_code="0123456789abcdef", deadline=NOON)
    plan = then(plan, (opened,))
    first = next_steps(plan)[0]
    assert (first.verb, first.gate, first.by) == ("callback", "finish_planning", ())
    assert first.until is not None
    plan = then(plan, (e.GateFailed(gate="finish_planning", round=1, reason="red"),))
    assert verbs(plan) == ["recheck", "override", "reopen", "cancel"]


def test_an_item_that_needs_another_waits_until_that_one_is_settled() -> None:
    items = (text_item("one", owner=("user:ana",)), text_item("two", needs=("one",)))
    plan = executing(items=items)
    assert [(step.verb, step.item) for step in next_steps(plan)][:2] == [("complete", "one"), ("skip", "one")]
    assert next_steps(plan)[0].by == ("user:ana", *OWNERS)
    assert [item.ready for item in plan_view(plan).items] == [True, False]
    plan = then(plan, (e.ItemCompleted(item="one", attempt=1),))
    assert next_steps(plan)[0].item == "two"


def test_a_failed_item_is_retried_waived_or_skipped() -> None:
    plan = executing(items=(workflow_item(),))
    assert next_steps(plan)[0].verb == "execute"
    plan = then(plan, (e.ItemStarted(item="deploy", attempt=1, run="ab"),))
    assert next_steps(plan)[0].verb == "wait"
    plan = then(plan, (e.ItemFinished(item="deploy", attempt=1, outcome="failed"),))
    assert verbs(plan)[:3] == ["retry", "waive", "skip"]


def test_a_plan_that_drifted_goes_nowhere_but_back() -> None:
    plan = then(executing(), (e.PlanDrifted(item="announce", fields=("item",)),))
    assert verbs(plan) == ["reopen", "cancel"]


def test_what_is_over_is_over() -> None:
    assert verbs(then(executing(), (e.PlanSucceeded(),))) == ["copy"]
    assert verbs(then(executing(), (e.PlanTimedOut(reason="window_end"),))) == ["reopen", "cancel"]


def test_a_start_before_its_time_is_an_administrators_until_that_time() -> None:
    later = Window(start=moment(NOON + 9), end=moment(NOON + 99))
    steps = {step.verb: step for step in next_steps(sealed(window=later))}
    assert (steps["start/override"].by, steps["start/override"].until) == ((ADMINISTRATORS,), later.start)
    assert "start/override" not in verbs(sealed())


def test_a_plan_that_a_freeze_holds_says_so_and_who_may_let_it_through() -> None:
    held = e.PlanHeld(freeze="f" * 24, name="Weekend", until=NOON)
    for plan in (sealed(), executing(rules=Rules(run="in_order"))):
        wait, override = next_steps(then(plan, (held,)))[:2]
        assert (wait.verb, wait.by, wait.until is not None) == ("start", (), True)
        assert "Weekend" in wait.detail
        assert (override.verb, override.by) == ("freezes/override", (ADMINISTRATORS,))
    opened = e.GateOpened(gate="start_execute", round=1, instance_code="0" * 16, deadline=NOON)
    gated = then(sealed(gates=Gates(start_execute=GateRule())), (e.StartRequested(by="owner"), opened))
    passed = then(gated, (e.GatePassed(gate="start_execute", round=1), held))
    assert [step.verb for step in next_steps(passed)[:2]] == ["start", "freezes/override"]


def test_what_a_failed_item_holds_up_is_found_in_one_walk() -> None:
    """Looked up for each of the others, the failed item would be walked to ten thousand times."""
    others = [text_item(f"i{n}", needs=("build",)) for n in range(9_998)]
    plan = executing(items=(*others, text_item("build", may_fail=True), text_item("sign")))
    plan = then(
        plan, (e.ItemStarted(item="build", attempt=1, run="ab"), e.ItemStarted(item="sign", attempt=1, run="cd"))
    )
    for item in ("build", "sign"):
        plan = then(plan, (e.ItemFinished(item=item, attempt=1, outcome="failed"),))
    assert sum(item.ready for item in plan_view(plan).items) == 10_000
    assert sum(step.verb == "complete" for step in next_steps(plan)) == 9_998
