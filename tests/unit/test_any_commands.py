"""Random commands by random people, again and again: what must hold whatever they do."""

import random
from contextlib import suppress
from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
from hypothesis import note, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.commands import Actor
from contracts.envelope import Fact
from contracts.evolve import evolve, fold
from contracts.moments import moment
from contracts.plan import Plan
from contracts.plan_events import Event, PlanSealed
from contracts.refusals import Refused
from contracts.registry import decode
from contracts.seal import seal_of
from contracts.values import Approval, ApprovalLevel, ApprovalRule, Content, GateRule, Gates, Rules, Window
from services.planner.decider.writing import created
from tests.support.builders import NOON, content, facts, text_item, workflow_item
from tests.support.decisions import COMMANDS, ROLES, command_of
from tests.support.rules import PEOPLE, RESOLVED, decide, ended, follows

HOUR = 3_600_000_000
OWNER = ROLES["owner"]
PEOPLE_OF_THE_HOUSE = (*ROLES.values(), Actor("user:ben", groups=PEOPLE["user:ben"]))
ONE = ApprovalRule(approvers=("group:sre",))
BOTH = ApprovalRule(approvers=("user:ana", "user:ben"), needed=2)
APPROVALS = (
    Approval(),
    Approval(levels=(ApprovalLevel(rules=(ONE,)),)),
    Approval(levels=(ApprovalLevel(rules=(BOTH,)),), deadline_seconds=7_200),
    Approval(levels=(ApprovalLevel(rules=(ApprovalRule(approvers=("user:ben",)),)), ApprovalLevel(rules=(ONE,)))),
)
GATES = (Gates(), Gates(start_execute=GateRule(deadline_seconds=3_600)), Gates(*(GateRule(),) * 3))
WINDOWS = (None, Window(start=moment(NOON), end=moment(NOON) + timedelta(hours=8)))
ITEMS = (
    text_item("notes", owner=("user:ina",), spec={"sub_steps": ()}),
    workflow_item("deploy", owner=("user:ina",), needs=("notes",)),
    text_item("announce", owner=("user:ina",)),
)


_ONWARDS = (
    "seal_plan",
    "submit_plan",
    "vote_on_plan approve",
    "approve_in_emergency",
    "start_plan",
    "override_start",
    "complete_item",
    "execute_item",
    "retry_item",
    "skip_item",
    "waive_item",
    "answer_gate success",
    "recheck_gate",
    "override_gate",
)
_BACK = ("cancel_plan", "reopen_plan", "vote_on_plan reject", "withdraw_vote", "answer_gate failed")
_KINDS = {"onwards": _ONWARDS, "back": _BACK, "else": tuple(sorted({*COMMANDS} - {*_ONWARDS, *_BACK}))}


class AnyCommands(RuleBasedStateMachine):
    """A plan, and everybody at it."""

    def __init__(self) -> None:
        super().__init__()
        self.facts: list[Fact] = []
        self.plan: Plan | None = None
        self.at = NOON

    @initialize(
        approval=st.sampled_from(APPROVALS),
        gates=st.sampled_from(GATES),
        window=st.sampled_from(WINDOWS),
        start=st.sampled_from(("on_approval", "by_owner")),
        run=st.sampled_from(("by_hand", "in_order")),
    )
    def draft(self, approval: Approval, gates: Gates, window: Window | None, start: Any, run: Any) -> None:
        rules = Rules(start=start, run=run)
        made: Content = content(items=ITEMS, approval=approval, gates=gates, window=window, rules=rules)
        self.tell(created(52, "web", made, None), OWNER)

    @rule(verb=st.sampled_from(sorted(COMMANDS)), actor=st.sampled_from(PEOPLE_OF_THE_HOUSE))
    def somebody_orders(self, verb: str, actor: Actor) -> None:
        """Refused or done; done once, and the very same order again changes nothing."""
        assert self.plan is not None
        command = command_of(verb, self.plan)
        try:
            events = decide(self.plan, command, actor, self.at)
        except Refused:
            return
        self.tell(events, actor)
        with suppress(Refused):
            assert decide(self.plan, command, actor, self.at) == ()

    @rule(kind=st.sampled_from(("onwards",) * 8 + ("back", "else")), chance=st.integers(0, 2**20))
    def somebody_does_what_is_possible(self, kind: str, chance: int) -> None:
        """One of all that somebody may do now, mostly towards the end, so that every status is reached often."""
        assert self.plan is not None
        pairs = [(verb, actor) for verb in _KINDS[kind] for actor in PEOPLE_OF_THE_HOUSE]
        for verb, actor in random.Random(chance).sample(pairs, len(pairs)):
            with suppress(Refused):
                if events := decide(self.plan, command_of(verb, self.plan), actor, self.at):
                    note(f"{actor.id}: {verb}")
                    self.tell(events, actor)
                    return

    @rule(outcome=st.sampled_from(("done", "failed", "cancelled")))
    def a_run_ends(self, outcome: str) -> None:
        assert self.plan is not None
        self.tell(ended(self.plan, "deploy", outcome), Actor("service:executor"))

    @rule(hours=st.sampled_from((0, 0, 0, 1, 3)))
    def time_passes(self, hours: int) -> None:
        """And the services do what is due, until nothing is."""
        assert self.plan is not None
        self.at += hours * HOUR
        for _ in range(20):
            events = follows(self.plan, self.at)
            if not events:
                return
            self.tell(events, Actor("service:executor"))
        raise AssertionError("something is due for ever")

    def tell(self, events: tuple[Event, ...], actor: Actor) -> None:
        """What was decided goes into the log; the live state moves on fact by fact."""
        for fact in facts(*events, actor=actor, at=self.at, after=len(self.facts)):
            before = self.plan
            self.facts.append(fact)
            self.plan = evolve(self.plan, fact)
            self.see(before, decode(fact.type, fact.payload))

    def see(self, before: Plan | None, event: Event) -> None:
        assert self.plan is not None
        if self.plan.status == "executing" and before is not None and before.status != "executing":
            assert self.plan.approved, "executing without an approval of the current seal"
        if self.plan.status == "success":
            by_id = {item.id: self.plan.state_of(item.id).status for item in self.plan.content.items}
            assert set(by_id.values()) <= {"done", "skipped", "waived"}, by_id
        if isinstance(event, PlanSealed):
            assert self.plan.status != "planning"

    @invariant()
    def the_seal_is_that_of_the_content(self) -> None:
        if self.plan is not None and self.plan.seal is not None:
            workflows = {"deploy": RESOLVED} if "deploy" in {item.id for item in self.plan.content.items} else {}
            assert self.plan.seal.value == seal_of(self.plan.content, workflows).seal

    @invariant()
    def replay_equals_live(self) -> None:
        assert fold(self.facts) == self.plan

    def teardown(self) -> None:
        """Any prefix folds, and going on from it comes to the same."""
        for cut in range(1, len(self.facts), 7):
            assert fold(self.facts[cut:], fold(self.facts[:cut])) == self.plan


AnyCommands.TestCase.settings = settings(max_examples=250, stateful_step_count=40, deadline=None, derandomize=True)
TestAnyCommands = AnyCommands.TestCase
