"""Checklists: which lines of a Markdown file are tasks, and what becomes of them."""

import re
from pathlib import Path

import msgspec
import pytest

from contracts.refusals import Refused
from contracts.values import Content, Item, TextSpec
from services.gateway.checklist import Checklist, parse_checklist

KUBERNETES = Path("../shared/data/kubernetes-sig-release")


def text_of(item: Item) -> TextSpec:
    assert isinstance(item.spec, TextSpec)
    return item.spec


def only(text: str) -> Item:
    (item,) = parse_checklist(text).items
    return item


def refused(text: str, **limits: int) -> Refused:
    with pytest.raises(Refused) as found:
        parse_checklist(text, **limits)
    return found.value


def of(file: str) -> Checklist:
    if not KUBERNETES.is_dir():
        pytest.skip("the Kubernetes checklists of ../shared/data are absent")
    return parse_checklist((KUBERNETES / file).read_text(encoding="utf-8"))


def test_every_box_of_the_eight_kubernetes_files_is_found() -> None:
    if not KUBERNETES.is_dir():
        pytest.skip("the Kubernetes checklists of ../shared/data are absent")
    files = sorted(KUBERNETES.glob("*.md"))
    counts = {file.name: boxes_or_none(file.name) for file in files}
    assert len(counts) == 8
    assert sum(counts.values()) == 229


def boxes_or_none(file: str) -> int:
    try:
        return of(file).boxes
    except Refused as refusal:
        if refusal.code != "checklist_without_boxes":
            raise
        return 0


def test_the_cut_of_a_kubernetes_release_is_eleven_items_in_its_order() -> None:
    checklist = of("cut-release.md")
    assert checklist.title == "Cut v1.x.y-{alpha,beta,rc}.z release"
    assert len(checklist.items) == 11
    assert [item.name for item in checklist.items if item.group == "Release Steps / NoMock Run"] == [
        "Stage",
        "Image Promotion PR:",
        "Release",
    ]
    green = checklist.items[0]
    assert green.name == "Ensure a green signal has been given by Release Signal on the day of the cut"
    assert "**on the day of the cut**" in text_of(green).content


def test_what_is_imported_is_valid_content_of_a_plan_with_unique_ids() -> None:
    checklist = of("release-team-lead-progress.md")
    content = Content(name=checklist.title, items=checklist.items)
    assert msgspec.json.decode(msgspec.json.encode(content), type=Content) == content
    assert len({item.id for item in checklist.items}) == len(checklist.items)


def test_a_bold_line_is_a_section_until_the_next_heading() -> None:
    items = parse_checklist(
        "# T\n\n## A\n**Before:**\n- [ ] one\n\n**After**:\n\n- [ ] two\n\n## B\n- [ ] three\n"
    ).items
    assert [item.group for item in items] == ["A / Before", "A / After", "B"]


def test_a_sentence_with_bold_words_is_no_section() -> None:
    assert only("**Mind** the **gap**\n\n- [ ] one").group == ""
    assert only("**Mind** the gap\n\n- [ ] one").group == ""


def test_a_plain_bullet_over_boxes_is_part_of_their_group() -> None:
    items = parse_checklist("## Steps\n- Mock run\n  - [ ] Stage\n- Real run\n  - [ ] Stage\n").items
    assert [(item.id, item.group) for item in items] == [
        ("stage-1", "Steps / Mock run"),
        ("stage-2", "Steps / Real run"),
    ]


def test_nested_boxes_are_sub_steps_of_the_outermost_one() -> None:
    item = only("- [ ] Deploy\n  - [ ] one\n    - [ ] deep\n  - then\n    - [ ] two\n")
    assert [step.text for step in text_of(item).sub_steps] == ["one", "one / deep", "then / two"]
    assert [step.id for step in text_of(item).sub_steps] == ["one-1", "one-deep-1", "then-two-1"]


def test_boxes_deeper_than_the_parsers_own_limit_are_kept() -> None:
    deep = "".join("  " * level + f"- [ ] box {level}\n" for level in range(40))
    assert len(text_of(only(deep)).sub_steps) == 39


def test_the_content_keeps_the_markdown_of_the_box_without_the_nested_boxes() -> None:
    item = only(
        "1. [ ] See [the guide](https://e.org)\n\n   More `words`.\n   - a note\n   - [ ] inner\n\n   The end.\n"
    )
    assert item.name == "See the guide"
    assert text_of(item).content == "See [the guide](https://e.org)\n\nMore `words`.\n- a note\n\nThe end."


