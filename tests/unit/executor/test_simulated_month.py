"""Five weeks of autumn 2026 under an injected clock: windows, schedules, freezes, deadlines, two changes of the clock.

The expected timeline is the table below, to be read beside the plans. Clocks go back on 25 October in Berlin (03:00 CEST
is 02:00 CET) and on 1 November in New York (02:00 EDT is 01:00 EST). No executor lives from 3 to 5 November.
"""

from datetime import datetime

from contracts import plan_events as e
from contracts.commands import CompleteItem, ExecuteItem, OverrideStart, RecheckGate
from contracts.freeze import Freeze, FreezeState, Scope
from contracts.moments import moment
from contracts.plan import Plan
from contracts.plan_events import Event
from contracts.seal import seal_of
from contracts.values import (
    Approval,
    ApprovalLevel,
    ApprovalRule,
    Content,
    GateRule,
    Gates,
    Rules,
    Schedule,
    TextSpec,
    Window,
    WorkflowSpec,
)
from infra.zones import instant, zone_of
from services.executor.decider import items, walk
from services.executor.views import Found
from services.hook_dispatcher.decider import gates
from tests.support.month import Month
from tests.unit.executor.given import ADMIN, OLIVIA, content, found, text, workflow

ASKED = Approval(levels=(ApprovalLevel(rules=(ApprovalRule(approvers=("user:ada",)),)),))
BERLIN, NEW_YORK, AOE = "Europe/Berlin", "America/New_York", "Anywhere on Earth"
WEEKEND = Freeze(
    name="Weekend",
    start=datetime(2026, 10, 2, 18),  # noqa: DTZ001 - on the wall
    end=datetime(2026, 10, 5, 6),  # noqa: DTZ001 - on the wall
    zone=BERLIN,
    rrule="FREQ=WEEKLY",
    scope=Scope(labels=("retail",)),
)
FREEZES = {"f" * 24: FreezeState("f" * 24, WEEKEND, "user:root", 0, 1)}

TIMELINE = """
| when (UTC, month-day) | on the wall | plan | what |
|---|---|---|---|
| 10-20 09:00:00 | Tue 20 Oct 11:00 CEST | urgent | refused: not_executing |
| 10-20 10:00:00 | Tue 20 Oct 12:00 CEST | urgent | start overridden (window), start asked for by owner, executing |
| 10-20 11:00:00 | Tue 20 Oct 13:00 CEST | urgent | completed notes, items settled, succeeded |
| 10-21 15:00:00 | Wed 21 Oct 17:00 CEST | evening | approved |
| 10-22 18:00:00 | Thu 22 Oct 20:00 CEST | evening | start asked for by approval, executing |
| 10-22 18:30:00 | Thu 22 Oct 20:30 CEST | cut-off | approved |
| 10-22 18:30:00 | Thu 22 Oct 20:30 CEST | cut-off | start asked for by approval, executing |
| 10-22 19:00:00 | Thu 22 Oct 21:00 CEST | evening | completed notes, items settled, succeeded |
| 10-22 20:00:00 | Thu 22 Oct 22:00 CEST | cut-off | started deploy |
| 10-22 21:00:00 | Thu 22 Oct 23:00 CEST | cut-off | refused: outside_window |
| 10-22 21:00:00 | Thu 22 Oct 23:00 CEST | cut-off | timed out (open notes; running deploy) |
| 10-24 08:00:00 | Sat 24 Oct 10:00 CEST | no-catch-up | schedule missed (freeze: Weekend) |
| 10-24 08:00:00 | Sat 24 Oct 10:00 CEST | catch-up | held by Weekend until Mon 26 Oct 06:00 CET |
| 10-25 00:30:00 | Sun 25 Oct 02:30 CEST | first-2:30 | start asked for by schedule, executing |
| 10-25 01:30:00 | Sun 25 Oct 02:30 CET | second-2:30 | start asked for by schedule, executing |
| 10-26 05:00:00 | Mon 26 Oct 06:00 CET | catch-up | start asked for by schedule, executing |
| 10-26 09:00:00 | Mon 26 Oct 10:00 CET | gated | start asked for by owner |
| 10-26 09:00:00 | Mon 26 Oct 10:00 CET | gated | gate start_execute opened, round 1 |
| 10-27 09:00:00 | Tue 27 Oct 10:00 CET | denied | denied |
| 10-27 09:00:00 | Tue 27 Oct 10:00 CET | gated | gate start_execute expired, round 1 |
| 10-28 08:30:00 | Wed 28 Oct 09:30 CET | silent | approval expired |
| 10-28 09:00:00 | Wed 28 Oct 10:00 CET | gated | gate start_execute opened, round 2 |
| 10-28 10:00:00 | Wed 28 Oct 11:00 CET | gated | gate.passed |
| 10-28 10:00:00 | Wed 28 Oct 11:00 CET | gated | executing |
| 10-28 11:00:00 | Wed 28 Oct 12:00 CET | gated | completed notes, items settled, succeeded |
| 10-29 07:00:30 | Thu 29 Oct 08:00 CET | denied | schedule missed (denied) |
| 10-30 06:00:00 | Fri 30 Oct 02:00 EDT | five-hours | approved |
| 10-31 12:00:00 | Sat 31 Oct 00:00 AoE | somewhere | timed out (open notes; running -) |
| 11-01 04:00:00 | Sun 01 Nov 00:00 EDT | five-hours | start asked for by approval, executing |
| 11-01 08:59:00 | Sun 01 Nov 03:59 EST | five-hours | completed notes |
| 11-01 09:00:00 | Sun 01 Nov 04:00 EST | five-hours | timed out (open more; running -) |
| 11-02 10:00:00 | Mon 02 Nov 11:00 CET | slept | approved |
| 11-04 23:00:00 | Thu 05 Nov 00:00 CET | late | start asked for by schedule, executing |
| 11-04 23:00:00 | Thu 05 Nov 00:00 CET | too-late | schedule missed (down) |
| 11-04 23:00:00 | Thu 05 Nov 00:00 CET | slept | timed out (open notes; running -) |
"""


