"""A difference between two contents of a plan, line by line, for whoever edits and for whoever approves.

A long text is shown by its words, never by its beginnings alone: two of them may begin alike.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from services.cli.output import clean

COLUMNS = ("where", "change", "before", "after")
_LONGEST = 160


def difference_rows(difference: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """One line of a table with `COLUMNS` for each change of a `contracts.difference.Difference`."""
    return list(_rows(difference))


def _rows(difference: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for change in difference.get("changes", ()):
        yield _row(change["path"], change)
    items = difference.get("items", {})
    for one in items.get("removed", ()):
        yield f"/items/{one['item']['id']}", "removed", _short(one["item"]["name"]), ""
    for one in items.get("added", ()):
        yield f"/items/{one['item']['id']}", "added", "", _short(one["item"]["name"])
    for one in items.get("changed", ()):
        for change in one["changes"]:
            yield _row(f"/items/{one['id']}{change['path']}", change)
    for one in items.get("moved", ()):
        yield f"/items/{one['id']}", "moved", f"place {one['before'] + 1}", f"place {one['after'] + 1}"


def _row(path: str, change: Mapping[str, Any]) -> tuple[str, str, str, str]:
    kind = change.get("kind", "changed")
    if kind == "moved":
        return path, kind, f"place {change['before'] + 1}", f"place {change['after'] + 1}"
    if words := change.get("words"):
        return path, kind, "", _marked(words)
    return path, kind, _short(change.get("before")), _short(change.get("after"))


def _marked(words: list[Mapping[str, str]]) -> str:
    marks = {"same": ("", ""), "removed": ("[-", "-]"), "added": ("{+", "+}")}
    parts = []
    for piece in words:
        begin, end = marks[piece["kind"]]
        text = piece["text"]
        if piece["kind"] == "same" and len(text) > _LONGEST:
            text = f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"
        parts.append(f"{begin}{text}{end}")
    return "".join(parts)


def _short(value: object) -> str:
    text = clean(_plain(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _plain(value: object) -> str:
    """Fields and lists as a person writes them."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case Mapping():
            return ", ".join(f"{name}: {_plain(part)}" for name, part in value.items())
        case Sequence() if not isinstance(value, str):
            return ", ".join(_plain(part) for part in value)
        case _:
            return str(value)
