"""The versions of a plan's content: who changed which sections when, and the content as it was at any version.

Pure, a fold of the plan's stream. The events of one append are one version, named by the stream version of the last of
them, which is the ETag that the edit was answered with. Facts that leave the content as it is (a seal, a vote) make no
version of their own; the content at their version is that of the version before.
"""

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from contracts.difference import changed_sections
from contracts.envelope import Fact
from contracts.evolve import fold
from contracts.plan_events import PlanEdited
from contracts.registry import decode
from contracts.values import SECTIONS, Content


class Version(msgspec.Struct, frozen=True):
    """One change of the content. `at` in Unix microseconds; `restored` the version that was brought back, 0 for none."""

    version: int
    previous: int
    kind: Literal["create", "edit", "restore"]
    sections: tuple[str, ...]
    by: str
    channel: str
    at: int
    restored: int = 0


def versions(facts: Iterable[Fact]) -> list[Version]:
    """All versions that the facts of a plan's whole stream tell, oldest first."""
    found: list[Version] = []
    plan = None
    content: Content | None = None
    for own in _appends(facts):
        plan = fold(own, plan)
        if plan is None or plan.content is content:
            continue
        sections = SECTIONS if content is None else changed_sections(content, plan.content)
        restored = _restored(own)
        kind: Literal["create", "edit", "restore"] = "restore" if restored else "edit"
        found.append(
            Version(
                version=own[-1].version,
                previous=found[-1].version if found else 0,
                kind="create" if content is None else kind,
                sections=sections,
                by=own[-1].actor,
                channel=own[-1].channel,
                at=own[-1].at,
                restored=restored,
            )
        )
        content = plan.content
    return found


def content_at(facts: Iterable[Fact], version: int) -> Content | None:
    """The content as it was at a stream version; `None` where the stream does not reach to it, or has no plan by then."""
    facts = list(facts)
    if version < 1 or not facts or facts[-1].version < version:
        return None
    plan = fold(fact for fact in facts if fact.version <= version)
    return None if plan is None else plan.content


def _appends(facts: Iterable[Fact]) -> Iterator[list[Fact]]:
    """The facts, append by append: the first of each has ordinal 0."""
    own: list[Fact] = []
    for fact in facts:
        if fact.ordinal == 0 and own:
            yield own
            own = []
        own.append(fact)
    if own:
        yield own


def _restored(own: list[Fact]) -> int:
    if own[0].type != "plan.edited.v1":
        return 0
    event = decode(own[0].type, own[0].payload)
    return event.restored if isinstance(event, PlanEdited) else 0
