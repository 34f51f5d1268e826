"""Everybody but those who work on items: the planner, the approvers, the executor by itself, the gates and who answers them.

Each move is asked of the decider that makes it when the plan really runs; this module only knows whom to ask next. People
are taken to do at once what they may, and outside systems to answer yes at once.
"""

from collections.abc import Callable

from contracts.commands import Actor, AnswerGate, SealPlan, SubmitPlan, VoteOnPlan
from contracts.foresight import LevelForeseen, RuleForeseen
from contracts.moments import moment
from contracts.plan import Plan
from contracts.plan_events import Event
from contracts.refusals import Refused
from contracts.slots import standing
from contracts.values import GATES, ApprovalRule
from services.approval.decider import decide as decide_approval
from services.executor.decider import walk
from services.hook_dispatcher.decider import gates
from services.planner.decider import decide as decide_planning
from services.planner.decider.rehearsing.stage import CHANNEL, Stage, World

EXECUTOR = Actor("service:executor", administrator=True, channel="system")
DISPATCHER = Actor("service:hook_dispatcher", administrator=True, channel="system")
OUTSIDE = Actor("outside", channel=CHANNEL)


Decide = Callable[[Plan, Actor], tuple[Event, ...]]


class Company:
    """Moves the plan on, one decision at a time. `stopped` is the refusal at which it cannot go on, if any."""

    def __init__(self, stage: Stage, world: World) -> None:
        self._stage = stage
        self._world = world
        self.levels: list[LevelForeseen] = []
        self.stopped: Refused | None = None

    def move(self) -> bool:
        """One decision, where one is due. Whether there was one."""
        self.stopped = None
        return self._gate() or self._by_itself() or self._by_people()

    def _gate(self) -> bool:
        stage, plan = self._stage, self._stage.plan
        gate = gates.due_gate(plan)
        if gate is not None:
            code = f"{plan.gates[gate].round + 1:016x}"
            return stage.record(gates.open_due(plan, stage.at, code), DISPATCHER)
        waiting = next((one for one in GATES if plan.gates[one].state == "open"), None)
        if waiting is None:
            return False
        code = plan.gates[waiting].instance_code
        answer = AnswerGate(plan=plan.id, gate=waiting, instance_code=code, result="success")
        actor = _speaking_for(plan.gates[waiting].waiting_for)
        return stage.record(gates.answer(plan, answer, stage.at, {code: waiting}, actor), actor)

    def _by_itself(self) -> bool:
        stage, plan = self._stage, self._stage.plan
        runner = self._world.person(plan.seal.by) if plan.seal is not None else None
        frozen = self._world.frozen_at(plan, stage.at)
        return stage.record(walk.due(plan, stage.at, self._world.workflows, frozen, runner), EXECUTOR)

    def _by_people(self) -> bool:
        plan, mover = self._stage.plan, self._world.mover
        match plan.status:
            case "planning":
                return self._asked(mover, self._seal)
            case "finish_planning" if not plan.approved:
                return self._asked(mover, self._submit)
            case "finish_planning":
                return self._asked(mover, self._start)
            case "wait_for_approval":
                return self._vote()
            case _:
                return False

    def _asked(self, actor: Actor, decide: Decide) -> bool:
        try:
            return self._stage.record(decide(self._stage.plan, actor), actor)
        except Refused as refused:
            self.stopped = refused
            return False

    def _seal(self, plan: Plan, actor: Actor) -> tuple[Event, ...]:
        return decide_planning(plan, SealPlan(plan=plan.id), actor, self._stage.at, self._world.sealing)

    def _submit(self, plan: Plan, actor: Actor) -> tuple[Event, ...]:
        return decide_approval(plan, SubmitPlan(plan=plan.id), actor, self._stage.at, self._world.approval)

    def _start(self, plan: Plan, actor: Actor) -> tuple[Event, ...]:
        frozen = self._world.frozen_at(plan, self._stage.at)
        return walk.start(plan, plan.id, actor, self._stage.at, self._world.workflows, frozen)

    def _vote(self) -> bool:
        self._tell_level()
        for person in self._world.behind(standing(self._stage.plan).asked):
            if self._asked(self._world.person(person), self._approve):
                return True
        level = standing(self._stage.plan).level
        self.stopped = Refused("not_approver", f"Level {(level or 0) + 1} asks for votes that nobody is left to give.")
        return False

    def _approve(self, plan: Plan, actor: Actor) -> tuple[Event, ...]:
        vote = VoteOnPlan(plan=plan.id, vote="approve", seal=plan.approval.seal)
        return decide_approval(plan, vote, actor, self._stage.at, self._world.approval)

    def _tell_level(self) -> None:
        plan = self._stage.plan
        level = standing(plan).level
        if level is None or any(told.level == level + 1 for told in self.levels):
            return
        rules = tuple(self._rule(plan, rule) for rule in plan.content.approval.levels[level].rules)
        self.levels.append(LevelForeseen(level=level + 1, opens_at=moment(self._stage.at), rules=rules))

    def _rule(self, plan: Plan, rule: ApprovalRule) -> RuleForeseen:
        """Asks the decider about each of them; nothing of it is recorded."""
        able: list[str] = []
        kept_out: dict[str, str] = {}
        for person in self._world.behind(rule.approvers):
            try:
                cast = self._approve(plan, self._world.person(person))
            except Refused as refused:
                kept_out[person] = refused.code
            else:
                able += [person] if cast else []
                kept_out |= {} if cast else {person: "already_voted"}
        return RuleForeseen(approvers=rule.approvers, needed=rule.needed, people=tuple(able), kept_out=kept_out)


def _speaking_for(systems: tuple[str, ...]) -> Actor:
    """The first of these systems, however it is known; anybody where none is named."""
    return Actor(systems[0], (systems[0],), channel=CHANNEL) if systems else OUTSIDE
