"""Reading a template's stream: its revisions, and whether it is still offered."""

from collections.abc import Iterable

import msgspec

from contracts.envelope import Fact
from contracts.registry import DECODERS
from contracts.template import Template, TemplateDeleted, TemplateRevised


class TemplateState(msgspec.Struct, frozen=True):
    """A template at `version` of its stream, with all of its revisions, the newest last. Times in Unix microseconds."""

    name: str
    created_by: str
    put_by: str
    put_at: int
    version: int
    position: int
    revisions: tuple[TemplateRevised, ...]
    deleted: bool = False

    @property
    def newest(self) -> TemplateRevised:
        return self.revisions[-1]

    def revision(self, number: int | None = None) -> TemplateRevised | None:
        """The revision asked for; without a number the newest, `None` once the template is deleted."""
        if number is None:
            return None if self.deleted else self.newest
        return next((one for one in self.revisions if one.revision == number), None)


def fold_template(facts: Iterable[Fact], state: TemplateState | None = None) -> TemplateState | None:
    """The template after these facts of its stream. Facts of an unknown type move only version and position."""
    for fact in facts:
        event = DECODERS[fact.type](fact.payload) if fact.type in DECODERS else None
        if isinstance(event, TemplateRevised):
            revisions = (*(state.revisions if state else ()), event)
            creator = state.created_by if state else fact.actor
            state = TemplateState(event.name, creator, fact.actor, fact.at, fact.version, fact.position, revisions)
        elif state is not None:
            deleted = state.deleted or isinstance(event, TemplateDeleted)
            state = msgspec.structs.replace(state, version=fact.version, position=fact.position, deleted=deleted)
    return state


def template_of(facts: Iterable[Fact], revision: int) -> Template | None:
    """The template that a plan was made from: `Plan.source` says the revision. `None` where there is none."""
    state = fold_template(facts)
    found = state.revision(revision) if state is not None else None
    return found.template if found is not None else None
