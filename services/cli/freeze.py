"""Commands on freezes: put, list, show, delete, and override one for a plan."""

from typing import Any

from services.cli.options import READ, WRITE, Reading, Several, Writing, asking, match_of, segment, show_done
from services.cli.output import when
from services.cli.problems import usage

_FREEZES = "/api/v1/freezes"


async def put(
    name: str,
    /,
    *,
    start: str,
    end: str,
    zone: str = "UTC",
    rrule: str = "",
    exdate: Several = None,
    reason: str = "",
    project: Several = None,
    touches: Several = None,
    label: Several = None,
    writing: Writing = WRITE,
) -> None:
    """Stores a freeze: nothing starts in it. Without --project, --touches and --label it holds every plan.

    Parameters
    ----------
    name
        Name of the freeze.
    start
        Wall-clock time in the zone, such as 2026-12-23T18:00:00.
    end
        Wall-clock time in the zone; itself outside.
    zone
        IANA name such as Europe/Berlin, or "Anywhere on Earth".
    rrule
        How it repeats (RFC 5545), such as FREQ=WEEKLY;BYDAY=FR.
    exdate
        Start of an occurrence that does not take place; give it several times.
    reason
        Why, for whoever meets it.
    project
        Only plans of this project; give it several times.
    touches
        Only plans that touch SERVICE/ENVIRONMENT; `*` is any; give it several times.
    label
        Only plans with this label; give it several times.
    """
    scope = {"projects": project or [], "touches": [_touch(text) for text in touches or []], "labels": label or []}
    body: dict[str, Any] = {"start": start, "end": end, "zone": zone, "rrule": rrule, "exdates": exdate or []}
    async with asking(writing) as (gateway, output):
        answer = await gateway.send(
            "PUT",
            f"{_FREEZES}/{segment(name)}",
            {**body, "reason": reason, "scope": scope},
            key=writing.key,
            if_match=match_of(writing),
        )
        show_done(output, answer, f"Stored freeze {name}")


def _touch(text: str) -> dict[str, str]:
    service, slash, environment = text.partition("/")
    if not slash or not service or not environment:
        raise usage(f"--touches takes SERVICE/ENVIRONMENT, such as api/production or */production, not {text}.")
    parts = {"service": service, "environment": environment}
    return {part: value for part, value in parts.items() if value != "*"}


async def list_freezes(*, reading: Reading = READ) -> None:
    """Lists all freezes, and when each takes place next."""
    async with asking(reading) as (gateway, output):
        answer = await gateway.get(_FREEZES, limit=1)
        if output.as_json:
            output.json(answer.body)
            return
        rows = []
        for one in answer.json()["freezes"]:
            freeze, following = one["freeze"], one["occurrences"]
            start, end = (when(following[0][part]) if following else "" for part in ("start", "end"))
            rows.append(
                (freeze["name"], start, end, freeze.get("zone", "UTC"), freeze.get("rrule", ""), _scope(freeze))
            )
        columns = ("name", "next start (UTC)", "end (UTC)", "zone", "repeats", "holds")
        output.table(columns, rows, empty="There is no freeze.")


async def show(name: str, /, *, after: str | None = None, limit: int = 10, reading: Reading = READ) -> None:
    """Shows a freeze and its next occurrences.

    Parameters
    ----------
    name
        Name of the freeze.
    after
        Occurrences that end after this time (RFC 3339). Default: now.
    limit
        How many.
    """
    async with asking(reading) as (gateway, output):
        answer = await gateway.get(f"{_FREEZES}/{segment(name)}", after=after, limit=limit)
        if output.as_json:
            output.json(answer.body)
            return
        view = answer.json()
        freeze = view["freeze"]
        output.pairs(
            {
                "Freeze": freeze["name"],
                "Reason": freeze.get("reason", ""),
                "First": f"{when(freeze['start'])} to {when(freeze['end'])}",
                "Zone": freeze.get("zone", "UTC"),
                "Repeats": freeze.get("rrule", ""),
                "Left out": [when(one) for one in freeze.get("exdates", ())],
                "Holds": _scope(freeze),
                "Put": f"{when(view['put_at'])} by {view['put_by']}",
            }
        )
        output.heading("Occurrences (UTC)")
        rows = [(when(one["start"]), when(one["end"])) for one in view["occurrences"]]
        output.table(("start", "end"), rows, empty="It does not take place any more.")


def _scope(freeze: dict[str, Any]) -> str:
    scope = freeze.get("scope", {})
    touches = [f"{one.get('service', '*')}/{one.get('environment', '*')}" for one in scope.get("touches", ())]
    parts = (("project", scope.get("projects", ())), ("touches", touches), ("label", scope.get("labels", ())))
    return "; ".join(f"{what} {', '.join(values)}" for what, values in parts if values) or "every plan"


async def delete(name: str, /, *, reason: str = "", writing: Writing = WRITE) -> None:
    """Deletes a freeze; what it holds starts.

    Parameters
    ----------
    name
        Name of the freeze.
    reason
        Why, for the record.
    """
    async with asking(writing) as (gateway, output):
        answer = await gateway.send(
            "DELETE",
            f"{_FREEZES}/{segment(name)}",
            key=writing.key,
            if_match=match_of(writing),
            reason=reason or None,
        )
        show_done(output, answer, f"Deleted freeze {name}")


async def override(plan: str, /, *, reason: str, writing: Writing = WRITE) -> None:
    """Lets a plan start and be sealed in the freezes that concern it now, in its window or at its schedule.

    Parameters
    ----------
    plan
        Id of the plan.
    reason
        Why the plan need not wait.
    """
    async with asking(writing) as (gateway, output):
        path = f"/api/v1/plans/{segment(plan)}/freezes/override"
        answer = await gateway.send("POST", path, {"reason": reason}, key=writing.key, if_match=match_of(writing))
        show_done(output, answer, "Overridden")
