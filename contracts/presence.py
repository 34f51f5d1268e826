"""Who is looking at which part of a plan now: said by open screens, forgotten by itself. It is not in the log.

`Seen` and `Asked` travel between gateways on `contracts.subjects.PRESENCE`; the others are bodies over HTTP. A screen
names itself by a session of its own making, says again before `ttl_seconds` are over, and says when it leaves.
"""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from contracts.http import Answered, Read
from contracts.values import SECTIONS, ItemId

Session = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$(?!\n)", title="1 to 64 letters, digits, dots, dashes and underscores")
]
Section = Annotated[
    str, Meta(pattern="^(" + "|".join(SECTIONS) + r")?$(?!\n)", title="empty or one of " + ", ".join(SECTIONS))
]


class Seen(msgspec.Struct, frozen=True, omit_defaults=True, tag="seen"):
    """One sign of life, or of leaving. `at` in Unix microseconds by the clock of the gateway that heard it."""

    plan: str
    by: str
    session: str
    at: int
    section: str = ""
    item: str = ""
    version: int = 0
    left: bool = False


class Asked(msgspec.Struct, frozen=True, tag="asked"):
    """A gateway that has just come wants to know who is there."""


class PresenceBody(Read, frozen=True, kw_only=True):
    """`section` and `item`: what the screen works on, empty for the plan as a whole. `version`: what it was opened at."""

    session: Session
    section: Section = ""
    item: ItemId | None = None
    version: Annotated[int, Meta(ge=1)] | None = None


class LeaveQuery(Read, frozen=True, kw_only=True):
    session: Session


class Present(Answered, frozen=True, kw_only=True):
    """Somebody who is there. `since`: at this section and item; `until`: gone then, if they do not say so again."""

    by: str
    session: str
    section: str
    item: str
    version: int | None
    since: datetime
    until: datetime


class PresencePage(Answered, frozen=True, kw_only=True):
    """Also the data of the feed's event `presence`, sent to those who follow the plan whenever it changes."""

    plan: str
    present: tuple[Present, ...]
    ttl_seconds: float
