"""The bodies of the inbox over HTTP: what waits for the person who asks, why, since when, until when."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from contracts.http import Answered, Read
from contracts.plan import Status
from contracts.waiting import Kind


class InboxQuery(Read, frozen=True, kw_only=True):
    """`kind`: only these; of several, any. `limit` counts plans, each with all that it waits for."""

    kind: Annotated[tuple[Kind, ...], Meta(max_length=20)] = ()
    limit: Annotated[int, Meta(ge=1, le=100)] = 50
    cursor: Annotated[str, Meta(max_length=200)] = ""
    min_position: Annotated[int, Meta(ge=0)] = 0


class InboxEntry(Answered, frozen=True, kw_only=True):
    """Something that a plan waits for from you. `through`: the references that you are asked by.

    `until` is when it is too late (the round's, the gate's or the window's end), `null` for never.
    """

    kind: Kind
    plan: str
    index: int
    project: str
    name: str
    status: Status
    item: str
    item_name: str
    gate: str
    why: str
    through: tuple[str, ...]
    since: datetime | None
    until: datetime | None


class InboxPage(Answered, frozen=True, kw_only=True):
    """What is over first comes first, plan by plan. The list of plans contains the log up to `position`; each plan that it
    leads to is read from the log as it is now, with your groups as they are now."""

    entries: tuple[InboxEntry, ...]
    next: str | None
    position: int