def at(zone: str, month: int, day: int, hour: int = 0, minute: int = 0, *, last: bool = False) -> datetime:
    """This time on the wall of the zone; where it comes twice the first, or the `last`."""
    wall = datetime(2026, month, day, hour, minute)  # noqa: DTZ001 - on the wall
    return moment(instant(wall, zone_of(zone), last=last))


def known(plan: Plan) -> dict[str, Found]:
    return {item.id: found() for item in plan.content.items if isinstance(item.spec, WorkflowSpec)}


def seal(plan: Plan, _: int) -> tuple[Event, ...]:
    return (seal_of(plan.content, {item: one.resolved for item, one in known(plan).items()}),)


def submit(plan: Plan, _: int) -> tuple[Event, ...]:
    assert plan.seal is not None
    return (e.PlanSubmitted(round=1, seal=plan.seal.value),)


def approve(plan: Plan, _: int) -> tuple[Event, ...]:
    return (e.PlanApproved(round=1, seal=plan.approval.seal),)


def deny(plan: Plan, _: int) -> tuple[Event, ...]:
    return (e.PlanDenied(round=1, seal=plan.approval.seal, reason="not in this week"),)


def work(plan: Plan, at: int) -> tuple[Event, ...]:
    """Complete the text, or execute the workflow, whichever comes next."""
    item = next(one for one in plan.content.items if plan.state_of(one.id).status == "todo")
    verb = CompleteItem if isinstance(item.spec, TextSpec) else ExecuteItem
    return items.decide(plan, verb(plan=plan.id, item=item.id), items.Context(OLIVIA, at, known(plan)))


def start_now(plan: Plan, at: int) -> tuple[Event, ...]:
    return walk.override_start(plan, OverrideStart(plan=plan.id, reason="urgent"), ADMIN, at, known(plan))


def recheck(plan: Plan, at: int) -> tuple[Event, ...]:
    return gates.recheck(plan, RecheckGate(plan=plan.id, gate="start_execute"), OLIVIA, at, "1" * 16)


def answer(plan: Plan, _: int) -> tuple[Event, ...]:
    return (e.GatePassed(gate="start_execute", round=plan.gates["start_execute"].round),)


def ready(month: Month, name: str, zone: str, plan: Content, sealed: datetime) -> None:
    month.plan(name, zone, plan, sealed)
    month.on(sealed, name, seal)


def autumn() -> Month:
    month = Month(FREEZES, known, down=[(at(BERLIN, 11, 3), at(BERLIN, 11, 5))])
    _windows(month)
    _clocks(month)
    _freezes(month)
    _waits(month)
    _outage(month)
    return month


