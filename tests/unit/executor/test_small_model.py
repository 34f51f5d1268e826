"""Failed is not done: every sequence of commands on small plans, tried. Not a sample: all states that can be reached.

A state is a plan without its history beyond two attempts an item. From each, everybody tries everything: the owner and a
stranger, runs that end well, badly or cancelled, gates that pass or fail, the window's end, the system itself.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from contracts.commands import (
    Actor,
    CancelItem,
    CancelPlan,
    CompleteItem,
    ExecuteItem,
    ReopenPlan,
    RetryItem,
    SealPlan,
    SkipItem,
    WaiveItem,
)
from contracts.envelope import Fact
from contracts.evolve import fold
from contracts.moments import moment
from contracts.plan import Plan
from contracts.plan_events import (
    Event,
    GateFailed,
    GateOpened,
    GatePassed,
    ItemFinished,
    ItemSkipped,
    ItemStarted,
    ItemWaived,
    PlanCreated,
    PlanSealed,
    PlanSucceeded,
    PlanTimedOut,
)
from contracts.refusals import Refused
from contracts.registry import encode
from contracts.run import RunCreated
from contracts.run_state import Run
from contracts.values import Content, GateRule, Gates, Rules, Window
from services.executor.decider import items, runs, walk
from services.planner import decider as planner
from tests.unit.executor.given import DEPLOY, EVE, HOUR, NOON, OLIVIA, PLAN, all_found, content, text, workflow

WINDOW = Window(start=moment(NOON - HOUR), end=moment(NOON + HOUR))
ITEMS = (workflow("build"), workflow("check", needs=("build",), may_fail=True), text("tell", needs=("build",)))
MOST_ATTEMPTS = 2
PLANS: dict[str, Content] = {
    "by hand": content(*ITEMS),
    "the system runs it": content(*ITEMS, rules=Rules(run="by_needs")),
    "with a last gate and a window": content(*ITEMS[:2], gates=Gates(all_job_done=GateRule()), window=WINDOW),
}
Move = tuple[str, Sequence[Event]]


def after(plan: Plan | None, events: Sequence[Event]) -> Plan:
    version = plan.version if plan is not None else 0
    facts = []
    for i, event in enumerate(events, version + 1):
        name, payload = encode(event)
        facts.append(
            Fact(i, f"plan-{PLAN}", i, name, NOON, NOON, "user:olivia", "http", "k", 0, None, "", payload, b"")
        )
    state = fold(facts, plan)
    assert state is not None
    return state


def key(plan: Plan) -> Any:
    states = (plan.items.get(item.id) for item in plan.content.items)
    short = tuple(
        (
            one.status,
            len(one.attempts),
            one.attempts[-1].outcome if one.attempts else "",
            bool(one.held),
            bool(one.stopping),
        )
        if one is not None
        else None
        for one in states
    )
    return plan.status, short, plan.settled, plan.start_requested, plan.gates["all_job_done"].state, plan.seal is None


def moves(plan: Plan) -> Iterator[Move]:
    """All that can happen, by its name, with its events; refusals left out, and what would be a third attempt."""
    tries: list[tuple[str, Callable[[], Sequence[Event]]]] = [
        *commands(plan, OLIVIA, NOON),
        ("the system", lambda: walk.due(plan, NOON, all_found(plan), None, OLIVIA)),
        ("the window ends", lambda: walk.due(plan, NOON + HOUR, all_found(plan), None, OLIVIA)),
        *endings(plan),
        *gate_answers(plan),
    ]
    for name, decide in tries:
        try:
            events = decide()
        except Refused:
            continue
        begun = [event.attempt for event in events if isinstance(event, ItemStarted)]
        if events and all(attempt <= MOST_ATTEMPTS for attempt in begun):
            yield name, events


def commands(plan: Plan, actor: Actor, at: int) -> Iterator[tuple[str, Callable[[], Sequence[Event]]]]:
    """Every command on the plan and on each item, by this actor."""
    context = items.Context(actor, at, all_found(plan))
    for item in plan.content.items:
        for command in (
            CompleteItem(plan=PLAN, item=item.id),
            ExecuteItem(plan=PLAN, item=item.id),
            RetryItem(plan=PLAN, item=item.id),
            SkipItem(plan=PLAN, item=item.id, reason="why"),
            SkipItem(plan=PLAN, item=item.id),
            WaiveItem(plan=PLAN, item=item.id, reason="why"),
            WaiveItem(plan=PLAN, item=item.id),
            CancelItem(plan=PLAN, item=item.id, reason="why"),
        ):
            yield repr(command), lambda command=command: items.decide(plan, command, context)  # type: ignore[misc]
    yield "start", lambda: walk.start(plan, PLAN, actor, at, all_found(plan))
    known = planner.Known(
        people=frozenset({"user:olivia"}),
        zones=frozenset({"UTC"}),
        workflows={one: found.resolved for one, found in all_found(plan).items()},
        definitions={one: found.definition for one, found in all_found(plan).items()},
    )
    for move in (SealPlan(plan=PLAN), ReopenPlan(plan=PLAN), CancelPlan(plan=PLAN, reason="why")):
        yield repr(move), lambda move=move: planner.decide(plan, move, actor, at, known)  # type: ignore[misc]


def endings(plan: Plan) -> Iterator[tuple[str, Callable[[], Sequence[Event]]]]:
    """The run of each attempt without an end ends, one way or another."""
    for item, state in plan.items.items():
        attempt = state.running
        if attempt is None:
            continue
        created = RunCreated(
            plan=PLAN, item=item, attempt=attempt.number, revision=1, digest="", definition=DEPLOY, inputs={}
        )
        for outcome in ("passed", "failed", "cancelled", "unknown"):
            run = Run("ab", created, 0, "", 1, (), outcome=outcome)  # type: ignore[arg-type]  # one of the four
            yield f"{item} {outcome}", lambda run=run: runs.item_finished(plan, run)  # type: ignore[misc]


def gate_answers(plan: Plan) -> Iterator[tuple[str, Callable[[], Sequence[Event]]]]:
    state = plan.gates["all_job_done"]
    number = state.round + 1
    if state.state == "due" and number <= 2:
        opened = GateOpened(gate="all_job_done", round=number, instance_code="0" * 16, deadline=NOON)
        yield "gate opens", lambda: (opened,)
    if state.state == "open":
        yield "gate passes", lambda: (GatePassed(gate="all_job_done", round=state.round),)
        yield "gate fails", lambda: (GateFailed(gate="all_job_done", round=state.round, reason="red"),)


@pytest.fixture(scope="module", params=sorted(PLANS))
def steps(request: pytest.FixtureRequest) -> list[tuple[Plan, str, Sequence[Event], Plan]]:
    """Every step that any sequence can take: before, what, events, after."""
    first = after(None, (PlanCreated(index=1, project="shop", content=PLANS[request.param]),))
    seen, left, taken = {key(first)}, [first], []
    while left:
        plan = left.pop()
        for name, events in moves(plan):
            follows = after(plan, events)
            taken.append((plan, name, events, follows))
            if key(follows) not in seen:
                seen.add(key(follows))
                left.append(follows)
    assert any(plan.status == "success" for _, _, _, plan in taken)
    return taken


def test_success_has_no_failed_item_but_those_that_may_fail_and_names_all_that_were_not_simply_done(
    steps: list[tuple[Plan, str, Sequence[Event], Plan]],
) -> None:
    for before, name, events, plan in steps:
        ends = [event for event in events if isinstance(event, PlanSucceeded)]
        assert bool(ends) == (plan.status == "success" and before.status != "success"), name
        for end in ends:
            stand = {item.id: plan.state_of(item.id) for item in plan.content.items}
            assert set(end.failed) == {one for one, state in stand.items() if state.status == "failed"}
            assert set(end.failed) <= {item.id for item in plan.content.items if item.may_fail}
            assert set(end.skipped) == {one for one, state in stand.items() if state.status == "skipped"}
            assert set(end.waived) == {one for one, state in stand.items() if state.status == "waived"}
            for one, state in stand.items():
                if one in {*end.skipped, *end.waived}:
                    assert state.reason == "why"
                elif one not in end.failed:
                    assert (state.status, state.attempts[-1].outcome) == ("done", "done")


def test_a_failed_item_leaves_failure_only_by_retry_skip_waiver_or_a_new_seal(
    steps: list[tuple[Plan, str, Sequence[Event], Plan]],
) -> None:
    for before, name, events, plan in steps:
        for item, state in before.items.items():
            if state.status != "failed" or plan.state_of(item).status == "failed":
                continue
            moved = [event for event in events if getattr(event, "item", None) == item or isinstance(event, PlanSealed)]
            assert [type(event) for event in moved] in ([ItemStarted], [ItemSkipped], [ItemWaived], [PlanSealed]), name
            for event in moved:
                if isinstance(event, ItemStarted):
                    assert (event.retry_of, name.split("(")[0]) == (state.attempts[-1].run, "RetryItem")
            assert plan.state_of(item).status != "done", name


def test_no_item_starts_while_it_runs_nor_after_it_is_settled_nor_before_what_it_needs(
    steps: list[tuple[Plan, str, Sequence[Event], Plan]],
) -> None:
    for before, name, events, _ in steps:
        for event in events:
            if isinstance(event, ItemStarted):
                state = before.state_of(event.item)
                assert state.running is None, name
                assert state.status in {"todo", "failed"}, name
                item = before.item(event.item)
                assert item is not None
                for need in item.needs:
                    needed = before.item(need)
                    status = before.state_of(need).status
                    assert status in {"done", "skipped", "waived"} or (
                        needed and needed.may_fail and status == "failed"
                    )


def test_what_is_over_stays_over_but_for_a_late_outcome_and_a_reopened_timeout(
    steps: list[tuple[Plan, str, Sequence[Event], Plan]],
) -> None:
    for before, name, events, plan in steps:
        if before.status in {"success", "cancel"}:
            assert all(isinstance(event, ItemFinished) for event in events), name
            assert plan.status == before.status
        if before.status == "timeout" and plan.status != "timeout":
            assert plan.status in {"planning", "cancel"}, name
        if any(isinstance(event, PlanTimedOut) for event in events):
            assert name == "the window ends"


def test_whoever_reaches_a_dead_end_is_told_a_way_out(steps: list[tuple[Plan, str, Sequence[Event], Plan]]) -> None:
    from services.gateway.next_steps import next_steps

    for *_, plan in steps:
        assert next_steps(plan), plan.status


def test_a_stranger_changes_nothing_in_any_state(steps: list[tuple[Plan, str, Sequence[Event], Plan]]) -> None:
    tried = set()
    for before, *_ in steps:
        if key(before) in tried:
            continue
        tried.add(key(before))
        for name, decide in commands(before, EVE, NOON):
            with pytest.raises(Refused) as caught:
                decide()
            assert caught.value.code == "forbidden", name
    assert len(tried) > 50
