"""What is printed: where, in which colours, and what is never let through."""

import io

import pytest

from services.cli.output import Output, clean, when


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def table_on(stream: io.StringIO) -> str:
    Output(as_json=False, out=stream).table(("id", "status"), [("a" * 300, "success"), ("b", "failed")])
    return stream.getvalue()


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")


def test_a_pipe_gets_no_escape_sequence_and_nothing_is_cut() -> None:
    text = table_on(io.StringIO())
    assert "\x1b" not in text
    assert "a" * 300 in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_a_terminal_gets_colours() -> None:
    assert "\x1b[" in table_on(Terminal())


def test_no_color_turns_them_off_on_a_terminal_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in table_on(Terminal())
    assert "\x1b[1;31m" not in table_on(Terminal())


def test_a_name_of_somebody_cannot_write_escape_sequences() -> None:
    stream = io.StringIO()
    Output(as_json=False, out=stream).table(("name",), [("\x1b]0;owned\x07red \x1b[31mx",)])
    assert "\x1b" not in stream.getvalue()
    assert "\x07" not in stream.getvalue()


def test_markup_in_a_name_is_shown_and_not_obeyed() -> None:
    stream = io.StringIO()
    Output(as_json=False, out=stream).table(("name",), [("[bold]x[/bold] :smile:",)])
    assert "[bold]x[/bold] :smile:" in stream.getvalue()


def test_direction_overrides_are_replaced() -> None:
    assert "\u202e" not in clean("abc\u202edef")


def test_a_log_keeps_its_lines_and_loses_its_escape_sequences() -> None:
    stream = io.StringIO()
    Output(as_json=False, out=stream).raw("one\n\x1b[2Jtwo")
    assert stream.getvalue() == "one\n\N{REPLACEMENT CHARACTER}[2Jtwo\n"


def test_an_empty_table_says_so_on_stderr_and_leaves_stdout_empty() -> None:
    out, err = io.StringIO(), io.StringIO()
    Output(as_json=False, out=out, err=err).table(("id",), [], empty="No plan matches.")
    assert out.getvalue() == ""
    assert err.getvalue() == "No plan matches.\n"


def test_json_is_what_was_answered_but_for_its_spaces() -> None:
    out = io.StringIO()
    Output(as_json=True, out=out).json(b'{"b":1,"a":"\\u001b"}')
    assert out.getvalue() == '{\n  "b": 1,\n  "a": "\\u001b"\n}\n'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-11-21T00:00:00+01:00", "2026-11-20 23:00:00"),
        ("2026-11-21T00:00:00.123456Z", "2026-11-21 00:00:00"),
        (None, ""),
        ("soon", "soon"),
    ],
)
def test_a_time_is_shown_in_utc_whatever_its_offset(text: str | None, shown: str) -> None:
    assert when(text) == shown


def test_the_id_of_a_plan_stays_whole_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    out = Terminal()
    columns = ("id", "no", "name", "project", "status", "owner", "window start", "updated")
    row = (
        "0123456789abcdef01234567",
        12,
        "Release of the web",
        "web",
        "planning",
        "user:olivia",
        "",
        "2026-11-21 07:00:22",
    )
    Output(as_json=False, out=out).table(columns, [row])
    assert row[0] in out.getvalue()
