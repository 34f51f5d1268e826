"""Commands on saved lists: show and drop. They are saved by `plan list --save` and used by `plan list --saved`."""

from typing import Any

from services.cli.options import READ, WRITE, Reading, Writing, asking, match_of, segment, show_done
from services.cli.output import lines_of

_LISTS = "/api/v1/lists"


async def show(*, reading: Reading = READ) -> None:
    """Shows your saved lists."""
    async with asking(reading) as (gateway, output):
        answer = await gateway.get(_LISTS)
        if output.as_json:
            output.json(answer.body)
            return
        rows = [(one["name"], _text(one["filters"])) for one in answer.json()["lists"]]
        output.table(("name", "filters"), rows, empty="You have saved no list.")


def _text(filters: dict[str, Any]) -> str:
    return "; ".join(f"{name} {lines_of(value)}" for name, value in filters.items()) or "every plan"


async def drop(name: str, /, *, writing: Writing = WRITE) -> None:
    """Keeps a list no longer.

    Parameters
    ----------
    name
        Name of the list.
    """
    async with asking(writing) as (gateway, output):
        path = f"{_LISTS}/{segment(name)}"
        show_done(
            output, await gateway.send("DELETE", path, key=writing.key, if_match=match_of(writing)), f"Dropped {name}"
        )
