"""The difference between two contents: complete, by id, order apart from content, and small enough to read."""

import random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from contracts.difference import Change, Difference, ItemMove, difference, items_difference, moved
from contracts.values import Content, Item, Requirement, Rules, TextSpec, Touch, WorkflowSpec
from contracts.words import Pieces
from tests.support.builders import approval, content, text_item, utc, window, workflow_item


def test_equal_contents_have_no_difference() -> None:
    assert difference(content(), content()) == Difference()


def test_only_the_sections_that_differ_are_named_in_the_order_of_a_plan() -> None:
    found = difference(content(), content(rules=Rules(run="in_order"), name="Other", labels=("x",)))
    assert found.sections == ("name", "labels", "rules")


def test_a_field_inside_a_section_has_its_own_path_and_defaults_are_spelt_out() -> None:
    found = difference(content(), content(rules=Rules(run="in_order")))
    assert found.changes == (Change("/rules/run", "changed", "by_hand", "in_order"),)


def test_a_window_that_moved_by_its_end_says_only_the_end() -> None:
    old = content(window=window(utc(2026, 9, 1), utc(2026, 9, 2)))
    new = content(window=window(utc(2026, 9, 1), utc(2026, 9, 3)))
    assert difference(old, new).changes == (
        Change("/window/end", "changed", "2026-09-02T00:00:00Z", "2026-09-03T00:00:00Z"),
    )


def test_a_section_that_is_set_for_the_first_time_comes_whole() -> None:
    (change,) = difference(content(), content(window=window(utc(2026, 9, 1), utc(2026, 9, 2)))).changes
    assert (change.path, change.before, change.after["end"]) == ("/window", None, "2026-09-02T00:00:00Z")


def test_an_item_keeps_its_identity_when_it_moves_and_changes_at_once() -> None:
    old = content(items=(text_item("a"), text_item("b"), text_item("c")))
    new = content(items=(text_item("c", name="New"), text_item("a"), text_item("b")))
    items = difference(old, new).items
    assert items.moved == (ItemMove("c", "New", 2, 0),)
    assert [(one.id, [change.path for change in one.changes]) for one in items.changed] == [("c", ["/name"])]
    assert not items.added
    assert not items.removed


def test_items_that_came_and_went_are_whole_with_their_places() -> None:
    old = content(items=(text_item("a"), text_item("b")))
    new = content(items=(text_item("b"), text_item("x")))
    items = difference(old, new).items
    assert [(one.item.id, one.place) for one in items.added] == [("x", 1)]
    assert [(one.item.id, one.place) for one in items.removed] == [("a", 0)]
    assert items.moved == ()


def test_an_item_that_becomes_another_kind_shows_both_whole_specs() -> None:
    old, new = content(items=(text_item("a"),)), content(items=(workflow_item("a"),))
    (changed,) = difference(old, new).items.changed
    change = next(one for one in changed.changes if one.path == "/spec")
    assert (change.before["type"], change.after["type"]) == ("text", "workflow")


def test_inputs_of_a_workflow_are_told_one_by_one() -> None:
    old = content(items=(workflow_item(inputs={"a": "1", "b": "2"}),))
    new = content(items=(workflow_item(inputs={"b": "3", "c": "4"}),))
    (changed,) = difference(old, new).items.changed
    assert {(one.path, one.kind) for one in changed.changes} == {
        ("/spec/inputs/a", "removed"),
        ("/spec/inputs/b", "changed"),
        ("/spec/inputs/c", "added"),
    }


def test_lists_are_matched_by_what_names_their_entries() -> None:
    sprint = Requirement(tracker="jira", kind="sprint", key="S-1")
    issue = Requirement(tracker="jira", kind="issue", key="PAY-1", title="old")
    old = content(requirements=(sprint, issue), touches=(Touch(service="a", environment="p"),))
    retitled = msgspec.structs.replace(issue, title="new")
    new = content(requirements=(retitled, sprint), touches=(Touch(service="b", environment="p"),))
    assert [(one.path, one.kind) for one in difference(old, new).changes] == [
        ("/requirements/0/title", "changed"),
        ("/requirements/0", "moved"),
        ("/touches/0", "removed"),
        ("/touches/0", "added"),
    ]


def test_an_approver_who_was_added_is_told_alone() -> None:
    old, new = content(approval=approval("user:ana")), content(approval=approval("user:ana", "user:ben"))
    assert difference(old, new).changes == (
        Change("/approval/levels/0/rules/0/approvers/1", "added", after="user:ben"),
    )


def test_texts_are_compared_by_words() -> None:
    pieces = Pieces().between("Deploy the old version.", "Deploy the new version.")
    assert [(piece.kind, piece.text) for piece in pieces] == [
        ("same", "Deploy the "),
        ("removed", "old"),
        ("added", "new"),
        ("same", " version."),
    ]


@given(st.text(alphabet="ab \n.ü", max_size=60), st.text(alphabet="ab \n.ü", max_size=60))
def test_the_pieces_make_both_texts_again(old: str, new: str) -> None:
    pieces = Pieces().between(old, new)
    if pieces:
        assert "".join(one.text for one in pieces if one.kind != "added") == old
        assert "".join(one.text for one in pieces if one.kind != "removed") == new


def test_a_long_text_that_was_written_anew_is_compared_by_lines() -> None:
    old = "\n".join(f"a{i} b{i} c{i}" for i in range(900))
    new = old.replace("a", "x").replace("x500 b500 c500", "a500 b500 c500")
    assert [len(piece.text.splitlines()) for piece in Pieces().between(old, new) if piece.kind == "same"] == [1]


def test_texts_that_would_take_for_ever_are_given_without_their_words() -> None:
    old, new = " ".join(f"a{i}" for i in range(4_000)), " ".join(f"b{i}" for i in range(4_000))
    (change,) = difference(content(description=old), content(description=new)).changes
    assert (change.before, change.after, change.words) == (old, new, ())


@given(st.permutations(list("abcdefgh")))
def test_what_did_not_move_stands_in_its_old_order(order: list[str]) -> None:
    places = {name: i for i, name in enumerate("abcdefgh")}
    gone = set(moved(order, places))
    rest = [places[name] for name in order if name not in gone]
    assert rest == sorted(rest)


def test_one_item_of_ten_thousand_that_moves_is_one_move() -> None:
    old = tuple(Item(id=f"i{i}", name="x", spec=TextSpec()) for i in range(10_000))
    assert [one.id for one in items_difference(old, (old[-1], *old[:-1])).moved] == ["i9999"]


def test_ten_thousand_shuffled_items_are_compared() -> None:
    old = tuple(Item(id=f"i{i}", name="x", spec=TextSpec(content="some words")) for i in range(10_000))
    new = [Item(id=one.id, name="y z", spec=WorkflowSpec(project="p", workflow="w")) for one in old]
    random.Random(1).shuffle(new)
    found = items_difference(old, new)
    assert len(found.changed) == 10_000
    assert len(found.moved) > 9_000


def test_a_difference_is_json() -> None:
    found = difference(content(), Content(name="x y", items=(workflow_item(),), owner=("group:sre",)))
    assert msgspec.json.decode(msgspec.json.encode(found), type=Difference) == found