def _windows(month: Month) -> None:
    """Approved before its window; started before it by an administrator; cut off with work running."""
    window = Window(start=at(BERLIN, 10, 22, 20), end=at(BERLIN, 10, 22, 23), zone=BERLIN)
    ready(month, "evening", BERLIN, content(text(), window=window, approval=ASKED), at(BERLIN, 10, 20, 9))
    month.on(at(BERLIN, 10, 20, 9, 30), "evening", submit)
    month.on(at(BERLIN, 10, 21, 17), "evening", approve)
    month.on(at(BERLIN, 10, 22, 21), "evening", work)
    ready(month, "urgent", BERLIN, content(text(), window=window), at(BERLIN, 10, 20, 10))
    month.on(at(BERLIN, 10, 20, 11), "urgent", work)
    month.on(at(BERLIN, 10, 20, 12), "urgent", start_now)
    month.on(at(BERLIN, 10, 20, 13), "urgent", work)
    cut = content(workflow(), text(), window=window, approval=ASKED, rules=Rules(on_window_end="cancel_running"))
    ready(month, "cut-off", BERLIN, cut, at(BERLIN, 10, 20, 11))
    month.on(at(BERLIN, 10, 20, 11, 30), "cut-off", submit)
    month.on(at(BERLIN, 10, 22, 20, 30), "cut-off", approve)
    month.on(at(BERLIN, 10, 22, 22), "cut-off", work)
    month.on(at(BERLIN, 10, 22, 23), "cut-off", work)


def _clocks(month: Month) -> None:
    """Half past two comes twice in Berlin; a window of four hours on the wall lasts five in New York; a day on Earth."""
    for name, last in (("first-2:30", False), ("second-2:30", True)):
        schedule = Schedule(at=at(BERLIN, 10, 25, 2, 30, last=last))
        ready(month, name, BERLIN, content(text(), schedule=schedule), at(BERLIN, 10, 24, 12))
    window = Window(start=at(NEW_YORK, 11, 1), end=at(NEW_YORK, 11, 1, 4), zone=NEW_YORK)
    ready(
        month,
        "five-hours",
        NEW_YORK,
        content(text(), text("more"), window=window, approval=ASKED),
        at(NEW_YORK, 10, 30),
    )
    month.on(at(NEW_YORK, 10, 30, 1), "five-hours", submit)
    month.on(at(NEW_YORK, 10, 30, 2), "five-hours", approve)
    month.on(at(NEW_YORK, 11, 1, 3, 59), "five-hours", work)
    day = Window(start=at(AOE, 10, 30), end=at(AOE, 10, 31), zone=AOE)
    ready(month, "somewhere", AOE, content(text(), window=day, approval=ASKED), at(AOE, 10, 29))
    month.on(at(AOE, 10, 29, 1), "somewhere", submit)


def _freezes(month: Month) -> None:
    """Scheduled into the weekend's freeze, which ends an hour later than usual by UTC: missed, or held and caught up."""
    saturday = at(BERLIN, 10, 24, 10)
    for name, days in (("no-catch-up", 0), ("catch-up", 3)):
        plan = content(text(), labels=("retail",), schedule=Schedule(at=saturday, catch_up_seconds=days * 86_400))
        ready(month, name, BERLIN, plan, at(BERLIN, 10, 23, 9))


def _waits(month: Month) -> None:
    """A gate without an answer, an approval without votes, a denied plan whose schedule passes."""
    gated = content(text(), gates=Gates(start_execute=GateRule(deadline_seconds=86_400)))
    ready(month, "gated", BERLIN, gated, at(BERLIN, 10, 26, 9))
    month.on(at(BERLIN, 10, 26, 10), "gated", lambda plan, now: walk.start(plan, plan.id, OLIVIA, now, {}))
    month.on(at(BERLIN, 10, 28, 10), "gated", recheck)
    month.on(at(BERLIN, 10, 28, 11), "gated", answer)
    month.on(at(BERLIN, 10, 28, 12), "gated", work)
    silent = Approval(levels=ASKED.levels, deadline_seconds=2 * 86_400)
    ready(month, "silent", BERLIN, content(text(), approval=silent), at(BERLIN, 10, 26, 9))
    deadline = int((at(BERLIN, 10, 28, 9, 30)).timestamp()) * 1_000_000
    month.on(
        at(BERLIN, 10, 26, 9, 30),
        "silent",
        lambda plan, _: (e.PlanSubmitted(round=1, seal=plan.seal.value if plan.seal else "", deadline=deadline),),
    )
    denied = content(text(), approval=ASKED, schedule=Schedule(at=at(BERLIN, 10, 29, 8)))
    ready(month, "denied", BERLIN, denied, at(BERLIN, 10, 26, 9))
    month.on(at(BERLIN, 10, 26, 10), "denied", submit)
    month.on(at(BERLIN, 10, 27, 10), "denied", deny)


