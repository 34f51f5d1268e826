"""What the calendar leaves out it says, also where only few of the plans are asked about."""

from typing import Any

from contracts.http_calendar import CalendarQuery
from infra.clock import SetClock
from services.gateway.calendar import MOST, Calendar
from tests.support.builders import NOON

HOUR = 3_600_000_000


class Tables:
    """The list of plans, the freezes and how far the list is: what the calendar reads. `shown` plans pass its filters."""

    def __init__(self, busy: int, shown: int) -> None:
        self._rows = [_row(i) for i in range(busy)]
        self._shown = shown

    async def fetch(self, sql: str, *_: Any) -> list[dict[str, Any]]:
        return self._rows[-self._shown :] if "$8" in sql else self._rows

    async def reached(self, projection: str, wanted: int) -> int:
        return 1

    async def read(self) -> dict[str, Any]:
        return {}


def _row(i: int) -> dict[str, Any]:
    return {
        "id": f"{i:024x}",
        "idx": i,
        "project": "web",
        "name": f"plan {i}",
        "status": "planning",
        "owners": [],
        "labels": [],
        "touches": ["api/production"],
        "starts": NOON + i,
        "ends": NOON + HOUR,
        "zone": "UTC",
        "updated_at": NOON,
        "version": 1,
    }


async def view(busy: int, shown: int) -> Any:
    tables: Any = Tables(busy, shown)
    return await Calendar(tables, tables, tables, SetClock(NOON)).between(CalendarQuery())


async def test_conflicts_that_were_not_looked_for_any_more_are_told_though_none_of_those_found_is_shown() -> None:
    seen = await view(busy=150, shown=1)
    assert MOST < 150 * 149 // 2
    assert (len(seen.plans), seen.more) == (1, True)


async def test_all_conflicts_of_the_plans_that_are_shown_are_there_and_no_others() -> None:
    seen = await view(busy=20, shown=1)
    assert (len(seen.conflicts), seen.more) == (19, False)
