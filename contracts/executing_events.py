"""More of what can happen to a plan while it runs: items that the system could not start.

Events of a `plan-<id>` stream, beside those of `contracts.plan_events`.
"""

from contracts.plan_events import Event


class ItemHeld(Event, frozen=True, gc=False):
    """The plan has the system start this item, and the system may not or cannot: `code` of the refusal, and why.

    A person starts, skips or repairs; the system does not try again.
    """

    item: str
    code: str
    detail: str


EVENTS: dict[str, type[Event]] = {"item.held.v1": ItemHeld}
OWNERS: dict[str, tuple[str, ...]] = {"executor": tuple(EVENTS)}
