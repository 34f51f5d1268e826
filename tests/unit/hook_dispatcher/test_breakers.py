"""Breakers per host, rates and lanes per endpoint: what delays an attempt, and that nothing is forgotten by it."""

import pytest

from contracts.delivery import DeliveryError
from services.hook_dispatcher.decider.deliveries import Sent
from services.hook_dispatcher.handlers.alarms import Lanes
from services.hook_dispatcher.handlers.breakers import Breakers, Rates, host_of

SECOND = 1_000_000
HOST = "https://e.org"
DOWN, FINE = Sent(error="refused"), Sent(status=204)


def opened(failures: int = 3) -> Breakers:
    breakers = Breakers(failures=failures, seconds=5, probe_seconds=20)
    for _ in range(failures):
        breakers.heard(HOST, DOWN, 0)
    return breakers


def test_a_breaker_opens_after_so_many_failures_in_a_row_and_not_before() -> None:
    breakers = Breakers(failures=3, seconds=5)
    for sent in (DOWN, DOWN, FINE, DOWN, DOWN):
        breakers.heard(HOST, sent, 0)
    assert breakers.held_until(HOST, 0) == 0
    breakers.heard(HOST, DOWN, 0)
    assert breakers.held_until(HOST, 0) == 5 * SECOND
    assert breakers.held_until("https://other.org", 0) == 0


def test_when_its_time_is_over_one_attempt_finds_out_and_the_others_wait_for_it() -> None:
    breakers = opened()
    assert breakers.held_until(HOST, 5 * SECOND) == 0
    breakers.enter(HOST, 5 * SECOND)
    assert breakers.held_until(HOST, 5 * SECOND) == 25 * SECOND
    assert breakers.heard(HOST, FINE, 6 * SECOND) is True
    assert breakers.held_until(HOST, 6 * SECOND) == 0


def test_a_host_that_stays_down_is_left_alone_longer_each_time_a_minute_at_most() -> None:
    breakers, now, pauses = opened(), 0, []
    for _ in range(6):
        until = breakers.held_until(HOST, now)
        pauses.append((until - now) // SECOND)
        now = until
        breakers.enter(HOST, now)
        breakers.heard(HOST, DOWN, now)
    assert pauses == [5, 10, 20, 40, 60, 60]


def test_an_attempt_that_was_to_find_out_and_never_came_back_does_not_hold_the_others_for_ever() -> None:
    breakers = opened()
    breakers.enter(HOST, 5 * SECOND)
    assert breakers.held_until(HOST, 25 * SECOND) == 0


@pytest.mark.parametrize("status", [200, 204, 301, 400, 404, 410, 422])
def test_an_answer_that_only_this_hook_is_not_wanted_says_that_the_host_is_well(status: int) -> None:
    breakers = opened()
    breakers.heard(HOST, Sent(status=status), 6 * SECOND)
    assert breakers.held_until(HOST, 6 * SECOND) == 0


@pytest.mark.parametrize("error", ["secret", "blocked_address", "other", "challenge"])
def test_what_is_no_fault_of_the_host_does_not_open_its_breaker(error: DeliveryError) -> None:
    breakers = Breakers(failures=1, seconds=5)
    breakers.heard(HOST, Sent(error=error), 0)
    assert breakers.held_until(HOST, 0) == 0


def test_who_asks_us_to_wait_is_left_alone_at_the_first_time_a_minute_at_most() -> None:
    breakers = Breakers(failures=3, seconds=5)
    breakers.heard(HOST, Sent(status=429, retry_after_seconds=30), 0)
    assert breakers.held_until(HOST, 0) == 30 * SECOND
    breakers.heard(HOST, Sent(status=503, retry_after_seconds=86_400), 0)
    assert breakers.held_until(HOST, 0) == 60 * SECOND


def test_breakers_that_are_turned_off_hold_nothing_back() -> None:
    breakers = Breakers(failures=0)
    for _ in range(100):
        breakers.heard(HOST, DOWN, 0)
    assert breakers.held_until(HOST, 0) == 0


def test_two_receivers_on_one_machine_are_two() -> None:
    assert host_of("http://E.org:8080/a?b") == host_of("http://e.org:8080/c") != host_of("http://e.org:8081/a")


def test_a_rate_lets_go_evenly_and_a_seconds_worth_at_once() -> None:
    rates, now, went = Rates(), 100 * SECOND, []
    while now < 103 * SECOND:
        if not (until := rates.free_at("e", 120, now)):
            rates.count("e", 120, now)
            went.append(now / SECOND)
        now = until or now
    assert went == [100.0, 100.0, 100.5, 101.0, 101.5, 102.0, 102.5]
    assert rates.free_at("e", 0, now) == rates.free_at("other", 120, now) == 0


def test_of_those_that_are_held_the_first_has_the_alarm_whoever_was_held_last() -> None:
    rung: list[str] = []
    alarmed: list[str] = []
    lanes = Lanes(rung.append, width=2)
    for stream in ("a", "b", "c"):
        lanes.hold("e", stream, alarmed.append)
    lanes.pass_on("e")  # `a` is woken, and held again
    lanes.hold("e", "a", alarmed.append)
    assert (rung, alarmed) == (["a"], ["a", "a", "a", "b"])


def test_when_a_host_is_well_again_as_many_are_woken_as_there_is_room_for() -> None:
    rung: list[str] = []
    lanes = Lanes(rung.append, width=2)
    assert lanes.enter("e", "probe", 3)
    for stream in "abcd":
        lanes.hold("e", stream, lambda first: None)
    lanes.leave("e")
    lanes.reopen("e")
    assert rung == ["a", "b", "c", "d"][: len(rung)]
    assert len(rung) in {3, 4}


def test_no_more_wait_in_memory_than_is_said() -> None:
    lanes = Lanes(lambda stream: None, width=1, most_waiting=2)
    assert lanes.enter("e", "first")
    assert [lanes.enter("e", stream) for stream in "abc"] == [False] * 3
    assert [lanes.waits(stream) for stream in "abc"] == [True, True, False]
