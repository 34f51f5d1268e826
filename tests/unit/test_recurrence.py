"""When freezes take place: rules of RFC 5545 on wall clocks, and everything that a rule may not be."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from contracts.freeze import Freeze
from contracts.moments import EPOCH, micros, moment
from infra.recurrence import Occurrence, faults_of, occurrences
from tests.support.builders import utc


def freeze(start: str, end: str, rrule: str = "", zone: str = "UTC", exdates: tuple[str, ...] = ()) -> Freeze:
    days = tuple(datetime.fromisoformat(one) for one in exdates)
    return Freeze(
        name="F",
        start=datetime.fromisoformat(start),
        end=datetime.fromisoformat(end),
        zone=zone,
        rrule=rrule,
        exdates=days,
    )


def between(one: Freeze, start: Any, end: Any) -> list[str]:
    """`start/end` of each occurrence that touches the span, as UTC text."""
    assert not faults_of(one), faults_of(one)

    def text(found: Occurrence) -> str:
        return "/".join(moment(at).isoformat()[:16] for at in (found.start, found.end))

    return [text(found) for found in occurrences(one, micros(start), micros(end))]


def codes(one: Freeze) -> dict[str, str]:
    return {fault.path: fault.code for fault in faults_of(one)}


WEEKEND = freeze("2026-11-20T18:00", "2026-11-23T06:00", "FREQ=WEEKLY;BYDAY=FR", "Europe/Berlin")


def test_a_weekend_freeze_ends_on_monday_at_six_by_the_wall_in_summer_and_winter() -> None:
    weekend = freeze("2026-03-20T18:00", "2026-03-23T06:00", "FREQ=WEEKLY", "Europe/Berlin")
    assert between(weekend, utc(2026, 3, 19), utc(2026, 4, 1)) == [
        "2026-03-20T17:00/2026-03-23T05:00",
        "2026-03-27T17:00/2026-03-30T04:00",
    ]


def test_an_occurrence_that_began_before_the_span_is_found_and_one_that_only_meets_it_is_not() -> None:
    assert between(WEEKEND, utc(2026, 11, 22), utc(2026, 11, 22, 1)) == ["2026-11-20T17:00/2026-11-23T05:00"]
    assert between(WEEKEND, utc(2026, 11, 23, 5), utc(2026, 11, 27, 17)) == []


def test_an_occurrence_left_out_does_not_take_place() -> None:
    one = freeze("2026-12-01T00:00", "2026-12-01T06:00", "FREQ=DAILY;COUNT=3", exdates=("2026-12-02T00:00",))
    assert between(one, utc(2026, 1, 1), utc(2027, 1, 1)) == [
        "2026-12-01T00:00/2026-12-01T06:00",
        "2026-12-03T00:00/2026-12-03T06:00",
    ]


def test_a_start_in_the_gap_begins_when_the_clock_has_jumped_and_an_end_in_the_overlap_is_the_second_one() -> None:
    nightly = freeze("2026-03-28T02:30", "2026-03-28T02:45", "FREQ=DAILY", "Europe/Berlin")
    assert between(nightly, utc(2026, 3, 28, 12), utc(2026, 3, 30, 12)) == ["2026-03-30T00:30/2026-03-30T00:45"]
    long = freeze("2026-03-28T02:30", "2026-03-28T04:00", "FREQ=DAILY", "Europe/Berlin")
    assert between(long, utc(2026, 3, 29), utc(2026, 3, 29, 12)) == ["2026-03-29T01:00/2026-03-29T02:00"]
    assert between(nightly, utc(2026, 10, 25), utc(2026, 10, 25, 12)) == ["2026-10-25T00:30/2026-10-25T01:45"]


def test_a_freeze_anywhere_on_earth_ends_when_the_day_has_ended_everywhere() -> None:
    one = freeze("2026-12-24T00:00", "2026-12-27T00:00", zone="Anywhere on Earth")
    assert between(one, utc(2026, 1, 1), utc(2027, 1, 1)) == ["2026-12-24T12:00/2026-12-27T12:00"]


@pytest.mark.parametrize(
    ("rrule", "starts"),
    [
        ("FREQ=MONTHLY;BYDAY=-1FR", ["2026-02-27", "2026-03-27", "2026-04-24"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-2", ["2026-02-27", "2026-03-30", "2026-04-29"]),
        ("FREQ=YEARLY;BYMONTH=2;BYDAY=-1FR", ["2026-02-27"]),
        ("FREQ=WEEKLY;INTERVAL=4", ["2026-02-27", "2026-03-27", "2026-04-24"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", ["2026-02-27", "2026-03-31", "2026-04-30"]),
        ("FREQ=WEEKLY;UNTIL=20260306", ["2026-02-27", "2026-03-06"]),
        ("FREQ=WEEKLY;UNTIL=20260306T080000Z", ["2026-02-27", "2026-03-06"]),
        ("FREQ=WEEKLY;UNTIL=20260306T075959Z", ["2026-02-27"]),
        ("FREQ=DAILY;INTERVAL=30;COUNT=2", ["2026-02-27", "2026-03-29"]),
    ],
)
def test_rules_are_followed(rrule: str, starts: list[str]) -> None:
    one = freeze("2026-02-27T09:00", "2026-02-27T10:00", rrule, "Europe/Paris")
    assert [text[:10] for text in between(one, utc(2026, 1, 1), utc(2026, 5, 1))] == starts


@pytest.mark.parametrize(
    "rrule",
    [
        "FREQ=DAILY;INTERVAL=3",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE",
        "FREQ=WEEKLY;INTERVAL=3;BYDAY=SU,MO;WKST=SU",
        "FREQ=MONTHLY;INTERVAL=5",
        "FREQ=MONTHLY;BYDAY=1MO",
        "FREQ=YEARLY;BYDAY=MO;BYMONTH=1,7",
        "FREQ=YEARLY;INTERVAL=4",
    ],
)
def test_decades_later_a_rule_gives_the_very_days_that_it_gives_when_it_is_walked_from_its_start(rrule: str) -> None:
    """The walk from the start is what COUNT asks for; without it the years before are skipped."""
    start = utc(2001, 1, 1, 9)
    if rrule.startswith("FREQ=WEEKLY;INTERVAL=3"):
        start = utc(2000, 12, 31, 9)
    one = freeze(start.isoformat()[:16], (start + timedelta(hours=1)).isoformat()[:16], rrule)
    counted = freeze(start.isoformat()[:16], (start + timedelta(hours=1)).isoformat()[:16], f"{rrule};COUNT=9999")
    span = (micros(utc(2024, 1, 1)), micros(utc(2033, 1, 1)))
    assert list(occurrences(one, *span)) == list(occurrences(counted, *span))


@pytest.mark.parametrize(
    "rrule",
    [
        "FREQ=SECONDLY",
        "FREQ=MINUTELY",
        "FREQ=HOURLY",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=1000",
        "FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=0,1,2,3;BYSECOND=0",
        "FREQ=DAILY;COUNT=1001",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=3;UNTIL=20270101",
        "FREQ=DAILY;UNTIL=20270101T000000",
        "FREQ=DAILY;UNTIL=20279901",
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=WEEKLY;BYDAY=1MO",
        "FREQ=DAILY;INTERVAL=7;BYDAY=MO",
        "FREQ=WEEKLY;BYMONTHDAY=1",
        "FREQ=YEARLY;BYWEEKNO=20",
        "FREQ=MONTHLY;BYMONTHDAY=0",
        "FREQ=MONTHLY;BYDAY=XX",
        "BYDAY=MO",
        "RRULE:FREQ=DAILY",
        "FREQ=DAILY\nEXRULE:FREQ=DAILY",
        ";;;",
        "FREQ",
    ],
)
def test_a_rule_outside_of_the_fence_is_refused_with_a_sentence(rrule: str) -> None:
    found = faults_of(freeze("2026-02-27T09:00", "2026-02-27T10:00", rrule))
    assert {(fault.path, fault.code) for fault in found} == {("/rrule", "bad_rule")}


@pytest.mark.parametrize(
    "rrule",
    [
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=9",
        "FREQ=WEEKLY;BYDAY=MO",
    ],
)
def test_a_rule_that_the_start_does_not_fit_or_that_never_takes_place_is_refused(rrule: str) -> None:
    assert codes(freeze("2026-02-27T09:00", "2026-02-27T10:00", rrule)) == {"/start": "bad_rule"}


def test_a_freeze_that_begins_again_before_it_ends_would_never_end_and_is_refused() -> None:
    assert codes(freeze("2026-02-27T09:00", "2026-03-07T09:00", "FREQ=WEEKLY")) == {"/rrule": "never_ends"}
    assert codes(freeze("2026-02-27T09:00", "2026-03-06T09:00", "FREQ=WEEKLY")) == {}
    assert codes(freeze("2026-01-01T00:00", "2027-01-01T00:00", "FREQ=MONTHLY")) == {"/rrule": "never_ends"}


@pytest.mark.parametrize(
    ("start", "end", "code"),
    [
        ("2026-01-01T00:00", "3026-01-01T00:00", {"/end": "too_long"}),
        ("2026-01-01T00:00", "2027-01-03T00:00", {"/end": "too_long"}),
        ("2026-01-01T00:00", "2026-01-01T00:00", {"/end": "window_order"}),
        ("0001-01-01T00:00", "0001-01-02T00:00", {"/start": "out_of_range"}),
        ("9999-12-31T00:00", "9999-12-31T23:00", {"/start": "out_of_range"}),
    ],
)
def test_a_freeze_without_measure_is_refused(start: str, end: str, code: dict[str, str]) -> None:
    assert code.items() <= codes(freeze(start, end)).items()


def test_all_faults_come_at_once() -> None:
    bad = freeze("2026-02-27T09:00", "2026-02-27T08:00", "FREQ=HOURLY", "Mars/Base")
    assert codes(bad) == {"/end": "window_order", "/zone": "unknown_zone", "/rrule": "bad_rule"}


def test_a_day_left_out_that_is_no_occurrence_is_refused() -> None:
    one = freeze(
        "2026-02-27T09:00", "2026-02-27T10:00", "FREQ=WEEKLY", exdates=("2026-03-06T09:00", "2026-03-07T09:00")
    )
    assert codes(one) == {"/exdates/1": "bad_rule"}
    assert codes(freeze("2026-02-27T09:00", "2026-02-27T10:00", exdates=("2026-02-27T09:00",))) == {
        "/exdates": "bad_rule"
    }


def test_spans_before_time_and_after_it_are_answered() -> None:
    forever = (-(2**62), 2**62)
    assert [one.start for one in occurrences(freeze("2026-02-27T09:00", "2026-02-27T10:00"), *forever)] == [
        micros(utc(2026, 2, 27, 9))
    ]
    daily = freeze("2026-02-27T09:00", "2026-02-27T10:00", "FREQ=DAILY")
    assert list(occurrences(daily, 2**61, 2**62)) == []
    assert list(occurrences(daily, -(2**62), micros(EPOCH))) == []