def _outage(month: Month) -> None:
    """Nobody lives on the 4th: a schedule is caught up within two days, another's twelve hours are over, a window as well."""
    wednesday = at(BERLIN, 11, 4, 8)
    for name, hours in (("late", 48), ("too-late", 12)):
        schedule = Schedule(at=wednesday, catch_up_seconds=hours * 3_600)
        ready(month, name, BERLIN, content(text(), schedule=schedule), at(BERLIN, 11, 2, 9))
    window = Window(start=wednesday, end=at(BERLIN, 11, 4, 12), zone=BERLIN)
    ready(month, "slept", BERLIN, content(text(), window=window, approval=ASKED), at(BERLIN, 11, 2, 9))
    month.on(at(BERLIN, 11, 2, 10), "slept", submit)
    month.on(at(BERLIN, 11, 2, 11), "slept", approve)


_HEAD = "| when (UTC, month-day) | on the wall | plan | what |\n|---|---|---|---|\n"


def table(month: Month) -> str:
    lines = (" | ".join(row) for row in month.rows if row[3] not in {"sealed", "submitted"})
    return "\n" + _HEAD + "".join(f"| {line} |\n" for line in lines)


def test_the_timeline_is_the_expected_one() -> None:
    month = autumn()
    month.live(at(BERLIN, 11, 20))
    assert table(month) == TIMELINE


SPRING = """
| when (UTC, month-day) | on the wall | plan | what |
|---|---|---|---|
| 03-28 01:00:00 | Sun 28 Mar 03:00 CEST | gap | start asked for by schedule, executing |
| 03-28 01:00:00 | Sun 28 Mar 03:00 CEST | nightly | start asked for by approval, executing |
| 03-28 02:00:00 | Sun 28 Mar 04:00 CEST | gap | timed out (open notes; running -) |
| 03-28 02:00:00 | Sun 28 Mar 04:00 CEST | nightly | timed out (open notes; running -) |
"""


def test_what_is_to_happen_in_the_hour_that_does_not_exist_happens_at_its_end() -> None:
    """On 28 March 2027 in Berlin 02:00 CET is 03:00 CEST: half past two is no time, and midnight to four are three hours."""

    def wall(day: int, hour: int, minute: int = 0) -> datetime:
        naive = datetime(2027, 3, day, hour, minute)  # noqa: DTZ001 - on the wall
        return moment(instant(naive, zone_of(BERLIN)))

    nights = Freeze(
        name="Night",
        start=datetime(2027, 3, 1, 22),  # noqa: DTZ001 - on the wall
        end=datetime(2027, 3, 2, 2, 30),  # noqa: DTZ001 - on the wall
        zone=BERLIN,
        rrule="FREQ=DAILY",
        scope=Scope(labels=("nightly",)),
    )
    month = Month({"f" * 24: FreezeState("f" * 24, nights, "user:root", 0, 1)}, known)
    window = Window(start=wall(28, 0), end=wall(28, 4), zone=BERLIN)
    assert (window.end - window.start).total_seconds() == 3 * 3_600
    ready(month, "gap", BERLIN, content(text(), window=window, schedule=Schedule(at=wall(28, 2, 30))), wall(27, 9))
    nightly = content(text(), labels=("nightly",), window=window, approval=ASKED)
    ready(month, "nightly", BERLIN, nightly, wall(27, 10))
    month.on(wall(27, 11), "nightly", submit)
    month.on(wall(27, 12), "nightly", approve)
    month.live(wall(29, 0))
    ours = [row for row in table(month).splitlines(keepends=True) if "approved" not in row and "held" not in row]
    assert "".join(ours) == SPRING
    assert [row[3] for row in month.rows if "held" in row[3]] == ["held by Night until Sun 28 Mar 03:00 CEST"]
