"""The commands as they are typed: help, exit codes, what is sent, what is printed where."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from services.cli.app import ALONE, NOUNS, SYSTEM, build, main
from services.cli.exits import EXIT_CODES
from tests.unit.cli.conftest import FakeGateway

PLAN = "a" * 24


class Shell:
    """Runs commands against the stand-in, in a thread, since a command makes an event loop of its own."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        self._capfd.readouterr()
        code = await asyncio.to_thread(main, arguments)
        out, err = self._capfd.readouterr()
        return code, out, err


@pytest.fixture
def shell(capfd: pytest.CaptureFixture[str], fake: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("GONOGO_URL", fake.url)
    monkeypatch.setenv("GONOGO_TOKEN", "gng_very-secret")
    return Shell(capfd)


def test_help_imports_neither_aiohttp_nor_the_bus() -> None:
    code = (
        "import sys\nfrom services.cli.app import main\nmain(['--help']); main(['plan', '--help'])\n"
        "loaded = {'aiohttp', 'faststream', 'nats', 'asyncpg', 'structlog'} & set(sys.modules)\n"
        "sys.exit(f'loaded {loaded}' if loaded else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_help_names_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for code, meaning in EXIT_CODES.items():
        assert f"{int(code)}  {meaning}" in text


@pytest.mark.parametrize(
    "words",
    [(noun, name) for noun, (_, verbs) in NOUNS.items() for name, _, _ in verbs]
    + [(name,) for name, _, _ in (*ALONE, *SYSTEM)],
)
def test_every_command_exists_and_explains_itself(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--help"]) == 0
    assert f"gonogo {' '.join(words)}" in capsys.readouterr().out


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
def test_completion_knows_the_nouns(shell_name: str) -> None:
    script = build().generate_completion(shell=shell_name)  # type: ignore[arg-type]  # one of the three
    for noun in NOUNS:
        assert noun in script


@pytest.mark.parametrize(
    "words",
    [("plnn",), ("plan", "shov"), ("plan", "show"), ("plan", "vote", PLAN, "perhaps"), ("item", "skip", PLAN, "x")],
)
def test_a_wrong_command_line_is_a_sentence_and_2(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(list(words)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("gonogo: ")
    assert "Traceback" not in captured.err


async def test_json_on_stdout_is_the_answer_and_stderr_is_empty(shell: Shell, fake: FakeGateway) -> None:
    fake.answer(200, {"id": "user:olivia", "groups": [], "administrator": False, "channel": "http"})
    code, out, err = await shell.run("me", "-o", "json")
    assert code == 0
    assert msgspec.json.decode(out)["id"] == "user:olivia"
    assert err == ""


async def test_the_token_is_sent_and_never_printed(shell: Shell, fake: FakeGateway) -> None:
    fake.refuse(401, "unauthenticated", "Show a token.")
    code, out, err = await shell.run("me")
    assert code == 4
    assert fake.asked[0].headers["Authorization"] == "Bearer gng_very-secret"
    assert "very-secret" not in out + err


async def test_a_refusal_prints_its_faults_on_stderr_and_nothing_on_stdout(shell: Shell, fake: FakeGateway) -> None:
    fake.answer(200, {}, ETag='"7"')
    fake.refuse(422, "not_sealable", "One problem.", ("/owner", "names nobody"))
    code, out, err = await shell.run("plan", "seal", PLAN)
    assert code == 1
    assert out == ""
    assert err == "gonogo: One problem. (not_sealable)\n  /owner: names nobody\n"


async def test_a_move_insists_on_the_version_that_it_read(shell: Shell, fake: FakeGateway) -> None:
    fake.answer(200, {}, ETag='"7"')
    fake.answer(200, {"id": PLAN, "version": 8, "position": 9})
    code, out, err = await shell.run("plan", "seal", PLAN)
    assert code == 0
    assert fake.asked[1].headers["If-Match"] == '"7"'
    assert (out, err) == ("", "Sealed (version 8, position 9).\n")


async def test_a_word_too_many_is_named(shell: Shell, fake: FakeGateway) -> None:
    code, _, err = await shell.run("plan", "show", PLAN, "extra")
    assert (code, err) == (2, "gonogo: 'extra' is more than this command takes. Try --help.\n")


async def test_an_edit_that_changes_nothing_is_not_called_a_change(shell: Shell, fake: FakeGateway) -> None:
    fake.answer(200, {}, ETag='"7"')
    fake.answer(200, {"id": PLAN, "version": 7, "position": 9, "changed": False})
    code, out, err = await shell.run("plan", "edit", PLAN, "--name", "The same")
    assert (code, out, err) == (0, "", "Nothing to change, it is so already (version 7, position 9).\n")


async def test_if_match_of_the_command_line_is_sent_without_reading_first(shell: Shell, fake: FakeGateway) -> None:
    fake.refuse(412, "version_conflict", "It is now at version 8.")
    code, _, err = await shell.run("plan", "submit", PLAN, "--if-match", "7")
    assert code == 6
    assert [asked.headers["If-Match"] for asked in fake.asked] == ['"7"']
    assert "version_conflict" in err


async def test_a_list_follows_the_pages_up_to_its_limit(shell: Shell, fake: FakeGateway) -> None:
    fake.answer(200, {"plans": [row(1), row(2)], "next": "c1", "position": 1})
    fake.answer(200, {"plans": [row(3)], "next": "c2", "position": 1})
    code, out, err = await shell.run("plan", "list", "--limit", "3", "--owner", "user:olivia")
    assert code == 0
    assert [line.split()[1] for line in out.splitlines()] == ["NO", "1", "2", "3"]
    assert fake.asked[1].query == {"owner": "user:olivia", "limit": "1", "cursor": "c1"}
    assert "more" in err


def row(number: int) -> dict[str, Any]:
    return {
        "id": f"{number:024x}",
        "index": number,
        "name": "Release",
        "project": "hello",
        "status": "planning",
        "owners": ["user:olivia"],
        "window_start": None,
        "updated_at": "2026-11-20T20:48:19Z",
    }


async def test_an_import_sends_the_file_as_it_is_and_prints_the_id_alone(
    shell: Shell, fake: FakeGateway, tmp_path: Path
) -> None:
    file = tmp_path / "list.md"
    file.write_bytes(b"- [ ] \xc3\xa4\r\n")
    fake.answer(201, {"id": PLAN, "version": 1, "position": 1})
    code, out, _ = await shell.run("plan", "import", str(file), "--project", "hello", "--name", "R")
    assert (code, out) == (0, f"{PLAN}\n")
    assert fake.asked[0].body == b"- [ ] \xc3\xa4\r\n"
    assert fake.asked[0].query == {"project": "hello", "name": "R", "source": "list.md"}
    assert fake.asked[0].headers["Content-Type"] == "text/markdown"


async def test_a_file_that_is_not_there_is_a_sentence(shell: Shell, fake: FakeGateway) -> None:
    code, _, err = await shell.run("plan", "import", "/nowhere.md")
    assert code == 2
    assert err == "gonogo: /nowhere.md cannot be read: no such file or directory.\n"


async def test_a_file_that_is_neither_json_nor_yaml_says_where(shell: Shell, fake: FakeGateway, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"name": ')
    code, _, err = await shell.run("plan", "create", str(tmp_path / "x.json"))
    assert code == 2
    assert "x.json:2:1: is not YAML" in err


@pytest.mark.parametrize("text", ['{"name": "R", "labels": ["1"]}', 'name: "R"\nlabels: [1]\n'])
async def test_a_plan_is_created_from_json_and_from_yaml_and_options_go_before_the_file(
    shell: Shell, fake: FakeGateway, tmp_path: Path, text: str
) -> None:
    (tmp_path / "x").write_text(text)
    fake.answer(201, {"id": PLAN, "version": 1, "position": 1})
    code, out, _ = await shell.run("plan", "create", str(tmp_path / "x"), "--project", "hello", "--name", "S")
    assert (code, out) == (0, f"{PLAN}\n")
    assert msgspec.json.decode(fake.asked[0].body) == {"project": "hello", "name": "S", "labels": ["1"]}


async def test_faults_of_a_yaml_file_have_their_places(shell: Shell, fake: FakeGateway, tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text(
        "stages:\n- name: build\n  stepps: []\n  steps:\n  - {type: script, name: a, script: ls}\n"
    )
    code, _, err = await shell.run("workflow", "put", "hello", "pack", str(tmp_path / "w.yaml"))
    assert (code, fake.asked) == (2, [])
    assert "w.yaml:3:3: /stages/0/stepps: is not a known field" in err


async def test_a_file_of_fields_must_hold_fields(shell: Shell, fake: FakeGateway, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("- a\n- b\n")
    code, _, err = await shell.run("workflow", "put", "hello", "pack", str(tmp_path / "x"))
    assert (code, fake.asked) == (2, [])
    assert err.endswith("must hold fields, in JSON or YAML.\n")


async def test_an_edit_without_a_change_is_refused(shell: Shell, fake: FakeGateway) -> None:
    code, _, err = await shell.run("plan", "edit", PLAN)
    assert code == 2
    assert "Nothing to change" in err


async def test_watch_ends_when_the_plan_has_succeeded(shell: Shell, fake: FakeGateway) -> None:
    from tests.unit.cli.test_client import stream_of

    def told(position: int, event_type: str) -> bytes:
        data = {"position": position, "type": event_type, "at": "2026-11-20T20:48:19Z", "actor": "user:ana", "data": {}}
        return f"id: {position}\nevent: {event_type}\ndata: ".encode() + msgspec.json.encode(data) + b"\n\n"

    view = {"id": PLAN, "status": "executing", "position": 1, "content": {"name": "R"}}
    fake.answer(200, view)
    fake.answers.append(stream_of(told(1, "plan.created.v1"), told(4, "plan.succeeded.v1")))
    code, out, _ = await shell.run("plan", "watch", PLAN)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["1", "4"]


@pytest.mark.parametrize("url", ["ftp://x", "127.0.0.1:8640", "http://me:pw@127.0.0.1"])
async def test_a_wrong_address_is_a_sentence_that_repeats_no_password(
    url: str, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GONOGO_URL", url)
    code, _, err = await shell.run("me")
    assert code == 2
    assert "GONOGO_URL" in err
    assert "pw" not in err


async def test_a_token_file_that_cannot_be_read_is_named(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GONOGO_TOKEN")
    monkeypatch.setenv("GONOGO_TOKEN_FILE", "/nowhere/token")
    code, _, err = await shell.run("me")
    assert code == 2
    assert "/nowhere/token" in err


def test_a_reader_that_has_read_enough_is_no_fault() -> None:
    command = [sys.executable, "-m", "services.cli", "completion", "bash"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


async def test_an_answer_that_nobody_expected_is_a_sentence_too(shell: Shell, fake: FakeGateway) -> None:
    fake.answer(200, {"something": "else"})
    code, out, err = await shell.run("me")
    assert (code, out) == (70, "")
    assert err.startswith("gonogo: Unexpected: KeyError")
    assert "Traceback" not in err


def _streamed(*events: dict[str, Any]) -> Any:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for event in events:
            data = msgspec.json.encode({"attempt": 1, "ended": False, "outcome": "", "error": "", **event})
            await response.write(b"id: %d\nevent: log\ndata: %s\n\n" % (event["offset"], data))
        return response

    return answer


@pytest.mark.parametrize(("outcome", "code"), [("done", 0), ("failed", 1), ("cancelled", 1)])
async def test_a_followed_log_goes_on_where_it_broke_and_ends_as_the_attempt_did(
    shell: Shell, fake: FakeGateway, outcome: str, code: int
) -> None:
    fake.answers.append(_streamed({"offset": 4, "text": "one\n"}))
    end = {"offset": 12, "text": "", "ended": True, "outcome": outcome, "error": "step x: exit code 1"}
    fake.answers.append(_streamed({"offset": 12, "text": "t" * 200_000 + "\n"}, end))
    ended, out, err = await shell.run("item", "log", PLAN, "deploy", "--follow", "--attempt", "1")
    assert (ended, out) == (code, "one\n" + "t" * 200_000 + "\n")
    assert ("exit code 1" in err) == (code == 1)
    first, second = fake.asked
    assert (first.path, first.query) == (f"/api/v1/plans/{PLAN}/items/deploy/log/stream", {"attempt": "1"})
    assert "Last-Event-ID" not in first.headers
    assert second.headers["Last-Event-ID"] == "4"


REHEARSAL = {
    "outcome": "timeout",
    "code": "",
    "detail": "",
    "faults": [],
    "window_suffices": False,
    "spare_seconds": None,
    "expected_seconds": None,
    "at_least_seconds": 300.0,
    "starts_at": "2026-11-20T20:00:00Z",
    "ends_at": "2026-11-20T20:05:00Z",
    "steps": [{"at": "2026-11-20T20:00:00Z", "type": "plan.sealed.v1", "by": "user:olivia", "item": "", "gate": ""}],
    "approval": [
        {
            "level": 1,
            "opens_at": "2026-11-20T20:00:00Z",
            "rules": [
                {"approvers": [], "needed": 1, "people": ["user:ana"], "kept_out": {"user:ben": "self_approval"}}
            ],
        }
    ],
    "hooks": [],
    "stages": [["deploy"]],
    "items": [
        {
            "item": "deploy",
            "name": "Deploy",
            "stage": 1,
            "starts_at": "2026-11-20T20:00:00Z",
            "ends_at": None,
            "expected_seconds": 600.0,
            "basis": "median of 3 earlier runs of web/deploy",
        }
    ],
    "assumptions": ["Nobody rejects."],
}


async def test_a_rehearsal_that_does_not_get_to_the_end_says_so_and_ends_with_1(
    shell: Shell, fake: FakeGateway
) -> None:
    fake.answer(200, REHEARSAL)
    code, out, err = await shell.run("plan", "rehearse", PLAN)
    assert code == 1
    assert "does not suffice" in out
    assert "300.0" not in out
    assert "5 min at least" in out
    assert "median of 3 earlier runs of web/deploy" in out
    assert "Nobody rejects." in err
    code, out, _ = await shell.run("plan", "rehearse", PLAN, "--steps")
    assert "plan.sealed.v1" in out


async def test_a_seal_check_ends_with_1_and_lists_every_fault(shell: Shell, fake: FakeGateway) -> None:
    faults = [{"path": "/items", "detail": "is empty"}]
    fake.answer(
        200, {"sealable": False, "detail": "1 problem.", "code": "not_sealable", "faults": faults, "version": 3}
    )
    code, out, err = await shell.run("plan", "seal", PLAN, "--check")
    assert code == 1
    assert "/items" in out
    assert "not_sealable" in err
    assert [asked.method for asked in fake.asked] == ["GET"]


async def test_a_calendar_goes_to_stdout_where_a_hyphen_is_its_file(shell: Shell, fake: FakeGateway) -> None:
    fake.answer(200, b"BEGIN:VCALENDAR")
    assert await shell.run("calendar", "export", "-", "--owner", "user:olivia") == (0, "BEGIN:VCALENDAR", "")
    assert fake.asked[0].query == {"owner": "user:olivia"}


async def test_a_revision_is_shown_by_the_name_that_a_plan_is_created_from(shell: Shell, fake: FakeGateway) -> None:
    fake.answer(200, {"name": "web", "revision": 3, "template": {}})
    await shell.run("template", "show", "web@3")
    assert (fake.asked[0].path, fake.asked[0].query) == ("/api/v1/templates/web", {"revision": "3"})


async def test_a_wrong_value_of_an_option_is_a_fault_of_the_command_line(shell: Shell, fake: FakeGateway) -> None:
    fake.refuse(400, "invalid_parameter", "The query string has 1 fault.", ("status", "must be one of ..."))
    code, out, err = await shell.run("plan", "list", "--status", "nope")
    assert (code, out) == (2, "")
    assert "status: must be one of" in err
