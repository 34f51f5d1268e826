"""From wall clocks to instants, where clocks are put forward or back."""

from datetime import UTC, datetime

import pytest

from contracts.moments import moment
from infra.zones import ANYWHERE_ON_EARTH, instant, zone_names, zone_of


def at(zone: str, *wall: int, last: bool = False) -> str:
    """The instant of a wall-clock time, as UTC text."""
    wall_time = datetime(*wall)  # type: ignore[arg-type]  # noqa: DTZ001 - a wall-clock time has no zone
    found = moment(instant(wall_time, zone_of(zone), last=last))
    return found.isoformat().removesuffix("+00:00")


@pytest.mark.parametrize(
    ("zone", "wall", "utc"),
    [
        ("Europe/Berlin", (2026, 3, 29, 1, 59), "2026-03-29T00:59:00"),
        ("Europe/Berlin", (2026, 3, 29, 2, 0), "2026-03-29T01:00:00"),
        ("Europe/Berlin", (2026, 3, 29, 2, 30), "2026-03-29T01:00:00"),
        ("Europe/Berlin", (2026, 3, 29, 3, 0), "2026-03-29T01:00:00"),
        ("Europe/Berlin", (2026, 3, 29, 3, 1), "2026-03-29T01:01:00"),
        ("America/New_York", (2026, 3, 8, 2, 59, 59), "2026-03-08T07:00:00"),
        ("Australia/Lord_Howe", (2026, 10, 4, 2, 15), "2026-10-03T15:30:00"),  # a gap of half an hour
        ("Pacific/Apia", (2011, 12, 30, 12, 0), "2011-12-30T10:00:00"),  # a day that did not take place
    ],
)
def test_a_time_that_the_clock_jumps_over_is_the_next_instant_that_exists(
    zone: str, wall: tuple[int, ...], utc: str
) -> None:
    assert at(zone, *wall) == utc


def test_a_time_that_exists_twice_is_the_first_unless_the_last_is_meant() -> None:
    assert at("Europe/Berlin", 2026, 10, 25, 2, 30) == "2026-10-25T00:30:00"
    assert at("Europe/Berlin", 2026, 10, 25, 2, 30, last=True) == "2026-10-25T01:30:00"
    assert at("Europe/Berlin", 2026, 10, 25, 3, 0, last=True) == "2026-10-25T02:00:00"


def test_wall_clock_times_keep_their_order_across_a_gap() -> None:
    zone = zone_of("Europe/Berlin")
    walls = [
        datetime.fromisoformat(f"2026-03-29T0{hour}:{minute:02}") for hour in (1, 2, 3) for minute in range(0, 60, 10)
    ]
    found = [instant(wall, zone) for wall in walls]
    assert found == sorted(found)


def test_a_day_anywhere_on_earth_ends_at_noon_utc_of_the_next() -> None:
    assert at(ANYWHERE_ON_EARTH, 2026, 3, 1, 23, 59, 59) == "2026-03-02T11:59:59"


@pytest.mark.parametrize("name", ["Mars/Base", "localtime", "../etc/passwd", "europe/berlin", "Factory", "", "UTC\x00"])
def test_what_is_no_zone_is_none(name: str) -> None:
    assert name not in zone_names()
    with pytest.raises(KeyError):
        zone_of(name)


def test_utc_is_a_zone() -> None:
    assert instant(datetime.fromisoformat("1970-01-01T00:00"), zone_of("UTC")) == 0
    assert moment(0) == datetime(1970, 1, 1, tzinfo=UTC)
