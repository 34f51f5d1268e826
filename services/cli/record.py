"""The record: `plan record` prints that of a plan, `record` that of what belongs to none; `plan watch` follows a plan live
and resumes where it was cut off."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from cyclopts import Parameter

from services.cli.client import Gateway
from services.cli.options import READ, Reading, Several, asking, segment
from services.cli.output import Output, clean, when
from services.cli.problems import usage

_PAGE = 500
_FINAL = frozenset({"plan.succeeded.v1", "plan.cancelled.v1"})
Filters = Mapping[str, str | None]
_NONE: Filters = {}
_COLUMNS = ("position", "at", "who", "did", "what", "details")


@Parameter(name="*")
@dataclass(frozen=True)
class Wanted:
    """Which entries."""

    actor: Several = None
    "Only what this person or service did (`user:ana`); give it several times for several."

    verb: Several = None
    "Only this, as the record calls it (`vote`, `override gate`); several times for several."

    target: Several = None
    "Only what was done to this (`item deploy`, `gate start_execute`); several times for several."

    channel: Several = None
    "Only what came this way (`api`, `callback`); several times for several."

    since: str | None = None
    "Only from this time on (RFC 3339)."

    until: str | None = None
    "Only before this time (RFC 3339)."

    def query(self) -> Filters:
        """The parameters of the request."""
        return {
            name: ",".join(given) or None if isinstance(given, list) else given for name, given in asdict(self).items()
        }


ALL = Wanted()


async def record(
    plan: str,
    /,
    *,
    limit: int | None = None,
    order: Literal["newest", "oldest"] = "oldest",
    what: Wanted = ALL,
    reading: Reading = READ,
) -> None:
    """Prints the operation record of a plan: who did what, when, through which channel.

    Parameters
    ----------
    plan
        Id of the plan.
    limit
        How many entries at most. Default: all.
    order
        Which come first.
    """
    await _print(plan, limit, order, reading, what.query())


async def installation(
    *,
    limit: int | None = None,
    order: Literal["newest", "oldest"] = "oldest",
    what: Wanted = ALL,
    reading: Reading = READ,
) -> None:
    """Prints who did what to that which is no plan's: freezes, endpoints, templates, workflows, people. For administrators.

    Parameters
    ----------
    limit
        How many entries at most. Default: all.
    order
        Which come first.
    """
    await _print(None, limit, order, reading, what.query())


async def _print(plan: str | None, limit: int | None, order: str, reading: Reading, filters: Filters) -> None:
    if limit is not None and limit < 1:
        raise usage("--limit must be 1 or more.")
    async with asking(reading) as (gateway, output):
        entries = [entry async for entry in entries_of(gateway, plan, order=order, limit=limit, filters=filters)]
        if output.as_json:
            output.json(entries)
        else:
            show_entries(output, entries)


async def entries_of(
    gateway: Gateway,
    plan: str | None,
    *,
    order: str = "oldest",
    limit: int | None = None,
    min_position: int | None = None,
    filters: Filters = _NONE,
) -> AsyncIterator[dict[str, Any]]:
    """The entries, page by page; without a plan those of none.

    `min_position`: not before the record contains the log up to there. `filters` are those of the route.
    """
    cursor: str | None = None
    count = 0
    while limit is None or count < limit:
        page = await gateway.get(
            "/api/v1/record" if plan is None else f"/api/v1/plans/{segment(plan)}/record",
            order=order,
            limit=_PAGE if limit is None else min(_PAGE, limit - count),
            cursor=cursor,
            min_position=min_position,
            **filters,
        )
        body = page.json()
        for entry in body["entries"]:
            count += 1
            yield entry
        cursor = body["next"]
        if cursor is None:
            return


def show_entries(output: Output, entries: list[dict[str, Any]]) -> None:
    """The record as a table."""
    output.table(_COLUMNS, [_row(entry) for entry in entries], empty="Nothing has happened yet.")


def _row(entry: Mapping[str, Any]) -> tuple[object, ...]:
    after = entry.get("after", {})
    status = after.get("status", "") if isinstance(after, dict) else ""
    told = [f"now {status}" if status else "", entry.get("detail", ""), details({"data": entry.get("said")})]
    text = "; ".join(one for one in told if one)
    return (entry["position"], when(entry["at"]), entry["actor"], entry["verb"], entry["target"], text)


def details(event: Mapping[str, Any]) -> str:
    """The fields of an event on one line, large ones by their size alone."""
    data = event.get("data") or {}
    return ", ".join(f"{name}={_short(value)}" for name, value in data.items())


def _short(value: object) -> str:
    match value:
        case str() if len(value) <= 60:
            return value
        case str():
            return f"{value[:57]}..."
        case dict() | list() if len(value) > 3:
            return f"({len(value)})"
        case dict() | list():
            text = str(value)
            return text if len(text) <= 60 else f"({len(value)})"
        case _:
            return str(value)


async def watch(plan: str, /, *, after: int | None = None, reading: Reading = READ) -> None:
    """Follows a plan live, one line per event, until it has succeeded or was cancelled, or Ctrl-C.

    Parameters
    ----------
    plan
        Id of the plan.
    after
        From this log position on. Default: from the plan's first event.
    """
    async with asking(reading) as (gateway, output):
        view = (await gateway.get(f"/api/v1/plans/{segment(plan)}")).json()  # an unknown plan would be a silent feed
        if not output.as_json:
            output.note(f"Following {view['content']['name']} ({view['status']}); Ctrl-C ends it.")
        ended = view["status"] in ("success", "cancel")
        async for event in gateway.feed(view["id"], 0 if after is None else after):
            _show_event(output, event.data)
            if event.type in _FINAL or (ended and event.position >= view["position"]):
                return


def _show_event(output: Output, event: Mapping[str, Any]) -> None:
    if output.as_json:
        output.json_line(event)
        return
    name = clean(event["type"]).rpartition(".v")[0]
    output.line(f"{event['position']:>7}  {when(event['at'])}  {event['actor']:<24}  {name:<24}  {details(event)}")
