"""Commands on the items of a draft: put, change, remove, move, and the order of all of them."""

from typing import Any

from contracts.edit_commands import ItemChanges
from contracts.http_editing import ItemBody
from services.cli.documents import read_fields
from services.cli.options import WRITE, File, Several, Writing, asking, current_match, segment, show_done
from services.cli.problems import usage


async def put(plan: str, item: str, file: File, /, *, after: str | None = None, writing: Writing = WRITE) -> None:
    """Adds an item to a draft, or replaces it.

    Parameters
    ----------
    plan
        Id of the plan.
    item
        Id of the item.
    file
        YAML or JSON of the item, `-` for stdin.
    after
        Behind which item a new one stands; else at the end.
    """
    await _edit("PUT", f"{_item(plan, item)}", read_fields(file, ItemBody), plan, writing, "Put", after=after)


async def change(
    plan: str,
    item: str,
    file: File | None = None,
    /,
    *,
    name: str | None = None,
    owner: Several = None,
    need: Several = None,
    group: str | None = None,
    content: str | None = None,
    may_fail: bool | None = None,
    writing: Writing = WRITE,
) -> None:
    """Changes fields of an item of a draft; what is not named stays.

    Parameters
    ----------
    plan
        Id of the plan.
    item
        Id of the item.
    file
        YAML or JSON of the changed fields, `-` for stdin.
    name
        New name.
    owner
        New owners; give it several times.
    need
        The items that it needs; give it several times.
    group
        New heading.
    content
        New content of a text item; its sub-steps go unless the file has them.
    may_fail
        Whether the plan succeeds without it.
    """
    pairs: dict[str, Any] = {"name": name, "owner": owner, "needs": need, "group": group, "may_fail": may_fail}
    given = {field: value for field, value in pairs.items() if value is not None}
    body = read_fields(file, ItemChanges, given) if file else given
    if content is not None:
        body["spec"] = {**body.get("spec", {}), "type": "text", "content": content}
    if not body:
        raise usage("Nothing to change: give a FILE or an option such as --name.")
    await _edit("PATCH", _item(plan, item), body, plan, writing, "Changed")


async def remove(plan: str, item: str, /, *, writing: Writing = WRITE) -> None:
    """Takes an item out of a draft.

    Parameters
    ----------
    plan
        Id of the plan.
    item
        Id of the item.
    """
    await _edit("DELETE", _item(plan, item), {}, plan, writing, "Removed")


async def move(plan: str, item: str, /, *, after: str | None = None, writing: Writing = WRITE) -> None:
    """Puts an item of a draft behind another, or in front of all.

    Parameters
    ----------
    plan
        Id of the plan.
    item
        Id of the item.
    after
        The item to stand behind; else in front of all.
    """
    body = {} if after is None else {"after": after}
    await _edit("POST", f"{_item(plan, item)}/move", body, plan, writing, "Moved")


async def reorder(plan: str, /, *items: str, writing: Writing = WRITE) -> None:
    """Puts all items of a draft into an order; every item is named once.

    Parameters
    ----------
    plan
        Id of the plan.
    items
        The ids in their new order.
    """
    if not items:
        raise usage("Name the items in their new order, every one of them.")
    path = f"/api/v1/plans/{segment(plan)}/reorder"
    await _edit("POST", path, {"items": list(items)}, plan, writing, "Ordered")


def _item(plan: str, item: str) -> str:
    return f"/api/v1/plans/{segment(plan)}/items/{segment(item)}"


async def _edit(
    method: str, path: str, body: Any, plan: str, writing: Writing, sentence: str, after: str | None = None
) -> None:
    async with asking(writing) as (gateway, output):
        match = await current_match(gateway, plan, writing)
        answer = await gateway.send(method, path, body, key=writing.key, if_match=match, after=after)
        show_done(output, answer, sentence)
