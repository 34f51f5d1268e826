"""One entry of the operation record: who did what to what, what it was before and after, why, when, by which channel."""

from typing import Any

import msgspec


class Entry(msgspec.Struct, frozen=True):
    """`at` is RFC 3339; `cause` the log position that made a service act; `before` and `after` only what changed.

    `said` has the other fields of the event, as its public form has them: on whose behalf a vote was cast, to whom and until
    when one was delegated, which sub-step was ticked, what a gate's system answered.
    """

    position: int
    at: str
    actor: str
    channel: str
    verb: str
    target: str
    detail: str = ""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    cause: int | None = None
    type: str = ""
    stream: str = ""
    said: dict[str, Any] = {}
