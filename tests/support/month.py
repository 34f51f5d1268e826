"""A month in a moment: plans under a clock that jumps from timer to timer, looked after by the pure deciders alone.

A plan is looked at when one of its own timers falls due or when somebody has done something with it, and at no other
moment: what the timers forget does not happen here either. `down` are times in which no executor lives.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from contracts import plan_events as e
from contracts.commands import Actor
from contracts.envelope import Fact
from contracts.evolve import fold
from contracts.executing_events import ItemHeld, StartOverridden
from contracts.freeze import FreezeState
from contracts.moments import micros, moment
from contracts.plan import Plan
from contracts.plan_events import Event
from contracts.registry import NAMES, encode
from contracts.values import Content
from infra.freezes import frozen_at
from infra.ids import derived_id
from infra.zones import zone_of
from services.approval.decider import rounds
from services.executor.decider import walk
from services.executor.views import Workflows
from services.hook_dispatcher.decider import gates
from services.planner.views import timer_rows

Deed = Callable[[Plan, int], Sequence[Event]]
"""What somebody does with a plan at a moment (Unix µs): events, by a decider or given. A refusal is told as a row."""


class Month:
    """`workflows(plan)` is what would run. `rows` are the timeline: when in UTC, when on the wall, which plan, what."""

    def __init__(
        self,
        freezes: Mapping[str, FreezeState],
        workflows: Callable[[Plan], Workflows],
        down: Iterable[tuple[datetime, datetime]] = (),
    ) -> None:
        self.rows: list[tuple[str, str, str, str]] = []
        self._freezes = freezes
        self._workflows = workflows
        self._down = [(micros(start), micros(end)) for start, end in down]
        self._plans: dict[str, Plan] = {}
        self._zones: dict[str, str] = {}
        self._agenda: list[tuple[int, str, Deed]] = []

    def plan(self, name: str, zone: str, content: Content, at: datetime) -> None:
        """A draft of this name, whose wall clock is that of `zone`."""
        self._zones[name] = zone
        self._plans[name] = self._after(
            name, None, [e.PlanCreated(index=1, project="shop", content=content)], micros(at)
        )

    def on(self, at: datetime, name: str, deed: Deed) -> None:
        """Somebody does this then."""
        self._agenda.append((micros(at), name, deed))

    def state(self, name: str) -> Plan:
        return self._plans[name]

    def live(self, until: datetime) -> None:
        """Let time pass."""
        now, end = 0, micros(until)
        while (following := self._next(now, end)) is not None:
            before, now = now, following
            touched = set()
            for at, name, deed in [one for one in self._agenda if one[0] == now]:
                self._do(name, at, deed)
                touched.add(name)
            for name, plan in self._plans.items():
                if name in touched or any(
                    before < self._wakes(row.due_at, row.service) <= now for row in timer_rows(plan)
                ):
                    self._settle(name, now)

    def _next(self, now: int, end: int) -> int | None:
        rows = [row for plan in self._plans.values() for row in timer_rows(plan)]
        moments = {self._wakes(row.due_at, row.service) for row in rows} | {at for at, _, _ in self._agenda}
        return min((at for at in moments if now < at <= end), default=None)

    def _wakes(self, due_at: int, service: str) -> int:
        """When a timer is seen: at once, or when the executor lives again."""
        if service != "executor":
            return due_at
        return next((end for start, end in self._down if start <= due_at < end), due_at)

    def _lives(self, at: int) -> bool:
        return not any(start <= at < end for start, end in self._down)

    def _do(self, name: str, at: int, deed: Deed) -> None:
        from contracts.refusals import Refused

        try:
            self._tell(name, at, deed(self._plans[name], at))
        except Refused as refused:
            self._row(name, at, f"refused: {refused.code}")

    def _settle(self, name: str, at: int) -> None:
        """Every service looks until nothing is due."""
        while True:
            plan = self._plans[name]
            events: tuple[Event, ...] = ()
            if self._lives(at):
                frozen = frozen_at(self._freezes, plan, at)
                events = walk.due(plan, at, self._workflows(plan), frozen, Actor("user:olivia"))
            events = events or rounds.expire(plan, at) or gates.expire(plan, at) or gates.open_due(plan, at, "0" * 16)
            if not events:
                return
            self._tell(name, at, events)

    def _tell(self, name: str, at: int, events: Sequence[Event]) -> None:
        if events:
            self._plans[name] = self._after(name, self._plans[name], events, at)
            self._row(name, at, ", ".join(said(event, self._zones[name]) for event in events))

    def _row(self, name: str, at: int, what: str) -> None:
        self.rows.append((f"{moment(at):%m-%d %H:%M:%S}", wall(at, self._zones[name]), name, what))

    def _after(self, name: str, plan: Plan | None, events: Sequence[Event], at: int) -> Plan:
        version = plan.version if plan is not None else 0
        stream = f"plan-{derived_id(name)}"
        facts = []
        for i, event in enumerate(events, version + 1):
            kind, payload = encode(event)
            facts.append(Fact(i, stream, i, kind, at, at, "user:olivia", "http", "k", 0, None, "", payload, b""))
        after = fold(facts, plan)
        assert after is not None
        return after


def wall(at: int, zone: str) -> str:
    """What the clock on the wall shows."""
    local = moment(at).astimezone(zone_of(zone))
    name = "AoE" if zone == "Anywhere on Earth" else local.tzname()
    return f"{local:%a %d %b %H:%M} {name}"


def said(event: Event, zone: str) -> str:
    """An event in a few words."""
    match event:
        case e.StartRequested():
            return f"start asked for by {event.by}"
        case e.ExecutionStarted():
            return "executing"
        case e.ScheduleMissed():
            return f"schedule missed ({event.reason})"
        case e.PlanHeld():
            return f"held by {event.name} until {wall(event.until, zone)}"
        case e.PlanTimedOut():
            return f"timed out (open {', '.join(event.open) or '-'}; running {', '.join(event.running) or '-'})"
        case StartOverridden():
            return f"start overridden ({', '.join(event.rules)})"
        case e.GateOpened() | e.GateExpired():
            verb = "opened" if isinstance(event, e.GateOpened) else "expired"
            return f"gate {event.gate} {verb}, round {event.round}"
        case e.ItemStarted() | e.ItemCompleted() | ItemHeld():
            return f"{NAMES[type(event)].split('.')[1]} {event.item}"
        case e.ItemFinished():
            return f"{event.item} {event.outcome}"
        case _:
            return _plain(event)


def _plain(event: Any) -> str:
    return NAMES[type(event)].removeprefix("plan.").removesuffix(".v1").replace("_", " ")
