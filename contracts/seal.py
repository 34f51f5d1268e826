"""The seal: what approvals are bound to.

SHA-256 over the canonical form of everything that will run: each item with its inputs and its resolved workflow
revision, window, schedule, owners, approval rules, gates and run rules. Name, description, labels, requirements and
touches describe the plan and do not run, so they are outside. Section digests make the seal, so a change names its
section; item digests make the section of items, so a change names its item.
"""

import hashlib
from collections.abc import Mapping

import msgspec

from contracts.canonical import canonical
from contracts.plan_events import PlanSealed, ResolvedWorkflow
from contracts.values import Content, Item

SEALED_SECTIONS = ("window", "schedule", "owner", "approval", "gates", "rules")


def item_digest(item: Item, workflow: ResolvedWorkflow | None) -> str:
    """The digest of one item with the workflow revision that it will run (`None` for a text)."""
    return _digest([item, workflow])


def seal_of(content: Content, workflows: Mapping[str, ResolvedWorkflow]) -> PlanSealed:
    """The seal of this content, with `workflows` resolved by item id."""
    items = {item.id: item_digest(item, workflows.get(item.id)) for item in content.items}
    sections = {name: _digest(getattr(content, name)) for name in SEALED_SECTIONS}
    sections["items"] = _digest(list(items.items()))
    return PlanSealed(seal=_digest(sections), sections=sections, items=items, workflows=dict(workflows))


def drifted_sections(content: Content, sealed: Mapping[str, str]) -> tuple[str, ...]:
    """Which sections beside the items are not what was sealed: `window`, `rules` and so on, by `sealed` section digests."""
    return tuple(name for name in SEALED_SECTIONS if _digest(getattr(content, name)) != sealed.get(name))


def drifted_order(content: Content, items: Mapping[str, str], sealed: Mapping[str, str]) -> bool:
    """Whether an item is gone, or stands elsewhere than where it was sealed, by `items`' and sections' `sealed` digests."""
    return _digest([(item.id, items.get(item.id)) for item in content.items]) != sealed.get("items")


def drifted_fields(
    item: Item, sealed: Mapping[str, str], sealed_as: ResolvedWorkflow | None, now: ResolvedWorkflow | None
) -> tuple[str, ...]:
    """Which fields of an item would run differently from what was sealed; empty when nothing drifted.

    `sealed` is the item digests of the seal; `sealed_as` the workflow that was sealed; `now` what the log holds today
    under that very revision (`None`: it is gone).
    """
    if item_digest(item, now) == sealed.get(item.id):
        return ()
    if sealed_as != now:
        return tuple(f"workflow.{name}" for name in _differing(sealed_as, now))
    return ("item",)


def _differing(before: ResolvedWorkflow | None, after: ResolvedWorkflow | None) -> list[str]:
    names = ResolvedWorkflow.__struct_fields__
    return [name for name in names if getattr(before, name, None) != getattr(after, name, None)]


def _digest(value: object) -> str:
    return hashlib.sha256(canonical(msgspec.to_builtins(value))).hexdigest()
