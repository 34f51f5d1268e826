"""Which texts of a plan are rich, and are cleaned before they are decided about: `infra.richtext` says how.

Rich are the description, the content and the sub-steps of text items, and the titles of requirements. Names, groups and
inputs are plain: whoever shows them shows their characters, so `<` is kept in them.
"""

import msgspec
from msgspec.structs import replace

from contracts.edit_commands import ItemChanges
from contracts.values import Changes, Content, Item, Requirement, SubStep, TextSpec, WorkflowSpec
from infra.richtext import clean


def clean_content(content: Content) -> Content:
    """A plan's content with its rich texts cleaned."""
    return replace(
        content,
        description=clean(content.description),
        requirements=_requirements(content.requirements),
        items=tuple(clean_item(item) for item in content.items),
    )


def clean_changes(changes: Changes) -> Changes:
    """The same of some sections."""
    cleaned: dict[str, object] = {}
    if isinstance(changes.description, str):
        cleaned["description"] = clean(changes.description)
    if isinstance(changes.requirements, tuple):
        cleaned["requirements"] = _requirements(changes.requirements)
    if isinstance(changes.items, tuple):
        cleaned["items"] = tuple(clean_item(item) for item in changes.items)
    return replace(changes, **cleaned) if cleaned else changes


def clean_item(item: Item) -> Item:
    """The same of one item."""
    spec = _spec(item.spec)
    return item if spec is item.spec else replace(item, spec=spec)


def clean_item_changes(changes: ItemChanges) -> ItemChanges:
    """The same of some fields of an item."""
    return changes if changes.spec is msgspec.UNSET else replace(changes, spec=_spec(changes.spec))


def _spec(spec: TextSpec | WorkflowSpec) -> TextSpec | WorkflowSpec:
    if not isinstance(spec, TextSpec):
        return spec
    steps = tuple(SubStep(id=step.id, text=clean(step.text)) for step in spec.sub_steps)
    cleaned = replace(spec, content=clean(spec.content), sub_steps=steps)
    return spec if cleaned == spec else cleaned


def _requirements(requirements: tuple[Requirement, ...]) -> tuple[Requirement, ...]:
    return tuple(replace(one, title=clean(one.title)) for one in requirements)
