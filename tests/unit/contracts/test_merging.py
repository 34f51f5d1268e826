"""Two edits of one draft: what both wanted is done, what they cannot both have is told field by field."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contracts.merging import Clash, merged, sections_of
from contracts.values import Content, Item, Rules, TextSpec
from tests.support.builders import content, text_item, utc, window

A, B, C, D = (text_item(one) for one in "abcd")


def meet(base: list[Item], theirs: list[Item], yours: list[Item]) -> tuple[list[str], tuple[Clash, ...]]:
    """The ids after two edits of the items have met."""
    both, clashes = merged(content(items=tuple(base)), content(items=tuple(theirs)), {"items": tuple(yours)})
    return [item.id for item in both.items], clashes


def named(item: Item, name: str) -> Item:
    return Item(id=item.id, name=name, spec=item.spec)


def test_an_edit_of_another_section_keeps_theirs() -> None:
    both, clashes = merged(content(), content(name="Theirs"), {"description": "Yours"})
    assert (both.name, both.description, clashes) == ("Theirs", "Yours", ())


def test_the_same_change_by_both_is_no_clash() -> None:
    both, clashes = merged(content(), content(name="Same"), {"name": "Same"})
    assert (both.name, clashes) == ("Same", ())


def test_a_section_that_is_sent_as_it_was_does_not_undo_what_others_did() -> None:
    base = content(description="old")
    both, clashes = merged(base, content(description="theirs"), {"description": "old", "labels": ("x",)})
    assert (both.description, both.labels, clashes) == ("theirs", ("x",), ())


def test_the_same_section_clashes_field_by_field() -> None:
    base = content(window=window(utc(2026, 9, 1), utc(2026, 9, 4)))
    theirs = content(window=window(utc(2026, 9, 2), utc(2026, 9, 4)))
    _, clashes = merged(base, theirs, {"window": window(utc(2026, 9, 1), utc(2026, 9, 5))})
    assert clashes == (
        Clash("/window/start", "2026-09-01T00:00:00Z", "2026-09-02T00:00:00Z", "2026-09-01T00:00:00Z"),
        Clash("/window/end", "2026-09-04T00:00:00Z", "2026-09-04T00:00:00Z", "2026-09-05T00:00:00Z"),
    )
    assert sections_of(clashes) == ("window",)


def test_a_section_that_others_emptied_clashes_whole() -> None:
    base = content(window=window(utc(2026, 9, 1), utc(2026, 9, 4)))
    _, (clash,) = merged(base, content(), {"window": window(utc(2026, 9, 1), utc(2026, 9, 5))})
    assert (clash.path, clash.theirs, clash.yours["end"]) == ("/window", None, "2026-09-05T00:00:00Z")


def test_all_clashing_sections_are_told_at_once() -> None:
    theirs = content(name="theirs", rules=Rules(run="in_order"))
    _, clashes = merged(content(), theirs, {"rules": Rules(start="by_owner"), "name": "yours"})
    assert sections_of(clashes) == ("name", "rules")


def test_two_edits_of_different_items_are_both_done() -> None:
    both, clashes = merged(
        content(items=(A, B)), content(items=(named(A, "theirs"), B)), {"items": (A, named(B, "yours"))}
    )
    assert ([item.name for item in both.items], clashes) == (["theirs", "yours"], ())


def test_two_edits_of_one_item_clash_by_its_id() -> None:
    _, clashes = meet([A, B], [A, named(B, "theirs")], [A, named(B, "yours")])
    assert clashes == (Clash("/items/b/name", "B", "theirs", "yours"),)


def test_what_both_add_is_all_there_behind_what_it_was_put_behind() -> None:
    assert meet([A, B], [A, C, B], [A, B, D]) == (["a", "c", "b", "d"], ())
    assert meet([A, B], [C, A, B], [A, D, B]) == (["c", "a", "d", "b"], ())
    assert meet([], [C], [D]) == (["c", "d"], ())


def test_two_different_items_of_one_new_id_clash() -> None:
    _, (clash,) = meet([A], [A, named(C, "theirs")], [A, named(C, "yours")])
    assert (clash.path, clash.base, clash.theirs["name"], clash.yours["name"]) == ("/items/c", None, "theirs", "yours")


def test_an_item_that_one_removes_and_nobody_changes_is_gone() -> None:
    assert meet([A, B, C], [A, C], [A, B, C, D]) == (["a", "c", "d"], ())
    assert meet([A, B, C], [A, B, C, D], [A, C]) == (["a", "c", "d"], ())


def test_removing_what_the_other_changed_is_a_clash_either_way() -> None:
    _, (gone,) = meet([A, B], [A], [A, named(B, "yours")])
    assert (gone.path, gone.theirs, gone.yours["name"]) == ("/items/b", None, "yours")
    _, (kept,) = meet([A, B], [A, named(B, "theirs")], [A])
    assert (kept.path, kept.theirs["name"], kept.yours) == ("/items/b", "theirs", None)


def test_an_order_of_one_side_holds_whatever_the_other_adds() -> None:
    assert meet([A, B, C], [A, B, D, C], [C, B, A]) == (["c", "b", "d", "a"], ())
    assert meet([A, B, C], [C, B, A], [A, B, C, D]) == (["c", "b", "a", "d"], ())


def test_two_different_orders_clash_as_an_order() -> None:
    _, clashes = meet([A, B, C], [B, A, C], [A, C, B])
    assert clashes == (Clash("/items", ["a", "b", "c"], ["b", "a", "c"], ["a", "c", "b"]),)


lists: Any = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from("xy")), unique_by=lambda pair: pair[0], max_size=6
).map(lambda pairs: tuple(Item(id=one, name=name, spec=TextSpec()) for one, name in pairs))


@given(lists, lists, lists)
def test_an_edit_of_one_side_alone_is_done_exactly_and_no_item_comes_twice(base: Any, theirs: Any, yours: Any) -> None:
    def both(b: Any, t: Any, y: Any) -> tuple[Content, tuple[Clash, ...]]:
        return merged(content(items=b), content(items=t), {"items": y})

    assert both(base, base, yours)[0].items == yours
    assert both(base, theirs, base)[0].items == theirs
    assert both(base, theirs, theirs)[0].items == theirs
    result, clashes = both(base, theirs, yours)
    ids = [item.id for item in result.items]
    assert len(ids) == len(set(ids))
    if not clashes:
        ours, their, was = ({item.id: item for item in side} for side in (yours, theirs, base))
        for item in result.items:
            assert item in (ours.get(item.id), their.get(item.id))
        assert {one for one in ours if one not in was} <= set(ids)
        assert {one for one in their if one not in was} <= set(ids)