def test_a_name_has_the_words_and_none_of_the_markup() -> None:
    item = only(
        "- [ ] *Run* `just up` \\[twice\\] &amp; see [the guide][1] ![logo](x.png)<!-- soon -->\n\n[1]: https://e.org\n"
    )
    assert item.name == "Run just up [twice] & see the guide logo"


def test_a_plain_box_needs_no_content_beside_its_name() -> None:
    assert text_of(only("- [ ] Tell the users")).content == ""


def test_boxes_in_comments_code_and_front_matter_are_no_tasks() -> None:
    front = "---\ntitle: 'The plan'\nx: |\n  - [ ] front\n---\n"
    text = front + "<!--\n- [ ] comment\n-->\n```\n- [ ] fence\n```\n\n    - [ ] code\n\n- [ ] real\n"
    checklist = parse_checklist(text)
    assert checklist.title == "The plan"
    assert [item.name for item in checklist.items] == ["real"]


def test_a_ticked_box_is_noted_and_asked_for_again() -> None:
    item = only("- [x] done before\n  - [X] inner\n  - [ ] other\n")
    assert text_of(item).content.splitlines() == [
        "done before",
        "",
        "> Ticked already in the imported checklist.",
        "> Ticked already in the imported checklist: inner",
    ]


@pytest.mark.parametrize(
    "text", ["", "# Title\n\nwords\n", "- [-] no\n- [ ]x\n- [ ]\n", "[ ] not in a list\n", "\ufeff"]
)
def test_a_text_without_boxes_is_refused(text: str) -> None:
    assert refused(text).code == "checklist_without_boxes"


def test_a_text_that_is_too_long_is_refused_before_it_is_read() -> None:
    assert refused("- [ ] x\n" * 100, max_bytes=799).code == "body_too_large"


def test_a_text_of_too_many_lines_is_refused_before_it_is_parsed() -> None:
    refusal = refused("- a\n" * 40_001)
    assert (refusal.code, refusal.facts["limit_lines"]) == ("body_too_large", 40_000)


def test_too_many_boxes_are_refused_with_their_number() -> None:
    refusal = refused("- [ ] x\n" * 11, max_boxes=10)
    assert [fault.detail for fault in refusal.faults] == ["11 check boxes; 10 are allowed"]


def test_five_hundred_and_one_sub_steps_are_refused_with_the_line_of_their_box() -> None:
    refusal = refused("# T\n\n- [ ] all\n" + "  - [ ] x\n" * 501)
    assert [fault.path for fault in refusal.faults] == ["/lines/2"]


def test_ids_are_readable_stable_and_fit_for_any_language() -> None:
    before = [item.id for item in parse_checklist("- [ ] Build\n- [ ] Test\n- [ ] 发布\n").items]
    after = [item.id for item in parse_checklist("- [ ] New\n- [ ] Build\n- [ ] Test\n- [ ] 发布\n").items]
    assert before == ["build-1", "test-1", "item-1"]
    assert after[1:] == before


def test_ids_stay_unique_where_a_text_looks_like_a_numbered_id() -> None:
    ids = [
        item.id
        for item in parse_checklist("- [ ] a\n- [ ] a-1\n- [ ] a 1\n- [ ] a\n" + f"- [ ] {'w' * 99}\n" * 2).items
    ]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", one) for one in ids)


@pytest.mark.parametrize("newline", ["\r\n", "\r", "\n"])
def test_every_kind_of_line_end_is_read_alike(newline: str) -> None:
    text = newline.join(["\ufeff---", "title: T", "---", "- [ ] one", "  more", "- [ ] two", ""])
    checklist = parse_checklist(text)
    assert checklist.title == "T"
    assert [text_of(item).content for item in checklist.items] == ["one\nmore", ""]


def test_a_long_box_is_cut_in_the_name_and_whole_in_the_content() -> None:
    item = only("- [ ] " + "long " * 200)
    assert len(item.name) <= 300
    assert text_of(item).content == ("long " * 200).strip()


@pytest.mark.parametrize(
    "text",
    ["- " * 32_000, "> " * 32_000, "- [ ] x\n" * 10_001, "[" * 64_000, "*" * 64_000, "<!--" * 16_000],
    ids=["bullets", "quotes", "boxes", "brackets", "stars", "comments"],
)
def test_a_hostile_text_is_refused_for_what_it_is(text: str) -> None:
    code = "invalid_body" if text.startswith("- [ ] x") else "checklist_without_boxes"
    assert refused(text).code == code
