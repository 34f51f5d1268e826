"""When a freeze takes place: its rule of RFC 5545, expanded between two instants inside a fence.

The expansion is dateutil's, on wall-clock times without a zone; the zone is applied afterwards (`infra.zones`). dateutil
alone would hang on `INTERVAL=0` and search a rule that never fits until the year 9999, so a rule is looked at before it is
believed: daily at most, no times of day, few and small numbers, and the first occurrence is the start itself. Work is
bounded by the span that is asked for, never by the rule.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import msgspec

from contracts.freeze import Freeze
from contracts.moments import micros, moment
from contracts.refusals import Fault
from infra.zones import instant, zone_names, zone_of

FIRST_YEAR, LAST_YEAR = 1970, 2199
LONGEST = timedelta(days=366)
MOST_OCCURRENCES = 1_000
"""The most that a COUNT may say."""

_FIRST, _LAST = (micros(datetime(year, 1, 1, tzinfo=UTC)) for year in (FIRST_YEAR, LAST_YEAR + 2))
_DAY = timedelta(days=1)
_DAYS = "MO|TU|WE|TH|FR|SA|SU"
_NUMBER = re.compile(r"[1-9]\d{0,3}")
_PARTS = {
    "FREQ": re.compile("DAILY|WEEKLY|MONTHLY|YEARLY"),
    "INTERVAL": re.compile(r"[1-9]\d{0,2}"),
    "COUNT": _NUMBER,
    "UNTIL": re.compile(r"\d{8}(T\d{6}Z)?"),
    "WKST": re.compile(_DAYS),
    "BYMONTH": re.compile(r"(0?[1-9]|1[0-2])(,(0?[1-9]|1[0-2])){0,11}"),
    "BYMONTHDAY": re.compile(r"-?(0?[1-9]|[12]\d|3[01])(,-?(0?[1-9]|[12]\d|3[01])){0,30}"),
    "BYDAY": re.compile(rf"([+-]?[1-5])?({_DAYS})(,([+-]?[1-5])?({_DAYS})){{0,34}}"),
    "BYSETPOS": re.compile(r"-?[1-9]\d?(,-?[1-9]\d?){0,9}"),
}
_ONLY_WITH = {"BYMONTHDAY": {"MONTHLY", "YEARLY"}, "BYSETPOS": {"MONTHLY", "YEARLY"}}
_LOOKED_AT = 400


class Occurrence(msgspec.Struct, frozen=True):
    """From `start` until before `end`, Unix microseconds; `wall` is the start on the zone's clock."""

    start: int
    end: int
    wall: datetime


def occurrences(freeze: Freeze, start: int, end: int) -> Iterator[Occurrence]:
    """Those that touch the time from `start` until before `end` (Unix µs), in order. The freeze must be without faults."""
    zone = zone_of(freeze.zone)
    lasts = freeze.end - freeze.start
    earliest = _clamped(start) - lasts - 2 * _DAY
    latest = _clamped(end) + 2 * _DAY
    left_out = set(freeze.exdates)
    for wall in _walls(freeze, earliest, latest):
        if wall in left_out:
            continue
        one = Occurrence(instant(wall, zone), instant(wall + lasts, zone, last=True), wall)
        if one.start < end and one.end > start and one.start < one.end:
            yield one


def _clamped(at: int) -> datetime:
    """A naive UTC time inside the years that freezes know."""
    return moment(min(max(at, _FIRST), _LAST)).replace(tzinfo=None)


def faults_of(freeze: Freeze) -> tuple[Fault, ...]:
    """Everything that is wrong with the times and the rule of a freeze, with JSON Pointers into it."""
    faults = [*_time_faults(freeze)]
    if freeze.zone not in zone_names():
        faults.append(Fault("/zone", f"{freeze.zone} is no time zone; give an IANA name", "unknown_zone"))
    if freeze.rrule:
        faults += [Fault("/rrule", detail, "bad_rule") for detail in _rule_faults(freeze.rrule)]
    if not faults:
        faults += _course_faults(freeze)
    return tuple(faults)


def _time_faults(freeze: Freeze) -> Iterator[Fault]:
    left_out = ((f"exdates/{i}", wall) for i, wall in enumerate(freeze.exdates))
    for name, wall in (("start", freeze.start), ("end", freeze.end), *left_out):
        if not FIRST_YEAR <= wall.year <= LAST_YEAR:
            yield Fault(f"/{name}", f"is not between the years {FIRST_YEAR} and {LAST_YEAR}", "out_of_range")
    if freeze.end <= freeze.start:
        yield Fault("/end", "is not after the start", "window_order")
    elif freeze.end - freeze.start > LONGEST:
        yield Fault("/end", f"is more than {LONGEST.days} days after the start", "too_long")
    if freeze.exdates and not freeze.rrule:
        yield Fault("/exdates", "leaves out occurrences, and without a rule there is only one", "bad_rule")


