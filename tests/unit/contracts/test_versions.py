"""The versions of a plan's content: one for each edit that changed something, and the content at any of them."""

from msgspec.structs import replace

from contracts import plan_events as e
from contracts.edit_events import ItemsPut, ItemsRemoved
from contracts.seal import seal_of
from contracts.values import SECTIONS, Changes
from contracts.versions import content_at, versions
from tests.support.builders import ANA, NOON, OLIVIA, content, created, facts, text_item

LIFE = facts(
    created(),
    (e.PlanEdited(changes=Changes(name="B")), ANA),
    seal_of(content(name="B"), {}),
    e.PlanReopened(),
    e.PlanEdited(changes=Changes(labels=("x",), description="d")),
)


def test_each_change_of_the_content_is_a_version_and_nothing_else_is() -> None:
    found = versions(LIFE)
    assert [(one.version, one.previous, one.kind, one.sections) for one in found] == [
        (1, 0, "create", SECTIONS),
        (2, 1, "edit", ("name",)),
        (5, 2, "edit", ("description", "labels")),
    ]
    assert [(one.by, one.channel, one.at) for one in found][1] == (ANA.id, "http", NOON + 1_000_000)


def test_events_of_one_append_are_one_version() -> None:
    first, *rest = facts(created(), ItemsRemoved(items=("announce",)), ItemsPut(items=(text_item("b"),)))
    one_append = [first, *(replace(fact, ordinal=i) for i, fact in enumerate(rest))]
    assert [(one.version, one.sections) for one in versions(one_append)] == [(1, SECTIONS), (3, ("items",))]


def test_the_content_is_there_at_every_version_also_between_changes() -> None:
    assert [getattr(content_at(LIFE, version), "name", None) for version in range(7)] == [
        None,
        "Release 1.2",
        *("B", "B", "B", "B"),
        None,
    ]


def test_a_restored_version_says_which_one_was_brought_back() -> None:
    back = facts(e.PlanEdited(changes=Changes(name="Release 1.2"), restored=1), actor=OLIVIA, after=5)
    assert [(one.kind, one.restored) for one in versions([*LIFE, *back])][-1] == ("restore", 1)
