"""What waits for me: one command."""

from typing import Any

from services.cli.options import READ, Reading, asking
from services.cli.output import when
from services.cli.problems import usage

_PAGE = 100


async def inbox(*, kind: str | None = None, limit: int = 100, reading: Reading = READ) -> None:
    """Lists what waits for you, what is over first first.

    Parameters
    ----------
    kind
        Only this: vote, review, item, failed_item, gate, failed_gate, submit, start, denied, drift; several by commas.
    limit
        How many at most.
    """
    if limit < 1:
        raise usage("--limit must be 1 or more.")
    async with asking(reading) as (gateway, output):
        entries: list[dict[str, Any]] = []
        cursor: str | None = None
        while len(entries) < limit:
            page = (await gateway.get("/api/v1/inbox", kind=kind, limit=_PAGE, cursor=cursor)).json()
            entries += page["entries"]
            cursor = page["next"]
            if cursor is None:
                break
        more = cursor is not None or len(entries) > limit
        entries = entries[:limit]
        if output.as_json:
            output.json(entries)
            return
        rows = [
            (
                one["kind"],
                one["plan"],
                one["name"],
                one["item"] or one["gate"],
                when(one["since"]),
                when(one["until"]),
                one["through"],
                one["why"],
            )
            for one in entries
        ]
        columns = ("what", "plan", "name", "item or gate", "since (UTC)", "until (UTC)", "asked as", "why")
        output.table(columns, rows, empty="Nothing waits for you.")
        if more:
            output.note("There is more; ask for it with --limit.")
