"""When a schedule may still start its plan: the one place that says until when, for the rule and for the timer."""

from contracts.moments import micros
from contracts.values import Content

PUNCTUAL_SECONDS = 30
"""A schedule that fires this late is on time: a timer needs a moment, and a restarted service a few more."""


def schedule_lapses(content: Content) -> int | None:
    """Until when (Unix µs, that moment included) the schedule may start the plan; `None` without a schedule.

    A window that opens later than the schedule moves it: nothing could have started before.
    """
    schedule = content.schedule
    if schedule is None:
        return None
    opens = micros(content.window.start) if content.window is not None else 0
    grace_seconds = max(schedule.catch_up_seconds, PUNCTUAL_SECONDS)
    return max(micros(schedule.at), opens) + grace_seconds * 1_000_000
