"""What an approver is shown: the seal, the items, and what differs from what they saw, from what was approved before."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.cli.output import Output, clean, when

_LONGEST = 200


def show_review(output: Output, view: Mapping[str, Any]) -> None:
    """The review for a person. Where there is something to compare with, only what differs; else all items."""
    content = view["content"]
    output.pairs(
        {
            "Plan": f"{view['name']} ({view['id']})",
            "Status": view["status"],
            "Seal": view["seal"] or "none",
            "Sealed": view["seal"] and f"{when(view['sealed_at'])} by {view['sealed_by']}",
            "Asked": view["asked"],
            "Items": len(content.get("items", ())),
        }
    )
    compared = [
        _since(output, title, view[name])
        for title, name in (
            ("Since your last vote", "since_my_vote"),
            ("Since what was approved last", "since_approved"),
            (f"Since its {(view['source'] or {}).get('kind', 'source')}", "since_source"),
        )
    ]
    if not any(compared):
        output.heading("Items (nothing to compare with)")
        rows = [
            (item["id"], item["spec"]["type"], item.get("group", ""), item["name"]) for item in content.get("items", ())
        ]
        output.table(("id", "type", "group", "name"), rows)


def _since(output: Output, title: str, since: Mapping[str, Any] | None) -> bool:
    if since is None:
        return False
    output.heading(f"{title} ({when(since['at'])})")
    rows = difference_rows(since["difference"])
    output.table(("what", "change", "before", "after"), rows, empty="Nothing differs.")
    return True


def difference_rows(difference: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """A difference, one line for each change."""
    items = difference.get("items", {})
    rows = [_row("", change) for change in difference.get("changes", ())]
    rows += [(f"item {one['item']['id']}", "added", "", _short(one["item"]["name"])) for one in items.get("added", ())]
    rows += [
        (f"item {one['item']['id']}", "removed", _short(one["item"]["name"]), "") for one in items.get("removed", ())
    ]
    for one in items.get("changed", ()):
        rows += [_row(f"item {one['id']} ", change) for change in one["changes"]]
    rows += [
        (f"item {one['id']}", "moved", f"place {one['before'] + 1}", f"place {one['after'] + 1}")
        for one in items.get("moved", ())
    ]
    return rows


def _row(prefix: str, change: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return (
        prefix + str(change["path"]),
        str(change.get("kind", "changed")),
        _short(change.get("before")),
        _short(change.get("after")),
    )


def _short(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        value = ", ".join(f"{name}: {_short(part)}" for name, part in value.items())
    elif isinstance(value, Sequence) and not isinstance(value, str):
        value = ", ".join(_short(part) for part in value)
    text = clean(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
