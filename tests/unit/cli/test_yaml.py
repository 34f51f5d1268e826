"""YAML as people write it: nothing guessed, nothing dangerous, every fault at its place; and what we write reads back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.plan_file import PlanFile
from contracts.shape import Plain, fit
from services.cli.yaml_reading import Place, read_yaml
from services.cli.yaml_writing import as_yaml

TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"))
DATA = st.recursive(
    TEXTS | st.integers(-(2**53), 2**53) | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def plain(value: object) -> object:
    """The data with scalars as they are written: numbers and truths are texts without quotes."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case dict():
            return {name: plain(one) for name, one in value.items()}
        case list():
            return [plain(one) for one in value]
        case _:
            return value


@given(st.dictionaries(TEXTS, DATA, max_size=5))
@settings(max_examples=150, deadline=None)
def test_what_is_written_reads_back_to_the_letter(value: dict[str, object]) -> None:
    document = read_yaml(as_yaml(value))
    assert document.wrong == ()
    assert document.value == plain(value)


def test_a_text_of_several_lines_is_written_as_it_stands() -> None:
    assert as_yaml({"content": "one\n- [ ] two: #3\n"}) == "content: |\n  one\n  - [ ] two: #3\n"


@pytest.mark.parametrize("text", ["no", "on", "1.10", "2026-11-20", "0x1F", "1e3", "Norway", "007", "12:30"])
def test_where_a_text_is_wanted_every_scalar_is_the_text_that_stands_there(text: str) -> None:
    document = read_yaml(f"project: web\nkey: k\nname: {text}\n")
    fitted = fit(document.value, PlanFile)
    assert fitted.faults == ()
    assert fitted.value["name"] == text


@pytest.mark.parametrize("text", ["yes", "No", "on", "True", "1", "'true'"])
def test_only_true_and_false_without_quotes_are_truths(text: str) -> None:
    item = f"items: [{{id: a, name: a, may_fail: {text}, spec: {{type: text}}}}]"
    fitted = fit(read_yaml(f"project: web\nkey: k\nname: n\n{item}\n").value, PlanFile)
    assert [fault.path for fault in fitted.faults] == ["/items/0/may_fail"]


@pytest.mark.parametrize("text", ["2026-11-20", "2026-11-20 20:00:00", "2026-11-20T20:00:00", "tomorrow"])
def test_a_time_without_offset_is_refused(text: str) -> None:
    window = f"window: {{start: {text}, end: 2026-11-20T20:00:00+01:00}}"
    fitted = fit(read_yaml(f"project: web\nkey: k\nname: n\n{window}\n").value, PlanFile)
    assert [fault.path for fault in fitted.faults] == ["/window/start"]


def test_places_are_those_of_the_file_also_behind_an_alias() -> None:
    document = read_yaml("a: &one\n  b: 1\nc:\n  - *one\n  -   d: x\n")
    assert document.value == {"a": {"b": Plain("1")}, "c": [{"b": Plain("1")}, {"d": Plain("x")}]}
    assert document.place("/c/1/d") == Place(5, 10)
    assert document.place("/c/1/d", of_key=True) == Place(5, 7)
    assert document.place("/c/0/b") == Place(2, 6)
    assert document.place("/c/1/missing/deeper") == Place(5, 7)


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("name: a\nname: b\n", 2, "second time (first: line 1)"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a: !!python/object:os.system x\n", 1, "tag"),
        ("a: &x\n  <<: {b: c}\n", 2, "merges"),
        ("? [a]\n: b\n", 1, "no name"),
        ("a: *b\n", 1, "not defined"),
        ("a: &a [*a]\n", 1, "is itself"),
        ("a: [1, 2\nb: c: d\n", 2, "is not YAML"),
        ("a:\n\t- b\n", 2, "is not YAML"),
        ("a: b\x07\n", 1, "character"),
        ("[" * 500, 1, "nested deeper"),
        ("a:\n" + "  " * 5 + "- " * 100 + "x\n", 2, "nested deeper"),
        ("", 1, "empty"),
        ("# nothing\n", 1, "empty"),
        (LAUGHS, 1, "aliases"),
    ],
)
def test_what_surprises_is_refused_at_its_place(text: str, line: int, word: str) -> None:
    wrong = read_yaml(text).wrong
    assert any(word in one.detail and one.place.line == line for one in wrong), wrong


def test_all_duplicates_and_tags_are_told_at_once() -> None:
    wrong = read_yaml("a: 1\na: 2\nb: !x 1\nc: {d: 1, d: 2}\n").wrong
    assert [one.place for one in wrong] == [Place(2, 1), Place(3, 4), Place(4, 11)]
