"""Rich text: nothing that acts comes through, and what people write stays as they wrote it."""

import html
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from infra.richtext import clean


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<ScRiPt src=//x>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        "<a href='javascript:alert(1)'>x</a>",
        "<a href='java\nscript:alert(1)'>x</a>",
        "<a href='&#106;avascript:alert(1)'>x</a>",
        "<p onclick=alert(1)>x</p>",
        "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
        "<style>@import 'x'</style>",
        "<math><mtext><table><mglyph><style><!--</style><img title='--><img src=x onerror=alert(1)>'>",
        "<https://x/onclick=alert(1)>",
        "<!--><img src=x onerror=alert(1)>-->",
        "<form action=x><input name=y></form>",
        "[x](javascript:alert(1))",
        "[x](  JavaScript :alert(1))",
        "[x](<data:text/html,x>)",
        "[x]: javascript:alert(1)",
        "> [x]: javascript:alert(1)",
        "- [x\\]y]: javascript:alert(1)",
        "[x](javascript\\:alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x](&#x6A;avascript&colon;alert(1))",
        "[x](java&Tab;script:alert(1))",
        "[x](\n<vbscript:x>)",
    ],
)
def test_what_acts_does_not_come_back(text: str) -> None:
    defines = "]:" in text
    cleaned = html.unescape(clean(text if defines else f"before {text} after")).replace("\\", "").lower()
    bad = (
        "<script",
        "<img",
        "<svg",
        "<iframe",
        "<style",
        "<math",
        "<form",
        "<https",
        "onclick=alert(1)>",
        "javascript",
        "vbscript",
    )
    assert [word for word in (*bad, "data:text") if word in cleaned] == []


@pytest.mark.parametrize(
    "text",
    [
        "a < b and b > c & d",
        "1 <2, x<-y, <3",
        "# Title\n\n* **bold** `code` & more\n> quote",
        "[site](https://example.org/?a=1&b=2) and [anchor](#here)",
        "<p>fine <b>bold</b></p>",
        "javascript: is a word like any other",
        "see [1]: data: these, and [a](b) javascript: too",
        "[report](data/2026.csv) and [x](/a&amp;b:c)",
        "Ünïcödé ✓ שלום",
        "",
    ],
)
def test_what_is_harmless_stays_as_it_was_typed(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize("unit", ["](", " ", "\n", "[\n", "\n[a", "\n> [", "](<", "]( ", "](a ", "\\", "&#106;", "<a "])
def test_the_longest_text_is_cleaned_by_going_over_it_once(unit: str) -> None:
    begun = time.process_time()
    clean("](" + unit * (200_000 // len(unit)))
    assert time.process_time() - begun < 30, "it is a matter of parts of a second, not of the square of the length"


def test_an_autolink_keeps_its_address() -> None:
    assert clean("See <https://example.org/a?b> and <mailto:ops@example.org>") == (
        "See https://example.org/a?b and mailto:ops@example.org"
    )


@given(st.text(alphabet="<>/!?abscript=\"' &;:[]()-\n", max_size=80))
@example("<<b>a</b>")
@example("[x](data:[y](javascript:z))")
def test_cleaning_what_is_clean_changes_nothing(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
