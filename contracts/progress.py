"""The answer to "how far is it, and when will it be over?": a body of the HTTP interface.

Expected ends come from the median of earlier whole and successful runs of the same workflow. What was never run before,
and what a person does, has no expected length, and none is made up: `null` says so.
"""

from datetime import datetime

from contracts.http import Answered
from contracts.plan import ItemStatus, Status


class ItemProgress(Answered, frozen=True, kw_only=True):
    """One item. `usual_seconds`: the median of `from_runs` earlier runs. `expected_end` if it starts as soon as it may."""

    item: str
    name: str
    status: ItemStatus
    started_at: datetime | None
    ended_at: datetime | None
    usual_seconds: float | None
    from_runs: int
    expected_end: datetime | None


class ProgressView(Answered, frozen=True, kw_only=True):
    """How far a plan is, as the log has it at `version` and `position`, at the time `at`.

    `expected_end` is known where the length of everything that is left is known and it is known when the plan starts;
    `earliest_end` takes what is not known (`unknown`, items) as no time at all. `critical_path`: the items that are left
    and that the earliest end hangs on, in their order.
    """

    id: str
    version: int
    position: int
    at: datetime
    status: Status
    total: int
    settled: int
    running: int
    failed: int
    expected_end: datetime | None
    earliest_end: datetime | None
    unknown: tuple[str, ...]
    critical_path: tuple[str, ...]
    items: tuple[ItemProgress, ...]
