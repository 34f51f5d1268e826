"""Who is on a plan: heard by every gateway, told when it changes, forgotten in time, never more than so many."""

from collections.abc import Awaitable, Callable

import msgspec

from contracts.presence import Asked, PresenceBody, Seen
from infra.clock import SetClock
from infra.errors import Unavailable
from services.gateway.presence import MOST_PRESENT, Presences
from tests.support.builders import NOON, PLAN

TTL = 30.0


class Wire:
    """What two gateways have in common: every message reaches all of them."""

    def __init__(self) -> None:
        self.clock = SetClock(NOON)
        self.told: list[str] = []
        self.gateways: list[Presences] = []
        self.sent: list[bytes] = []

    def gateway(self, publish: Callable[[bytes], Awaitable[None]] | None = None) -> Presences:
        made = Presences(self.clock, publish or self.publish, TTL)
        made.tell = self.told.append
        self.gateways.append(made)
        return made

    async def publish(self, body: bytes) -> None:
        self.sent.append(body)
        for one in self.gateways:
            if (answering := one.heard(body)) is not None:
                await answering


def on(section: str, session: str = "s1") -> PresenceBody:
    return PresenceBody(session=session, section=section)


def there(gateway: Presences) -> list[tuple[str, str]]:
    return [(one.by, one.section) for one in gateway.page(PLAN).present]


async def test_who_comes_to_one_gateway_is_seen_at_the_other() -> None:
    wire = Wire()
    here, other = wire.gateway(), wire.gateway()
    await here.came(PLAN, "user:olivia", on("items"))
    assert there(here) == there(other) == [("user:olivia", "items")]
    await other.left(PLAN, "user:olivia", "s1")
    assert there(here) == there(other) == []


async def test_a_sign_of_life_that_changes_nothing_is_told_to_nobody() -> None:
    wire = Wire()
    here = wire.gateway()
    for section in ("items", "items", "window"):
        await here.came(PLAN, "user:olivia", on(section))
        wire.clock.advance(1)
    assert wire.told == [PLAN, PLAN]
    assert there(here) == [("user:olivia", "window")]


async def test_who_is_silent_for_too_long_is_gone_and_that_is_told() -> None:
    wire = Wire()
    here, other = wire.gateway(), wire.gateway()
    await here.came(PLAN, "user:olivia", on("items"))
    wire.clock.advance(TTL - 1)
    await here.came(PLAN, "user:olivia", on("items"))
    wire.clock.advance(TTL - 1)
    other.sweep()
    assert len(there(other)) == 1
    wire.told.clear()
    wire.clock.advance(1)
    other.sweep()
    assert (there(other), wire.told) == ([], [PLAN])


async def test_nobody_speaks_for_another_person_s_screen() -> None:
    wire = Wire()
    here = wire.gateway()
    await here.came(PLAN, "user:olivia", on("items"))
    await here.left(PLAN, "user:mallory", "s1")
    await here.came(PLAN, "user:mallory", on("window"))
    assert there(here) == [("user:mallory", "window"), ("user:olivia", "items")]


async def test_a_gateway_that_comes_later_asks_who_is_there() -> None:
    wire = Wire()
    here = wire.gateway()
    await here.came(PLAN, "user:olivia", on("items"))
    late = wire.gateway()
    await wire.publish(b'{"type":"asked"}')
    assert there(late) == [("user:olivia", "items")]


async def test_what_a_later_gateway_is_told_prolongs_nothing_at_the_others() -> None:
    wire = Wire()
    here, other = wire.gateway(), wire.gateway()
    await here.came(PLAN, "user:olivia", on("items"))
    wire.clock.advance(TTL - 1)
    wire.gateway()
    await wire.publish(b'{"type":"asked"}')
    wire.clock.advance(1)
    other.sweep()
    assert there(other) == []


async def test_a_message_that_was_overtaken_or_is_not_understood_changes_nothing() -> None:
    wire = Wire()
    here = wire.gateway()
    await here.came(PLAN, "user:olivia", on("window"))
    here.heard(msgspec.json.encode(Seen(PLAN, "user:olivia", "s1", NOON - 1, "items")))
    here.heard(b'{"type":"dreamt"}')
    here.heard(b"\xff")
    assert there(here) == [("user:olivia", "window")]


async def test_without_a_bus_a_gateway_knows_its_own_screens() -> None:
    async def away(body: bytes) -> None:
        raise Unavailable("bus")

    here = Wire().gateway(away)
    await here.came(PLAN, "user:olivia", on("items"))
    assert there(here) == [("user:olivia", "items")]


async def test_a_crowd_is_bounded_and_the_most_silent_is_forgotten() -> None:
    wire = Wire()
    here = wire.gateway()
    for i in range(MOST_PRESENT + 1):
        await here.came(PLAN, "user:olivia", on("items", f"s{i}"))
        wire.clock.advance(0.001)
    sessions = {one.session for one in here.page(PLAN).present}
    assert len(sessions) == MOST_PRESENT
    assert "s0" not in sessions


async def test_a_gateway_that_asks_is_not_told_of_those_who_have_fallen_silent() -> None:
    wire = Wire()
    here = wire.gateway()
    await here.came(PLAN, "user:olivia", on("items"))
    wire.clock.advance(TTL - 1)
    await here.came(PLAN, "user:ana", on("window", "s2"))
    wire.clock.advance(1)
    new = wire.gateway()
    await wire.publish(msgspec.json.encode(Asked()))
    assert there(new) == [("user:ana", "window")]
