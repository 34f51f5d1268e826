"""Commands on the versions of a plan, and on who is looking at it: versions, version, diff, restore, present."""

from collections.abc import Mapping
from typing import Any

from services.cli.difference_view import COLUMNS, difference_rows
from services.cli.options import READ, WRITE, Reading, Writing, asking, current_match, segment, show_done
from services.cli.output import Output, when

_PLANS = "/api/v1/plans"
_PAGE = 500


async def versions(plan: str, /, *, limit: int = 50, reading: Reading = READ) -> None:
    """Lists who changed which sections of a plan when, newest first.

    Parameters
    ----------
    plan
        Id of the plan.
    limit
        How many at most.
    """
    async with asking(reading) as (gateway, output):
        rows: list[dict[str, Any]] = []
        before: int | None = None
        while len(rows) < limit:
            path = f"{_PLANS}/{segment(plan)}/versions"
            page = (await gateway.get(path, limit=min(limit - len(rows), _PAGE), before=before)).json()
            rows += page["versions"]
            if (before := page["next"]) is None:
                break
        if output.as_json:
            output.json(rows)
            return
        columns = ("version", "what", "sections", "by", "when", "channel")
        output.table(columns, [_row(row) for row in rows])
        if before is not None:
            output.note("There are more; ask for them with --limit.")


def _row(row: Mapping[str, Any]) -> tuple[object, ...]:
    what = f"restore of {row['restored']}" if row["restored"] else row["kind"]
    sections = "all" if row["kind"] == "create" else row["sections"]
    return row["version"], what, sections, row["by"], when(row["at"]), row["channel"]


async def version(plan: str, number: int, /, *, reading: Reading = READ) -> None:
    """Prints the content of a plan as it was at a version, as JSON.

    Parameters
    ----------
    plan
        Id of the plan.
    number
        The version.
    """
    async with asking(reading) as (gateway, output):
        answer = await gateway.get(f"{_PLANS}/{segment(plan)}/versions/{number}")
        output.json(answer.body if output.as_json else answer.json()["content"])


async def diff(plan: str, /, *, old: int | None = None, new: int | None = None, reading: Reading = READ) -> None:
    """Shows what differs between two versions of a plan; without any, what the last change did.

    Texts are shown by words: [-gone-] and {+come+}.

    Parameters
    ----------
    plan
        Id of the plan.
    old
        The earlier version; else the one before the change that made the later.
    new
        The later version; else the plan as it is now.
    """
    async with asking(reading) as (gateway, output):
        answer = await gateway.get(f"{_PLANS}/{segment(plan)}/difference", old=old, new=new)
        if output.as_json:
            output.json(answer.body)
        else:
            show_difference(output, answer.json())


def show_difference(output: Output, view: Mapping[str, Any]) -> None:
    """Prints a difference as the gateway answers it (`contracts.http_editing.DifferenceView`)."""
    empty = f"Versions {view['old']} and {view['new']} do not differ."
    output.table(COLUMNS, difference_rows(view["difference"]), empty=empty)


async def restore(plan: str, number: int, /, *, writing: Writing = WRITE) -> None:
    """Brings the content of an earlier version back, as a new change.

    Parameters
    ----------
    plan
        Id of the plan.
    number
        The version.
    """
    async with asking(writing) as (gateway, output):
        match = await current_match(gateway, plan, writing)
        path = f"{_PLANS}/{segment(plan)}/restore"
        answer = await gateway.send("POST", path, {"version": number}, key=writing.key, if_match=match)
        show_done(output, answer, f"Restored version {number}")


async def present(plan: str, /, *, reading: Reading = READ) -> None:
    """Shows who has a plan open now, and on which section.

    Parameters
    ----------
    plan
        Id of the plan.
    """
    async with asking(reading) as (gateway, output):
        answer = await gateway.get(f"{_PLANS}/{segment(plan)}/presence")
        if output.as_json:
            output.json(answer.body)
            return
        rows = [
            (one["by"], one["section"] or "the plan", one["item"], one["version"], when(one["since"]))
            for one in answer.json()["present"]
        ]
        output.table(("who", "section", "item", "opened at version", "since"), rows, empty="Nobody has it open.")
