"""What an approver is shown: the seal, the items, and what differs from what they saw, from what was approved before."""

from collections.abc import Mapping
from typing import Any

from services.cli.difference_view import COLUMNS, difference_rows
from services.cli.output import Output, when


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
            (f"Since its {_source(view['source'] or {})}", "since_source"),
        )
    ]
    if news := view.get("template"):
        _template(output, news)
    if not any(compared):
        output.heading("Items (nothing to compare with)")
        rows = [
            (item["id"], item["spec"]["type"], item.get("group", ""), item["name"]) for item in content.get("items", ())
        ]
        output.table(("id", "type", "group", "name"), rows)


def _source(source: Mapping[str, Any]) -> str:
    if source.get("kind") == "template":
        return f"template {source['name']}, revision {source['revision']}"
    return str(source.get("kind", "source"))


def _template(output: Output, news: Mapping[str, Any]) -> None:
    """What became of the template since: nothing is said where the newest revision was used and is still offered."""
    if news["deleted"]:
        output.heading(f"The template {news['name']} was deleted since")
    if news["newest"] == news["revision"]:
        return
    who = f"{when(news['put_at'])} by {news['put_by']}"
    output.heading(f"The template has a newer revision, {news['newest']} ({who}): what it would make otherwise")
    if news["difference"] is None:
        rows = [(fault["path"], fault["detail"]) for fault in news["faults"]]
        output.table(("where", "why it makes no plan of these values"), rows)
    else:
        output.table(COLUMNS, difference_rows(news["difference"]), empty="Nothing differs.")


def _since(output: Output, title: str, since: Mapping[str, Any] | None) -> bool:
    if since is None:
        return False
    output.heading(f"{title} ({when(since['at'])})")
    output.table(COLUMNS, difference_rows(since["difference"]), empty="Nothing differs.")
    return True
