"""Which plans are in each other's way."""

import random

from contracts.calendar import Busy, Conflict, conflicts, span_of, touch_key
from contracts.moments import micros
from contracts.values import Schedule, Touch
from tests.support.builders import content, utc, window


def busy(plan: str, start: int, end: int, *touches: str) -> Busy:
    return Busy(plan, start, end, touches)


def test_two_plans_conflict_where_they_touch_the_same_at_the_same_time() -> None:
    found = conflicts([busy("a", 0, 10, "api/prod", "db/prod"), busy("b", 5, 20, "db/prod", "web/prod")], 10)
    assert found == (Conflict(("a", "b"), ("db/prod",), 5, 10),)


def test_plans_that_only_meet_or_touch_other_things_do_not_conflict() -> None:
    meets = [busy("a", 0, 10, "api/prod"), busy("b", 10, 20, "api/prod")]
    others = [busy("c", 0, 10, "api/test"), busy("d", 0, 10, "db/prod"), busy("e", 0, 10)]
    assert conflicts([*meets, *others], 10) == ()


def test_three_at_once_are_three_pairs() -> None:
    three = [busy(plan, start, 100, "x/y") for plan, start in (("a", 1), ("b", 2), ("c", 3))]
    assert [one.plans for one in conflicts(three, 10)] == [("a", "b"), ("a", "c"), ("b", "c")]


def test_it_is_what_comparing_every_pair_gives() -> None:
    chance = random.Random(7)
    plans = []
    for number in range(60):
        start = chance.randrange(100)
        touches = chance.sample(["a/a", "b/b", "c/c", "d/d"], chance.randrange(3))
        plans.append(busy(f"p{number:02}", start, start + chance.randrange(1, 30), *touches))
    naive = {
        tuple(sorted((one.plan, other.plan)))
        for one in plans
        for other in plans
        if one.plan < other.plan
        and set(one.touches) & set(other.touches)
        and one.start < other.end
        and other.start < one.end
    }
    assert {tuple(sorted(found.plans)) for found in conflicts(plans, 10_000)} == naive


def test_ten_thousand_plans_that_all_conflict_are_cut_off() -> None:
    found = conflicts([busy(f"{number:05}", 0, 10, "x/y") for number in range(10_000)], 100)
    assert 100 <= len(found) < 200


def test_a_plan_takes_its_window_else_its_moment_else_no_time() -> None:
    start, end = utc(2026, 9, 1), utc(2026, 9, 2)
    assert span_of(content(window=window(start, end), schedule=Schedule(at=start))) == (micros(start), micros(end))
    assert span_of(content(schedule=Schedule(at=start))) == (micros(start), micros(start) + 1)
    assert span_of(content()) is None


def test_a_window_that_is_turned_round_takes_a_moment_all_the_same() -> None:
    start, end = utc(2026, 9, 2), utc(2026, 9, 1)
    assert span_of(content(window=window(start, end))) == (micros(start), micros(start) + 1)


def test_a_touch_is_written_with_a_slash() -> None:
    assert touch_key(Touch(service="api", environment="production")) == "api/production"
