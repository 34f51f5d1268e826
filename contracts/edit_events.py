"""What can happen to the items of a draft, and to the digests of a seal, in portions.

An event holds at most 64 kB and a plan ten thousand items, so what is said about items may come as several events of one
append. Each is complete by itself: the plan is a plan after any of them. Every plan was once made of `plan.created.v1`
and `plan.edited.v1` alone, which stay valid; both may still carry all items where these fit.
"""

import msgspec

from contracts.plan_events import Event, ResolvedWorkflow
from contracts.values import Item, ItemId


class ItemsPut(Event, frozen=True, gc=False):
    """These items are now like this: one that the plan has, by id, stays in its place, the others follow at the end."""

    items: tuple[Item, ...]


class ItemsRemoved(Event, frozen=True, gc=False):
    """These items are gone."""

    items: tuple[ItemId, ...]


class Run(msgspec.Struct, frozen=True, omit_defaults=True):
    """These items stand one behind the other, directly behind the item `after`; at the front where it is empty."""

    items: tuple[ItemId, ...]
    after: str = ""


class ItemsPlaced(Event, frozen=True, gc=False):
    """Items stand elsewhere. All that are named are taken out first; then each run goes where it says."""

    runs: tuple[Run, ...]


class ItemsDigested(Event, frozen=True, gc=False):
    """A portion of the item digests and resolved workflows of the seal that `plan.sealed.v1` completes in the same append."""

    items: dict[str, str]
    workflows: dict[str, ResolvedWorkflow] = {}


EVENTS: dict[str, type[Event]] = {
    "plan.items_put.v1": ItemsPut,
    "plan.items_removed.v1": ItemsRemoved,
    "plan.items_placed.v1": ItemsPlaced,
    "plan.items_digested.v1": ItemsDigested,
}

OWNERS: dict[str, tuple[str, ...]] = {"planner": tuple(EVENTS)}
