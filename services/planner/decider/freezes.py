"""The rules of freezes: who may write them, who may override them, and what they keep from being sealed.

Pure. What is wrong with a freeze's times and rule, and when freezes take place, comes from outside: it takes a calendar.
A plan may not be sealed into a freeze: its schedule may not lie in one, and its window must leave some time free. A
window that is only touched by one may be sealed; while the freeze lasts, nothing starts (the executor sees to that).
"""

from collections.abc import Iterator, Sequence

from contracts.commands import Actor, DeleteFreeze, OverrideFreeze, PutFreeze
from contracts.freeze import FreezeDeleted, FreezePut, FreezeState
from contracts.moments import micros, rfc3339
from contracts.plan import ENDED, Plan
from contracts.plan_events import Event, FreezeOverridden, Frozen
from contracts.refusals import Fault, Refused

_MOST_IN_EVENT = 200
"""Occurrences: an event holds 64 kB, a daily freeze has a thousand in a window of three years."""


def write(
    state: FreezeState | None, command: PutFreeze | DeleteFreeze, actor: Actor, faults: Sequence[Fault] = ()
) -> tuple[Event, ...]:
    """Put or delete a freeze; `()` when it is already so. `faults` are what is wrong with it. Raises Refused."""
    _demand_administrator(actor, "write freezes")
    now = state.freeze if state is not None else None
    match command:
        case PutFreeze():
            if faults:
                count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
                raise Refused("invalid_freeze", f"The freeze has {count}.", faults)
            return () if now == command.definition else (FreezePut(freeze=command.definition),)
        case DeleteFreeze():
            if state is None:
                raise Refused("freeze_not_found", "There is no such freeze.")
            return () if now is None else (FreezeDeleted(reason=command.reason),)


def override(plan: Plan | None, command: OverrideFreeze, actor: Actor, frozen: Sequence[Frozen]) -> tuple[Event, ...]:
    """Override these occurrences, which are all that concern the plan now or in its window. Raises Refused."""
    if plan is None:
        raise Refused("plan_not_found", f"There is no plan {command.plan}.")
    _demand_administrator(actor, "override a freeze")
    if plan.status in ENDED:
        raise Refused("final", f"The plan has ended with {plan.status}; nothing of it starts.", status=plan.status)
    if not command.reason.strip():
        detail = "Say why the plan need not wait for the freeze."
        raise Refused("reason_required", detail, [Fault("/reason", "is missing or empty")])
    if not frozen:
        raise Refused("not_frozen", "No freeze holds this plan now, in its window or at its schedule.")
    left = tuple(one for one in frozen if not plan.overrides_freeze(one))
    portions = (left[i : i + _MOST_IN_EVENT] for i in range(0, len(left), _MOST_IN_EVENT))
    return tuple(FreezeOverridden(freezes=portion, reason=command.reason) for portion in portions)


def _demand_administrator(actor: Actor, doing: str) -> None:
    if not actor.administrator:
        raise Refused("forbidden", f"{actor.id} may not {doing}; administrators may.", allowed=["administrators"])


def freeze_faults(plan: Plan, at: int, frozen: Sequence[Frozen]) -> Iterator[Fault]:
    """What keeps the plan from being sealed at this time (Unix µs), with the occurrences that concern it, in order."""
    window, schedule = plan.content.window, plan.content.schedule
    open_ = [one for one in frozen if not plan.overrides_freeze(one)]
    if schedule is not None:
        moment = micros(schedule.at)
        for one in open_:
            if one.start <= moment < one.end:
                yield Fault("/schedule/at", f"is in the freeze {one.name}, until {rfc3339(one.end)}", "in_freeze")
    if window is not None:
        start, end = max(micros(window.start), at), micros(window.end)
        covering = _covering(open_, start, end)
        if covering:
            names = ", ".join(dict.fromkeys(one.name for one in covering))
            yield Fault("/window", f"leaves no time outside of the freeze {names}", "in_freeze")


def _covering(frozen: Sequence[Frozen], start: int, end: int) -> list[Frozen]:
    """The occurrences that together leave nothing free between these two instants; none where something is."""
    reached, used = start, []
    for one in frozen:
        if one.start > reached:
            break
        if one.end > reached:
            reached = one.end
            used.append(one)
        if reached >= end > start:
            return used
    return []
