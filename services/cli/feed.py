"""Server-sent events, as the gateway's live feed sends them: `id` is the log position, `data` one JSON object.

It reads the WHATWG format (https://html.spec.whatwg.org/multipage/server-sent-events.html) as far as our gateway uses
it: comments are skipped, `id`, `event` and `data` are taken, `retry` is ours to decide.
"""

from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import msgspec


class Event(msgspec.Struct, frozen=True):
    """One event of the feed: its log position, its type, and its data as the gateway sent it."""

    position: int
    type: str
    data: dict[str, Any]


async def events_of(lines: AsyncIterable[bytes]) -> AsyncIterator[Event]:
    """The events in a stream of lines. One that breaks off before its empty line did not arrive, so it is dropped."""
    fields: dict[str, list[str]] = {}
    async for raw in lines:
        line = raw.decode(errors="replace").rstrip("\r\n")
        if line:
            name, _, value = line.partition(":")
            fields.setdefault(name, []).append(value.removeprefix(" "))
            continue
        event, fields = _event(fields), {}
        if event is not None:
            yield event


def _event(fields: dict[str, list[str]]) -> Event | None:
    if "data" not in fields or "id" not in fields:
        return None
    try:
        position = int(fields["id"][-1])
        data = msgspec.json.decode("\n".join(fields["data"]), type=dict[str, Any])
    except (ValueError, msgspec.DecodeError):
        return None
    return Event(position, fields.get("event", [""])[-1] or str(data.get("type", "")), data)
