"""Commands on the calendar: show what takes place when, export it, and what is in a plan's way."""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cyclopts import Parameter

from services.cli.options import READ, File, Reading, asking, segment
from services.cli.output import Output, when
from services.cli.problems import usage


@Parameter(name="*")
@dataclass(frozen=True)
class Wanted:
    """Which part of the calendar."""

    from_: str | None = None
    "From this time (RFC 3339). Default: 90 days ago."

    to: str | None = None
    "Until before this time (RFC 3339). Default: a year ahead."

    project: str | None = None
    "Only plans of this project."

    label: str | None = None
    "Only plans with this label."

    owner: str | None = None
    "Only plans of this user or group."

    status: str | None = None
    "Only plans in this status."

    touches: str | None = None
    "Only plans that touch this, such as api/production."

    def query(self) -> dict[str, str | None]:
        """The parameters of the request."""
        return {name.rstrip("_"): value for name, value in asdict(self).items()}


ALL = Wanted()


async def show(
    *,
    what: Wanted = ALL,
    reading: Reading = READ,
) -> None:
    """Shows plans with a window or schedule, freezes and conflicts."""
    async with asking(reading) as (gateway, output):
        answer = await gateway.get("/api/v1/calendar", **what.query())
        if output.as_json:
            output.json(answer.body)
        else:
            _show(output, answer.json())


def _show(output: Output, calendar: dict[str, Any]) -> None:
    names = {plan["id"]: f"{plan['index']} {plan['name']}" for plan in calendar["plans"]}
    entries = [
        (plan["start"], plan["end"], names[plan["id"]], plan["status"], plan["touches"], plan["owners"])
        for plan in calendar["plans"]
    ]
    entries += [(one["start"], one["end"], one["name"], "freeze", (), ()) for one in calendar["freezes"]]
    rows = [(when(start), when(end), *rest) for start, end, *rest in sorted(entries, key=lambda entry: entry[:2])]
    columns = ("start (UTC)", "end (UTC)", "what", "status", "touches", "owner")
    output.table(columns, rows, empty="Nothing takes place then.")
    if calendar["conflicts"]:
        output.heading("Conflicts")
        clashes = [
            (when(one["start"]), when(one["end"]), *(names.get(plan, plan) for plan in one["plans"]), one["touches"])
            for one in calendar["conflicts"]
        ]
        output.table(("start (UTC)", "end (UTC)", "plan", "and plan", "both touch"), clashes)
    if calendar["more"]:
        output.note("There is more; ask for a shorter time.")


async def export(
    file: File = "-",
    /,
    *,
    what: Wanted = ALL,
) -> None:
    """Writes the calendar as iCalendar (RFC 5545).

    Parameters
    ----------
    file
        Where to; `-` is stdout.
    """
    async with asking(READ) as (gateway, output):
        answer = await gateway.get("/api/v1/calendar.ics", **what.query())
        if file == "-":
            sys.stdout.buffer.write(answer.body)
            return
        _write(file, answer.body)
        output.note(f"Written to {file}.")


def _write(file: str, body: bytes) -> None:
    try:
        Path(file).write_bytes(body)
    except OSError as error:
        raise usage(f"{file} cannot be written: {(error.strerror or str(error)).lower()}.") from None


async def conflicts(plan: str, /, *, reading: Reading = READ) -> None:
    """Shows what a plan should be planned around: plans that touch the same at the same time, and freezes.

    Parameters
    ----------
    plan
        Id of the plan.
    """
    async with asking(reading) as (gateway, output):
        answer = await gateway.get(f"/api/v1/plans/{segment(plan)}/conflicts")
        if output.as_json:
            output.json(answer.body)
            return
        found = answer.json()
        rows = [
            (
                one["index"],
                one["name"],
                one["status"],
                one["touches"],
                when(one["start"]),
                when(one["end"]),
                one["owners"],
            )
            for one in found["conflicts"]
        ]
        columns = ("no", "plan", "status", "touches too", "start (UTC)", "end (UTC)", "owner")
        output.table(columns, rows, empty="No plan is in its way.")
        if found["freezes"]:
            output.heading("Freezes")
            held = [(one["name"], when(one["start"]), when(one["end"]), one["overridden"]) for one in found["freezes"]]
            output.table(("freeze", "start (UTC)", "end (UTC)", "overridden"), held)
        if found["more"]:
            output.note("There is more; only the earliest are shown.")
