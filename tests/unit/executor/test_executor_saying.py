"""What a step says: secrets masked wherever the pieces are cut, outputs picked out wherever the lines are."""

import base64
import html
import json
import re
import shlex
import urllib.parse
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.executor.adapters.saying import LONGEST_LINE_BYTES, OUTPUTS_BYTES, Masker, Outputs


def masked(pieces: list[bytes], *secrets: str) -> bytes:
    masker = Masker(secrets)
    return b"".join(masker.feed(piece) for piece in pieces) + masker.end()


def outputs(*pieces: bytes) -> Outputs:
    found = Outputs()
    for piece in pieces:
        found.feed(piece)
    found.end()
    return found


@given(st.lists(st.sampled_from([b"a", b"hunter2", b"hunt", b"er2", b"\n", b"hunterhunter2"])), st.data())
def test_cutting_changes_nothing_of_what_is_masked(parts: list[bytes], data: st.DataObject) -> None:
    text = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert masked(pieces, "hunter2", "hunt") == masked([text], "hunter2", "hunt")
    assert b"hunt" not in masked(pieces, "hunter2", "hunt")


@pytest.mark.parametrize("spelling", [b'p"w /1', b"p%22w%20%2F1", b"p%22w+%2F1", b"p%22w%20/1", b'p\\"w /1'])
def test_a_secret_is_masked_as_urls_and_json_write_it(spelling: bytes) -> None:
    assert masked([b"x" + spelling + b"y"], 'p"w /1') == b"x***y"


TRICKY = "p'w\"$/ <é>\\1"


@pytest.mark.parametrize(
    "show",
    [
        lambda s: s.encode(),
        lambda s: shlex.quote(s).encode(),
        lambda s: s.replace("'", "'\\''").encode(),
        lambda s: json.dumps(s).encode(),
        lambda s: json.dumps({"a": json.dumps(s)}).encode(),
        lambda s: json.dumps(s, ensure_ascii=False).encode(),
        lambda s: urllib.parse.quote_plus(s).encode(),
        lambda s: urllib.parse.quote(s, safe="").encode(),
        lambda s: re.sub(b"%..", lambda m: m[0].lower(), urllib.parse.quote(s, safe="").encode()),
        lambda s: s.encode().hex().encode(),
        lambda s: s.encode().hex().upper().encode(),
        lambda s: repr(s).encode(),
        lambda s: repr(s.encode()).encode(),
        lambda s: html.escape(s).encode(),
    ],
)
def test_no_spelling_of_a_secret_is_shown_wherever_it_is_cut(show: Callable[[str], bytes]) -> None:
    shown = show(TRICKY)
    for cut in range(len(shown)):
        kept = masked([b"before " + shown[:cut], shown[cut:] + b" after"], TRICKY)
        assert b"***" in kept
        assert len(kept.strip(b"'\"{}abefort r:*\\ ")) <= 2, kept


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@given(before=st.binary(max_size=5), secret=st.text(min_size=4, max_size=60), after=st.binary(max_size=5))
def test_a_secret_is_masked_in_base64_wherever_it_stands(
    encode: Callable[[bytes], bytes], before: bytes, secret: str, after: bytes
) -> None:
    said = encode(before + secret.encode() + after)
    kept = masked([said], secret)
    assert b"***" in kept
    assert (
        len(kept) <= len(encode(before)) + len(b"***") + len(encode(after)) + 5
    )  # at both ends a letter of two bytes, and padding


def test_long_base64_is_masked_line_by_line() -> None:
    secret = "".join(map(chr, range(33, 126))) * 3
    for encoded in (base64.encodebytes(secret.encode()), base64.encodebytes(secret.encode() + b"\n")):
        assert set(masked([encoded], secret).split()) <= {b"***"}


def test_what_cannot_become_a_secret_is_shown_at_once() -> None:
    masker = Masker(["hunter2" * 100])
    assert masker.feed(b"building...\nhunter1\n") == b"building...\nhunter1\n"
    assert masker.feed(b"ready hunt") == b"ready "
    assert masker.feed(b"ing\n") == b"hunting\n"


def test_a_secret_of_three_characters_is_not_looked_for() -> None:
    assert masked([b"abc abcd"], "abc") == b"abc abcd"


@given(st.lists(st.sampled_from([b"abcd", b"abcdabce", b"abc", b"d", b"e", b"cdab"]), max_size=12), st.data())
def test_however_secrets_overlap_the_pieces_change_nothing(parts: list[bytes], data: st.DataObject) -> None:
    text = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    secrets = ("abcd", "abcdabce", "cdab")
    assert masked(pieces, *secrets) == masked([text], *secrets)


def test_of_two_secrets_the_longer_is_masked_whole() -> None:
    assert masked([b"abcdef abcd"], "abcd", "abcdef") == b"*** ***"


def test_each_line_of_a_secret_key_is_masked() -> None:
    assert masked([b"line one, then line two"], "line one\nline two") == b"***, then ***"


def test_without_secrets_nothing_is_held_back() -> None:
    assert Masker(()).feed(b"abc") == b"abc"


def test_outputs_are_lines_of_their_own_and_the_last_value_counts() -> None:
    said = outputs(b"x gonogo::output a=no\ngonogo::out", b"put a=1\r\n", b"gonogo::output b=x=y\ngonogo::output a=2")
    assert said.found == {"a": "2", "b": "x=y"}


@given(st.lists(st.integers(0, 60), max_size=6))
def test_outputs_do_not_depend_on_where_the_pieces_are_cut(cuts: list[int]) -> None:
    text = b"one\ngonogo::output a=1\ntwo\n\ngonogo::output b=2\ngonogo::output c=3"
    edges = sorted(min(cut, len(text)) for cut in cuts)
    pieces = [text[a:b] for a, b in zip([0, *edges], [*edges, len(text)], strict=True)]
    assert outputs(*pieces).found == {"a": "1", "b": "2", "c": "3"}


def test_an_endless_line_is_no_output_and_costs_no_memory() -> None:
    said = outputs(b"gonogo::output a=", *[b"x" * LONGEST_LINE_BYTES] * 3, b"\ngonogo::output b=1\n")
    assert said.found == {"b": "1"}


def test_outputs_that_no_event_can_hold_are_left_out_and_counted() -> None:
    said = outputs(b"gonogo::output a=" + b"\x01" * (OUTPUTS_BYTES // 4) + b"\ngonogo::output b=1\n")
    assert (said.found, said.left_out) == ({"b": "1"}, 1)