def _rule_faults(rrule: str) -> Iterator[str]:
    seen: dict[str, str] = {}
    for part in rrule.split(";"):
        name, _, value = part.partition("=")
        if name in seen:
            yield f"{name} stands there twice"
        elif name not in _PARTS:
            yield f"{name or part!r} is not allowed; allowed are {', '.join(_PARTS)}"
        elif not _PARTS[name].fullmatch(value):
            yield f"{name}={value} is not allowed" + (
                "; a freeze repeats DAILY, WEEKLY, MONTHLY or YEARLY" if name == "FREQ" else ""
            )
        seen[name] = value
    frequency = seen.get("FREQ", "")
    if "FREQ" not in seen:
        yield "FREQ is missing"
    yield from (
        f"{name} goes only with {' or '.join(sorted(fits))}"
        for name, fits in _ONLY_WITH.items()
        if name in seen and frequency not in fits
    )
    yield from _combinations(seen, frequency)


def _combinations(seen: dict[str, str], frequency: str) -> Iterator[str]:
    if "COUNT" in seen and "UNTIL" in seen:
        yield "COUNT and UNTIL exclude each other (RFC 5545 3.3.10)"
    if _NUMBER.fullmatch(seen.get("COUNT", "")) and int(seen["COUNT"]) > MOST_OCCURRENCES:
        yield f"COUNT is more than {MOST_OCCURRENCES}"
    if frequency in {"DAILY", "WEEKLY"} and re.search(r"\d", seen.get("BYDAY", "")):
        yield "BYDAY takes numbers only with MONTHLY or YEARLY"
    if frequency == "DAILY" and "BYDAY" in seen and seen.get("INTERVAL", "1") != "1":
        yield "BYDAY goes with DAILY only without an INTERVAL; say WEEKLY"
    if _PARTS["UNTIL"].fullmatch(seen.get("UNTIL", "")):
        try:
            _until(seen["UNTIL"])
        except ValueError:
            yield f"UNTIL={seen['UNTIL']} is no date"


def _course_faults(freeze: Freeze) -> Iterator[Fault]:
    """What shows only when the rule is followed: the first few hundred occurrences."""
    if not freeze.rrule:
        return
    horizon = freeze.start + timedelta(days=366 * 100)
    walls = list(islice(_walls(freeze, freeze.start, horizon), _LOOKED_AT))
    if not walls or walls[0] != freeze.start:
        yield Fault("/start", "is not itself an occurrence of the rule", "bad_rule")
    lasts = freeze.end - freeze.start
    if any(second - first < lasts for first, second in pairwise(walls)):
        yield Fault("/rrule", "begins again before it has ended, so it would never end", "never_ends")
    possible = set(_walls(freeze, freeze.start, max(freeze.exdates))) if freeze.exdates else set()
    for i, left_out in enumerate(freeze.exdates):
        if left_out not in possible:
            yield Fault(f"/exdates/{i}", "is no start of an occurrence", "bad_rule")


def _walls(freeze: Freeze, earliest: datetime, latest: datetime) -> Iterator[datetime]:
    """The starts on the wall clock between these two, both included, before anything is left out."""
    if not freeze.rrule:
        if earliest <= freeze.start <= latest:
            yield freeze.start
        return
    parts = dict(part.split("=", 1) for part in freeze.rrule.split(";"))
    count, until = parts.pop("COUNT", ""), parts.pop("UNTIL", "")
    if until:
        latest = min(latest, _last_wall(until, freeze))
    if latest < freeze.start or latest < earliest:
        return
    begin = freeze.start if count else _forwarded(freeze.start, earliest, parts)
    from dateutil.rrule import rrulestr  # here, so that who meets no repeated freeze does not carry it

    rule = iter(rrulestr(";".join(f"{name}={value}" for name, value in parts.items()), dtstart=begin))
    for wall in islice(rule, int(count) if count else None):
        if wall > latest:
            return
        if wall >= earliest:
            yield wall


def _forwarded(start: datetime, earliest: datetime, parts: dict[str, str]) -> datetime:
    """A later start from which the same days follow, so that thirty years of days before are not walked."""
    if earliest <= start:
        return start
    interval = int(parts.get("INTERVAL", "1"))
    if parts["FREQ"] in {"DAILY", "WEEKLY"}:
        stride = timedelta(days=interval * (7 if parts["FREQ"] == "WEEKLY" else 1))
        return start + (earliest - start) // stride * stride
    if start.day > 28:  # not in every month; such a start is walked from, a few hundred months at most
        return start
    months = interval * (12 if parts["FREQ"] == "YEARLY" else 1)
    passed = (earliest.year - start.year) * 12 + earliest.month - start.month
    years, month = divmod(start.month - 1 + max(passed // months - 1, 0) * months, 12)
    return start.replace(year=start.year + years, month=month + 1)


def _until(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%d" if len(text) == 8 else "%Y%m%dT%H%M%SZ")  # noqa: DTZ007 - see _last_wall


def _last_wall(text: str, freeze: Freeze) -> datetime:
    """UNTIL on the wall clock: an instant of UTC as RFC 5545 asks for where there is a zone, or a whole day."""
    until = _until(text)
    if len(text) == 8:
        return until + _DAY - timedelta(microseconds=1)
    return until.replace(tzinfo=UTC).astimezone(zone_of(freeze.zone)).replace(tzinfo=None)
