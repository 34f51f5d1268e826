"""A month of simulated time, by the rules alone: a receiver that is down for two days, senders that are killed.

The loop is that of the dispatcher without its sockets: fold the stream, see what is due, intend, send, record. Time is a
number that jumps to the next moment at which something may be due.
"""

import heapq
import random
from collections import Counter

import msgspec
import pytest

from contracts.delivery import DeliveryAttempted, DeliveryCreated
from contracts.envelope import Fact
from contracts.plan_events import Event
from contracts.registry import encode
from services.hook_dispatcher.decider import deliveries as d
from services.hook_dispatcher.decider.deliveries import Patience, Sent
from services.hook_dispatcher.views.delivery import Delivery, fold_delivery
from tests.support.builders import NOON

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
DOWN = (NOON + 10 * DAY, NOON + 12 * DAY)
PATIENCE = Patience()


class Took(msgspec.Struct, frozen=True):
    """The receiver took this hook."""

    at: int
    plan: str
    raised: int


class World:
    """Deliveries by number, their streams, the receiver, and a sender that may die between intent and outcome."""

    def __init__(self, seed: int, *, killed: float) -> None:
        self.random = random.Random(seed)
        self.killed = killed
        self.streams: dict[int, list[Fact]] = {}
        self.took: list[Took] = []
        self.queue: list[tuple[int, int]] = []
        self.of_plan: dict[str, list[int]] = {}

    def append(self, number: int, at: int, *events: Event) -> None:
        stream = self.streams.setdefault(number, [])
        for event in events:
            type_name, payload = encode(event)
            stream.append(
                Fact(
                    position=number * 1_000 + len(stream) + 1,
                    stream=f"delivery-{number:024x}",
                    version=len(stream) + 1,
                    type=type_name,
                    at=at,
                    recorded_at=at,
                    actor="service:hook_dispatcher",
                    channel="system",
                    command_key="k",
                    ordinal=0,
                    cause=None,
                    trace="",
                    leaf=b"",
                    payload=payload,
                )
            )

    def raise_hook(self, at: int, plan: str) -> None:
        number = len(self.streams) + 1
        created = DeliveryCreated(
            plan=plan, event="plan.edited.v1", round=0, endpoint="e" * 24, raised_by=number, size=2, sha256="0" * 64
        )
        self.append(number, at, created)
        self.of_plan.setdefault(plan, []).append(number)
        heapq.heappush(self.queue, (at, number))

    def state(self, number: int) -> Delivery:
        state = fold_delivery(self.streams[number])
        assert state is not None
        return state

    def run(self) -> None:
        while self.queue:
            now, number = heapq.heappop(self.queue)
            self.look(now, number)

    def look(self, now: int, number: int) -> None:
        """One look at a delivery. An ordered one waits for the one before it."""
        state = self.state(number)
        line = self.of_plan[state.created.plan]
        place = line.index(number)
        if place and not self.state(line[place - 1]).ended:
            return  # whoever is before it wakes it
        match d.next_step(state, now):
            case "wait":
                heapq.heappush(self.queue, (state.next_at, number))
            case "interrupted":
                self.append(number, now, *d.interrupted(state, now, PATIENCE))
                heapq.heappush(self.queue, (now, number))
            case "try":
                self.attempt(now, number, state)
            case "nothing":
                return  # the next was woken when this one ended
        if self.state(number).ended and place + 1 < len(line):
            heapq.heappush(self.queue, (now, line[place + 1]))

    def attempt(self, now: int, number: int, state: Delivery) -> None:
        self.append(number, now, *d.attempt(state, now + 17 * SECOND))
        point = self.random.random()
        if point < self.killed / 2:  # killed before it was sent
            heapq.heappush(self.queue, (now + 17 * SECOND, number))
            return
        later = now + self.random.randrange(SECOND, 5 * SECOND)
        up = not DOWN[0] <= now < DOWN[1]
        if up:
            self.took.append(Took(later, state.created.plan, number))
        if point < self.killed:  # killed after it was sent
            heapq.heappush(self.queue, (now + 17 * SECOND, number))
            return
        sent = Sent(status=204) if up else Sent(error="refused")
        self.append(number, later, *d.outcome(self.state(number), sent, later, self.random.random(), PATIENCE))
        heapq.heappush(self.queue, (later, number))


def month(seed: int, *, killed: float) -> World:
    """Three plans, each with a hook every two hours or so; none more after the thirtieth day."""
    world = World(seed, killed=killed)
    for hour in range(0, 30 * 24, 2):
        for plan in ("a", "b", "c"):
            world.raise_hook(NOON + hour * HOUR + world.random.randrange(HOUR), plan)
    world.run()
    return world


@pytest.mark.parametrize("killed", [0.0, 0.2])
@pytest.mark.parametrize("seed", range(3))
def test_two_days_without_a_receiver_lose_nothing_and_change_no_order(seed: int, killed: float) -> None:
    world = month(seed, killed=killed)
    assert Counter(world.state(number).state for number in world.streams) == {"delivered": 30 * 12 * 3}
    assert {took.raised for took in world.took} == set(world.streams)
    for plan, line in world.of_plan.items():
        came = [took.raised for took in world.took if took.plan == plan]
        assert list(dict.fromkeys(came)) == line
    repeated = len(world.took) - len(world.streams)
    assert repeated == 0 if killed == 0.0 else repeated > 0


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_an_outage_that_is_shorter_than_the_budget_loses_nothing_however_the_jitter_falls(chance: float) -> None:
    """Tries that are over before the time is would give up on a receiver that comes back in time."""
    world = World(0, killed=0.0)
    world.raise_hook(NOON, "a")
    now, end = NOON, NOON + int(PATIENCE.budget_seconds) * SECOND
    tried = []
    while (state := world.state(1)).state != "dead":
        now = max(now, state.next_at)
        tried.append(now)
        world.append(1, now, DeliveryAttempted(attempt=state.attempts + 1, until=now + SECOND))
        world.append(1, now, *d.outcome(world.state(1), Sent(error="refused"), now, chance, PATIENCE))
    assert tried[-1] == end
    assert 9 <= len(tried) <= 11
