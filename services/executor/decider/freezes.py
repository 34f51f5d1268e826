"""What a freeze does to what would start: a person is refused, the plan itself is held until it ends.

Pure. `frozen` is what holds the plan at this moment, `None` for nothing; its end is when nothing holds it any more.
"""

from contracts.moments import micros, rfc3339
from contracts.plan import Plan
from contracts.plan_events import Event, Frozen, PlanHeld, ScheduleMissed
from contracts.refusals import Refused


def demand_no_freeze(frozen: Frozen | None) -> None:
    """Raises Refused(frozen) that names the freeze and its end."""
    if frozen is not None:
        ends = rfc3339(frozen.end)
        detail = f"The freeze {frozen.name} holds this plan until {ends}; an administrator may override it."
        raise Refused("frozen", detail, freeze=frozen.freeze, name=frozen.name, until=ends)


def held(plan: Plan, frozen: Frozen, grace_seconds: int) -> tuple[Event, ...]:
    """The plan would start now. `()` when it is known to be held so long already.

    A schedule is not held beyond its catch-up, or `grace_seconds` where that is shorter: it is missed, at once.
    """
    schedule = plan.content.schedule
    if schedule is not None and not plan.schedule_missed and not plan.start_requested:
        opens = micros(plan.content.window.start) if plan.content.window else 0
        late_seconds = (frozen.end - max(micros(schedule.at), opens)) / 1_000_000
        if late_seconds > max(schedule.catch_up_seconds, grace_seconds):
            return (ScheduleMissed(reason=f"freeze: {frozen.name}"),)
    if plan.held is not None and (plan.held.freeze, plan.held.until) == (frozen.freeze, frozen.end):
        return ()
    return (PlanHeld(freeze=frozen.freeze, name=frozen.name, until=frozen.end),)
