"""The stage of a rehearsal: a plan, a clock that stands until it is moved, and a log of what would be recorded.

What is recorded is folded as the real log is, by the same fold. Nothing here decides anything.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from contracts.commands import Actor
from contracts.endpoint_state import Endpoint
from contracts.envelope import Fact
from contracts.evolve import fold
from contracts.people_state import People
from contracts.plan import Plan
from contracts.plan_events import Event, Frozen
from contracts.registry import encode
from contracts.values import Item, WorkflowSpec
from services.approval.decider.known import Known as ApprovalKnown
from services.executor.views import Found
from services.planner.decider import Known

CHANNEL = "rehearsal"


class Usual(msgspec.Struct, frozen=True):
    """How long a workflow usually takes, in microseconds: the median of `runs` runs."""

    median: int
    runs: int


class Surroundings(msgspec.Struct, frozen=True):
    """What was looked up for a rehearsal.

    `asker` moves the plan, where they may; else one of `owners` does. `sealing` has what items would run, as they were
    sealed where they are. `members`: group -> its people now, of all groups that the plan and its workflows name. `linked`:
    which identities are one person. `usual`: project and name of a workflow -> how long it takes.
    """

    asker: Actor | None = None
    owners: tuple[str, ...] = ()
    sealing: Known = Known()
    linked: People = People()
    members: Mapping[str, frozenset[str]] = {}
    usual: Mapping[tuple[str, str], Usual] = {}
    endpoints: tuple[Endpoint, ...] = ()


FrozenAt = Callable[[Plan, int], Frozen | None]
"""What holds a plan at a time (Unix µs)."""


class World:
    """All that is true around the plan while it is rehearsed, as the deciders want it."""

    def __init__(self, around: Surroundings, frozen_at: FrozenAt) -> None:
        self._around = around
        self.frozen_at = frozen_at
        self.sealing = around.sealing
        self.endpoints = around.endpoints
        self._groups: dict[str, tuple[str, ...]] = {}
        for group in sorted(around.members):
            for person in around.members[group]:
                self._groups[person] = (*self._groups.get(person, ()), group)
        known = around.sealing
        self.workflows = {
            item: Found(resolved, known.definitions[item])
            for item, resolved in known.workflows.items()
            if item in known.definitions
        }
        people = {*self._groups, *(ref for ref in known.people if ref.startswith("user:"))}
        groups = {person: self._groups.get(person, ()) for person in people}
        self.approval = ApprovalKnown(people=around.linked, groups=groups, members=around.members)
        movers = self.behind(around.owners)
        self.mover = around.asker or self._actor(movers[0] if movers else "")

    def person(self, identity: str) -> Actor:
        """Somebody, as they are now."""
        if identity == self.mover.id:
            return self.mover
        return self._actor(identity)

    def _actor(self, identity: str) -> Actor:
        return Actor(identity, self._groups.get(identity, ()), channel=CHANNEL)

    def behind(self, refs: Sequence[str]) -> tuple[str, ...]:
        """The people behind these references, each once, in order."""
        people = [one for ref in refs for one in sorted(self._around.members.get(ref, ())) or (ref,)]
        return tuple(dict.fromkeys(one for one in people if one.startswith("user:")))

    def usual_of(self, item: Item) -> Usual | None:
        """How long the item usually takes; `None` for what people do and for a first time."""
        spec = item.spec
        return self._around.usual.get((spec.project, spec.workflow)) if isinstance(spec, WorkflowSpec) else None


class Happened(NamedTuple):
    """One event of the rehearsal, as it would stand in the log."""

    fact: Fact
    event: Event


class Stage:
    """`plan` and `at` (Unix µs) are those of this moment of the rehearsal."""

    def __init__(self, plan: Plan, at: int) -> None:
        self.plan = plan
        self.at = at
        self.happened: list[Happened] = []

    def record(self, events: Sequence[Event], actor: Actor) -> bool:
        """These events have happened now. Whether there are any."""
        if not events:
            return False
        made = [self._fact(i, event, actor) for i, event in enumerate(events)]
        self.happened += [Happened(fact, event) for fact, event in zip(made, events, strict=True)]
        after = fold(made, self.plan)
        assert after is not None
        self.plan = after
        return True

    def _fact(self, i: int, event: Event, actor: Actor) -> Fact:
        type_name, payload = encode(event)
        return Fact(
            position=self.plan.position + i + 1,
            stream=f"plan-{self.plan.id}",
            version=self.plan.version + i + 1,
            type=type_name,
            at=self.at,
            recorded_at=self.at,
            actor=actor.id,
            channel=actor.channel,
            command_key="",
            ordinal=i,
            cause=None,
            trace="",
            payload=payload,
            leaf=b"",
        )
