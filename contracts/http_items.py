"""The answer to an order about an item: a body of the HTTP interface."""

from contracts.http import Done
from contracts.plan_events import NextMove


class ItemDone(Done, frozen=True, kw_only=True):
    """`next`: what may be done, and by whom, about items that have failed and block the plan; about the first few of them."""

    next: tuple[NextMove, ...]
