"""The rules of editing a draft: by sections, by single items, by bringing back an earlier version.

Pure. Each order says what the content it was based on should become; what others changed since is kept where nobody
wanted the same thing otherwise (`contracts.merging`), else the order is refused with the differences. Who owns an item of
the plan drafts with its owners, but decides neither who they are nor what is done with other people's items.
"""

from collections.abc import Mapping, Sequence
from typing import assert_never

import msgspec

from contracts.commands import Actor, EditPlan
from contracts.edit_commands import (
    AnyEdit,
    ChangeItem,
    ItemChanges,
    MoveItem,
    PutItem,
    RemoveItem,
    ReorderItems,
    RestorePlan,
)
from contracts.merging import Clash, merged, sections_of
from contracts.plan import Plan
from contracts.plan_events import Event
from contracts.refusals import Fault, Refused
from contracts.rights import acts_on_item, forbidden, moves_plan, owners
from contracts.values import Content, Item
from services.planner.decider.structure import counted, demand_structure
from services.planner.decider.writing import edited

_MOST_DIFFERENCES = 50
_DECIDING = ("owner", "approval", "gates", "rules")
"""The sections that say who decides about the plan and how it runs. They are its owners' alone."""

Edit = EditPlan | AnyEdit


def edit(plan: Plan, command: Edit, actor: Actor, base: Content | None, version: Content | None) -> tuple[Event, ...]:
    """The events of an edit; `()` when it changes nothing.

    `base` is the content that the asker looked at (`None`: the plan's), `version` the one to bring back, where one is.
    """
    demand_planning(plan)
    if not (moves_plan(plan, actor) or any(acts_on_item(plan, item, actor) for item in plan.content.items)):
        raise forbidden(actor, owners(plan), "edit this plan")
    if base is None or isinstance(command, MoveItem):  # a move says where to, whatever else was changed
        base = plan.content
    content, clashes = merged(base, plan.content, _wanted(command, base, version))
    if clashes:
        raise _conflict(plan, command, clashes)
    if content == plan.content:
        return ()
    if not moves_plan(plan, actor):
        _demand_own(plan, content, actor)
    demand_structure(content)
    return edited(plan.content, content, command.version if isinstance(command, RestorePlan) else 0)


def _demand_own(plan: Plan, wanted: Content, actor: Actor) -> None:
    """Raises Refused(forbidden) where somebody who owns items only would change who decides, or what is another's.

    Else the owner of one small item could make the plan their own, or take the approvers out of it.
    """
    for name in _DECIDING:
        if getattr(plan.content, name) != getattr(wanted, name):
            raise forbidden(actor, owners(plan), f"change /{name} of this plan")
    after = {item.id: item for item in wanted.items}
    for item in plan.content.items:
        if after.get(item.id) != item and not acts_on_item(plan, item, actor):
            raise forbidden(actor, (*item.owner, *owners(plan)), f"change or remove item {item.id}")


def demand_planning(plan: Plan) -> None:
    """Raises Refused(not_planning) unless the plan is a draft."""
    if plan.status != "planning":
        detail = f"The plan is in {plan.status}; reopen it to change it."
        raise Refused("not_planning", detail, status=plan.status)


def _conflict(plan: Plan, command: Edit, clashes: Sequence[Clash]) -> Refused:
    sections = sections_of(clashes)
    detail = (
        f"You changed version {command.base}; meanwhile {', '.join(sections)} became something else "
        f"(the last change is {plan.updated_by}'s). Nothing was changed: see the differences, and decide."
    )
    return Refused(
        "version_conflict",
        detail,
        current_version=plan.version,
        sections=list(sections),
        differences=[msgspec.to_builtins(clash) for clash in clashes[:_MOST_DIFFERENCES]],
        differences_left_out=max(0, len(clashes) - _MOST_DIFFERENCES),
    )


def _wanted(command: Edit, base: Content, version: Content | None) -> Mapping[str, object]:
    """The sections as the asker wants them, if the plan were as it was when they looked."""
    match command:
        case EditPlan():
            return command.changes.named()
        case RestorePlan():
            if version is None:
                raise Refused("version_not_found", f"The plan has no version {command.version}.")
            return msgspec.structs.asdict(version)
        case PutItem():
            return {"items": _put(base.items, command.item, command.after)}
        case ChangeItem():
            return {"items": _put(base.items, _changed(_item(base, command.item), command.changes), None)}
        case RemoveItem():
            gone = _item(base, command.item)
            return {"items": tuple(item for item in base.items if item is not gone)}
        case MoveItem():
            return {"items": _moved(base, command.item, command.after)}
        case ReorderItems():
            return {"items": _reordered(base.items, command.items)}
        case _:
            assert_never(command)


def _item(base: Content, wanted: str) -> Item:
    for item in base.items:
        if item.id == wanted:
            return item
    raise Refused("item_not_found", f"The plan has no item {wanted}.")


def _changed(item: Item, changes: ItemChanges) -> Item:
    fields = {name: getattr(changes, name) for name in changes.__struct_fields__}
    return msgspec.structs.replace(
        item, **{name: value for name, value in fields.items() if value is not msgspec.UNSET}
    )


def _put(items: tuple[Item, ...], item: Item, after: str | None) -> tuple[Item, ...]:
    if any(one.id == item.id for one in items):
        return tuple(item if one.id == item.id else one for one in items)
    return _behind(items, item, after) if after is not None else (*items, item)


def _moved(base: Content, wanted: str, after: str | None) -> tuple[Item, ...]:
    item = _item(base, wanted)
    if after == wanted:
        raise Refused("invalid_body", "An item cannot stand behind itself.", [Fault("/after", "is the item itself")])
    others = tuple(one for one in base.items if one is not item)
    return (item, *others) if after is None else _behind(others, item, after)


def _behind(items: tuple[Item, ...], item: Item, after: str) -> tuple[Item, ...]:
    for i, one in enumerate(items):
        if one.id == after:
            return (*items[: i + 1], item, *items[i + 1 :])
    detail = f"There is no item {after} to stand behind."
    raise Refused("invalid_body", detail, [Fault("/after", f"there is no item {after}", "unknown_item")])


def _reordered(items: tuple[Item, ...], order: tuple[str, ...]) -> tuple[Item, ...]:
    by_id = {item.id: item for item in items}
    faults: list[Fault] = []
    seen: set[str] = set()
    for i, one in enumerate(order):
        if one not in by_id:
            faults.append(Fault(f"/items/{i}", f"there is no item {one}", "unknown_item"))
        elif one in seen:
            faults.append(Fault(f"/items/{i}", f"{one} stands here a second time", "duplicate_id"))
        seen.add(one)
    faults += [Fault("/items", f"{one} is missing", "item_missing") for one in by_id if one not in seen]
    if faults:
        said = counted(tuple(faults), "fault")
        raise Refused("order_incomplete", f"The order must name every item once; it has {said}.", faults[:100])
    return tuple(by_id[one] for one in order)
