"""Those who work on items: who begins what as soon as the rules let them, and how everything that has begun ends well.

Whether an item may begin is asked of the decider that answers when it is really begun. What is looked at first, whether its
needs are settled, only spares asking about items that would be refused anyway.
"""

import heapq
from collections.abc import Callable

from contracts.commands import Actor, CompleteItem, ExecuteItem, TickSubStep
from contracts.plan import Plan
from contracts.plan_events import Frozen
from contracts.references import references
from contracts.refusals import Refused
from contracts.run import RunCreated
from contracts.run_state import Run
from contracts.values import Item, TextSpec, WorkflowSpec
from services.executor.decider import items, runs
from services.executor.decider.rules import is_settled
from services.planner.decider.rehearsing.company import EXECUTOR
from services.planner.decider.rehearsing.stage import Stage, World

Length = Callable[[Item], int]
"""How long an item takes, in microseconds."""


class Work:
    """`started` and `ended` have the times of each item (Unix µs). `stopped`: why what comes next may not begin."""

    def __init__(self, stage: Stage, world: World, length: Length) -> None:
        self._stage = stage
        self._world = world
        self._length = length
        self._items = {item.id: item for item in stage.plan.content.items}
        self._ends: list[tuple[int, int, str]] = []
        self.started: dict[str, int] = {}
        self.ended: dict[str, int] = {}
        self.stopped: Refused | None = None
        self._take_in_running()

    def next_end(self) -> int | None:
        """When the next thing that has begun ends."""
        return self._ends[0][0] if self._ends else None

    def begin(self) -> bool:
        """Begins the first item that may begin now. Whether there was one."""
        self.stopped = None
        plan = self._stage.plan
        if plan.status != "executing":
            return False
        return any(self._begun(plan, item) for item in self._may_be_next(plan))

    def _may_be_next(self, plan: Plan) -> list[Item]:
        settled = {one.id for one in plan.content.items if is_settled(one, plan.state_of(one.id).status)}
        left = [one for one in plan.content.items if one.id not in settled]
        if plan.content.rules.run == "in_order":
            left = left[:1]
        return [one for one in left if one.id not in self.started and settled.issuperset(one.needs)]

    def _begun(self, plan: Plan, item: Item) -> bool:
        actor = self._actor(item)
        context = items.Context(actor, self._stage.at, self._world.workflows, self._frozen(plan))
        spec, state = item.spec, plan.state_of(item.id)
        command: items.ItemCommand = ExecuteItem(plan=plan.id, item=item.id)
        if isinstance(spec, TextSpec):
            open_ = next((step.id for step in spec.sub_steps if step.id not in state.ticked), None)
            command = CompleteItem(plan=plan.id, item=item.id)
            if open_ is not None:
                command = TickSubStep(plan=plan.id, item=item.id, step=open_)
        try:
            events = items.decide(plan, command, context)
        except Refused as refused:
            self.stopped = refused
            return False
        if isinstance(spec, WorkflowSpec):
            self._stage.record(events, actor)  # of a text only the end is recorded
        self._take_in(item, self._stage.at)
        return True

    def end(self) -> bool:
        """Ends what has begun and whose time has come. Whether there was something."""
        self._take_in_running()
        if not self._ends or self._ends[0][0] > self._stage.at:
            return False
        item = self._items[heapq.heappop(self._ends)[2]]
        self.ended[item.id] = self._stage.at
        if isinstance(item.spec, WorkflowSpec):
            return self._stage.record(runs.item_finished(self._stage.plan, self._run(item)), EXECUTOR)
        return self._complete(item, item.spec)

    def _complete(self, item: Item, spec: TextSpec) -> bool:
        actor = self._actor(item)
        ticks: list[items.ItemCommand] = [
            TickSubStep(plan=self._stage.plan.id, item=item.id, step=step.id) for step in spec.sub_steps
        ]
        for command in [*ticks, CompleteItem(plan=self._stage.plan.id, item=item.id)]:
            plan = self._stage.plan
            context = items.Context(actor, self._stage.at, self._world.workflows, self._frozen(plan))
            try:
                self._stage.record(items.decide(plan, command, context), actor)
            except Refused as refused:  # meanwhile the window has closed, or a freeze has begun
                self.stopped = refused
                break
        return True

    def _take_in_running(self) -> None:
        """What runs and was not begun here: the system began it, or it ran before the rehearsal.

        A run that still stops, of an item that was removed or is another one by now, has no end that could be foretold.
        """
        for item_id, state in self._stage.plan.items.items():
            if state.running is not None and item_id in self._world.workflows and item_id not in self.started:
                self._take_in(self._items[item_id], state.running.started_at)

    def _take_in(self, item: Item, at: int) -> None:
        self.started[item.id] = at
        end = max(at + self._length(item), self._stage.at)
        heapq.heappush(self._ends, (end, len(self.started), item.id))

    def _actor(self, item: Item) -> Actor:
        people = self._world.behind(item.owner)
        return self._world.person(people[0]) if people else self._world.mover

    def _frozen(self, plan: Plan) -> Frozen | None:
        return self._world.frozen_at(plan, self._stage.at)

    def _run(self, item: Item) -> Run:
        """The item's run as it would be at its good end; with the outputs that other items ask for."""
        plan, found = self._stage.plan, self._world.workflows[item.id]
        attempt = plan.state_of(item.id).attempts[-1]
        created = RunCreated(
            plan=plan.id,
            item=item.id,
            attempt=attempt.number,
            revision=found.resolved.revision,
            digest=found.resolved.digest,
            definition=found.definition,
            inputs={},
        )
        outputs = {one: f"({item.id}.{one})" for one in self._wanted_outputs(item)}
        at = self._stage.at
        return Run(attempt.run, created, at, EXECUTOR.id, 1, (), outcome="passed", outputs=outputs, ended_at=at)

    def _wanted_outputs(self, item: Item) -> list[str]:
        specs = [one.spec for one in self._items.values() if isinstance(one.spec, WorkflowSpec)]
        wanted = [one for spec in specs for value in spec.inputs.values() for one in references(value)]
        return sorted({one.output for one in wanted if one.item == item.id})
