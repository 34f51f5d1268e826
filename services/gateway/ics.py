"""The calendar as iCalendar (RFC 5545), for the calendars that people have.

All times are instants of UTC, so no reader need know our zones; a plan's zone is told in its text. Occurrences of freezes
are written out one by one, as we count them: a rule would be expanded by each reader in its own way where clocks change.
UIDs are stable and DTSTAMP comes from the log, so the same state gives the same bytes and a subscriber sees updates.
"""

from collections.abc import Sequence
from datetime import datetime

from icalendar import Calendar, Event

from contracts.http import FrozenView
from contracts.http_calendar import CalendarPlan, CalendarView

MEDIA = "text/calendar"
_STATUS = {"planning": "TENTATIVE", "denied": "TENTATIVE", "cancel": "CANCELLED"}


def icalendar_of(view: CalendarView) -> bytes:
    """The whole calendar: an event per plan and per occurrence of a freeze."""
    calendar = Calendar()
    calendar.add("prodid", "-//GoNoGo//release calendar//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", "Releases")
    disturbed = _disturbed(view)
    for plan in view.plans:
        calendar.add_component(_plan(plan, disturbed.get(plan.id, ())))
    for freeze in view.freezes:
        calendar.add_component(_freeze(freeze))
    return bytes(calendar.to_ical())


def _disturbed(view: CalendarView) -> dict[str, list[str]]:
    """By plan, the names of the plans that are in its way."""
    names = {plan.id: f"{plan.index} {plan.name}" for plan in view.plans}
    found: dict[str, list[str]] = {}
    for conflict in view.conflicts:
        for one, other in (conflict.plans, conflict.plans[::-1]):
            found.setdefault(one, []).append(names.get(other, other))
    return found


def _plan(plan: CalendarPlan, disturbed: Sequence[str]) -> Event:
    lines = [f"Project {plan.project}, {plan.status}, owned by {', '.join(plan.owners)}."]
    if plan.zone:
        lines.append(f"Zone: {plan.zone}.")
    if plan.touches:
        lines.append(f"Touches {', '.join(plan.touches)}.")
    lines += [f"Conflicts with {name}." for name in disturbed]
    event = _event(f"plan-{plan.id}", plan.name, plan.start, plan.end, plan.updated_at)
    event.add("description", "\n".join(lines))
    event.add("status", _STATUS.get(plan.status, "CONFIRMED"))
    event.add("sequence", plan.version)
    if plan.labels:
        event.add("categories", list(plan.labels))
    return event


def _freeze(freeze: FrozenView) -> Event:
    event = _event(
        f"freeze-{freeze.freeze}-{freeze.start:%Y%m%dT%H%M%SZ}",
        f"Freeze: {freeze.name}",
        freeze.start,
        freeze.end,
        freeze.start,
    )
    event.add("categories", ["freeze"])
    return event


def _event(uid: str, summary: str, start: datetime, end: datetime, stamp: datetime) -> Event:
    event = Event()
    event.add("uid", f"{uid}@gonogo")
    event.add("dtstamp", stamp.replace(microsecond=0))
    event.add("summary", summary)
    event.add("dtstart", start.replace(microsecond=0))
    if end.replace(microsecond=0) > start.replace(
        microsecond=0
    ):  # a schedule is a moment, and RFC 5545 has no empty time
        event.add("dtend", end.replace(microsecond=0))
    return event
