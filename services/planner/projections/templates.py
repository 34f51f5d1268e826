"""Keeps `view.template`: the templates that are offered, for their list."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from contracts.envelope import Fact
from contracts.registry import decode
from contracts.template import TemplateDeleted, TemplateRevised
from infra.postgres import load_sql

if TYPE_CHECKING:
    from infra.checkpoint import Connection

_PACKAGE = "services.planner"


class TemplateList:
    """The projection `templates`. A row follows from the newest fact of its template alone."""

    name: ClassVar[str] = "templates"
    tables: ClassVar[Sequence[str]] = ("view.template",)
    types: ClassVar[frozenset[str]] = frozenset({"template.revised.v1", "template.deleted.v1"})

    def __init__(self) -> None:
        self._put = load_sql(_PACKAGE, "put_templates")
        self._drop = load_sql(_PACKAGE, "drop_templates")

    async def apply(self, conn: "Connection", facts: list[Fact]) -> None:
        """Fold the facts, then at most one statement each way."""
        rows: dict[str, dict[str, Any] | None] = {}
        for fact in facts:
            if fact.type == "template.revised.v1":
                revised = decode(fact.type, fact.payload)
                assert isinstance(revised, TemplateRevised)
                rows[revised.name] = _row(revised, fact)
            elif fact.type == "template.deleted.v1":
                deleted = decode(fact.type, fact.payload)
                assert isinstance(deleted, TemplateDeleted)
                rows[deleted.name] = None
        put = [row for row in rows.values() if row is not None]
        gone = [name for name, row in rows.items() if row is None]
        if put:
            await conn.execute(self._put, msgspec.json.encode(put).decode())
        if gone:
            await conn.execute(self._drop, gone)


def _row(revised: TemplateRevised, fact: Fact) -> dict[str, Any]:
    template = revised.template
    return {
        "name": revised.name,
        "description": template.description,
        "project": template.project,
        "revision": revised.revision,
        "parameters": len(template.parameters),
        "items": len(template.plan.get("items", ())),
        "put_by": fact.actor,
        "put_at": fact.at,
        "version": fact.version,
        "position": fact.position,
    }
