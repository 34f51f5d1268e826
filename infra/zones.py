"""Zones: their names, and from a wall clock to an instant where the clock is put forward or back.

A wall-clock time that does not exist (the clock jumps over it) stands for the next instant that does, so order is kept and
nothing ends before it starts. RFC 5545 3.3.5 would add the gap instead, which can turn start and end round. One that
exists twice stands for the first time, or for the `last` where the end of something is meant: whoever reads a time on
the wall between start and end is inside.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from contracts.moments import micros

ANYWHERE_ON_EARTH = "Anywhere on Earth"
"""UTC-12: a day ends when it has ended everywhere. `Etc/GMT+12` by its IANA name, whose sign is the other way round."""


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """The names that a window or a freeze may use. `ZoneInfo` would also take files that are no zones."""
    return frozenset(available_timezones() - {"localtime", "posixrules", "Factory"}) | {ANYWHERE_ON_EARTH}


def zone_of(name: str) -> ZoneInfo:
    """The zone. Raises KeyError for what is none."""
    if name not in zone_names():
        raise KeyError(name)
    return ZoneInfo("Etc/GMT+12" if name == ANYWHERE_ON_EARTH else name)


def instant(wall: datetime, zone: ZoneInfo, *, last: bool = False) -> int:
    """Unix microseconds of a naive wall-clock time in this zone."""
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first <= second:
        return micros(second if last else first)
    return micros(_end_of_gap(second, first, zone))


def _end_of_gap(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The instant between these two at which the clock jumps; changes of the clock are at whole seconds."""
    old = before.astimezone(zone).utcoffset()
    low, high = 0, int((after - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if (before + timedelta(seconds=middle)).astimezone(zone).utcoffset() == old:
            low = middle
        else:
            high = middle
    return before.replace(microsecond=0) + timedelta(seconds=high)
