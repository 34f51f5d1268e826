"""What a letter says: subject, text and HTML, from the review of the plan. Pure.

Everything that people wrote is escaped in the HTML and put on one line where a line is meant; nothing of it is markup.
"""

from collections.abc import Iterator, Mapping
from html import escape

import msgspec

from contracts.difference import Change, Difference
from contracts.letter import LetterKind
from contracts.moments import rfc3339
from contracts.review import Review, Since

_MOST_LINES = 200
_LONGEST = 300


class Rendered(msgspec.Struct, frozen=True):
    """A letter as it is put into a message."""

    subject: str
    text: str
    html: str


_SUBJECTS: Mapping[LetterKind, str] = {
    "asked": "Please vote",
    "delegated": "Please vote in another's place",
    "reminder": "Reminder: please vote",
    "approved": "Approved",
    "denied": "Denied",
    "expired": "Approval expired",
    "review_owed": "Please review an emergency approval",
}
_OPENINGS: Mapping[LetterKind, str] = {
    "asked": "You are asked to approve or reject a release plan.",
    "delegated": "Somebody who delegated their vote to you is asked to approve or reject a release plan.",
    "reminder": "Your vote on a release plan is still missing, and the deadline is near.",
    "approved": "The release plan is approved.",
    "denied": "The release plan is denied.",
    "expired": "Nobody decided on the release plan in time: the approval round has expired.",
    "review_owed": "An administrator approved a release plan in an emergency. Another person owes a review.",
}


def render(kind: LetterKind, review: Review, link: str) -> Rendered:
    """The letter of this kind about this plan."""
    plan = review.plan
    facts = tuple(_facts(kind, review, link))
    parts = [("Items", tuple(_items(review)))]
    parts += [
        (title, tuple(difference_lines(since.difference)) or ("Nothing differs.",))
        for title, since in _compared(review)
    ]
    subject = line(f"[GoNoGo] {_SUBJECTS[kind]}: {plan.content.name}", 150)
    return Rendered(subject, _text(_OPENINGS[kind], facts, parts), _html(_OPENINGS[kind], facts, parts, link))


def line(text: object, longest: int = _LONGEST) -> str:
    """One printable line: nothing in it can begin another header or line."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return flat if len(flat) <= longest else flat[: longest - 1] + "…"


def _facts(kind: LetterKind, review: Review, link: str) -> Iterator[tuple[str, str]]:
    plan, round_ = review.plan, review.plan.approval
    yield "Plan", f"{line(plan.content.name)} (no. {plan.index}, {plan.project})"
    yield "Seal", round_.seal
    yield "Look and vote", link
    if plan.content.window is not None:
        window = plan.content.window
        yield "Window", f"{window.start.isoformat()} to {window.end.isoformat()} ({window.zone})"
    if kind in {"asked", "delegated", "reminder"} and round_.deadline:
        yield "Deadline", rfc3339(round_.deadline) or ""
    if kind == "denied" and round_.reason:
        yield "Reason", line(round_.reason)
    debt = next((one for one in plan.emergencies if one.round == round_.round), None)
    if debt is not None:
        yield "Emergency", f"approved by {debt.by}: {line(debt.reason)}"


def _items(review: Review) -> Iterator[str]:
    items = review.plan.content.items
    for item in items[:_MOST_LINES]:
        yield line(f"{item.id}: {item.name}")
    if len(items) > _MOST_LINES:
        yield f"and {len(items) - _MOST_LINES} more"


def _compared(review: Review) -> Iterator[tuple[str, Since]]:
    if review.my_vote is not None:
        yield "What differs since your last vote", review.my_vote
    if review.approved is not None:
        yield "What differs since what was approved last", review.approved
    if review.source is not None:
        kind = review.plan.source.kind if review.plan.source else "source"
        yield f"What differs from the {kind} that it was made from", review.source


def difference_lines(difference: Difference) -> Iterator[str]:
    """A difference, one line for each change."""
    count = 0
    for text in _changes(difference):
        if (count := count + 1) > _MOST_LINES:
            yield "and more"
            return
        yield line(text)


def _changes(difference: Difference) -> Iterator[str]:
    for change in difference.changes:
        yield _change("", change)
    items = difference.items
    for place in items.added:
        yield f"item {place.item.id} added: {place.item.name}"
    for place in items.removed:
        yield f"item {place.item.id} removed: {place.item.name}"
    for changed in items.changed:
        for change in changed.changes:
            yield _change(f"item {changed.id} ", change)
    for move in items.moved:
        yield f"item {move.id} moved from place {move.before + 1} to {move.after + 1}"


def _change(prefix: str, change: Change) -> str:
    if change.kind == "changed":
        return f"{prefix}{change.path}: {_short(change.before)} -> {_short(change.after)}"
    shown = change.after if change.kind == "added" else change.before
    return f"{prefix}{change.path} {change.kind}: {_short(shown)}"


def _short(value: object) -> str:
    if isinstance(value, str):
        return line(value, 100)
    return line(msgspec.json.encode(value).decode(), 100)


Parts = list[tuple[str, tuple[str, ...]]]


def _text(opening: str, facts: tuple[tuple[str, str], ...], parts: Parts) -> str:
    lines = [opening, "", *(f"{name}: {value}" for name, value in facts)]
    for title, entries in parts:
        lines += ["", title, *(f"  - {entry}" for entry in entries)]
    return "\n".join(lines) + "\n"


def _html(opening: str, facts: tuple[tuple[str, str], ...], parts: Parts, link: str) -> str:
    rows = "".join(f"<tr><th align=left>{escape(name)}</th><td>{_cell(value, link)}</td></tr>" for name, value in facts)
    lists = "".join(
        f"<h3>{escape(title)}</h3><ul>{''.join(f'<li>{escape(entry)}</li>' for entry in entries)}</ul>"
        for title, entries in parts
    )
    return f"<!doctype html><html><body><p>{escape(opening)}</p><table>{rows}</table>{lists}</body></html>\n"


def _cell(value: str, link: str) -> str:
    shown = escape(value)
    return f'<a href="{escape(link, quote=True)}">{shown}</a>' if value == link else shown
