"""Endpoints, deliveries and gates on the command line: what is sent, what is printed where."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.unit.cli.conftest import FakeGateway
from tests.unit.cli.test_commands import PLAN, Shell

DONE = {"id": "e" * 24, "version": 2, "position": 9}
ROW = {
    "id": "d" * 24,
    "event": "finish_planning",
    "round": 1,
    "endpoint_name": "board",
    "state": "dead",
    "attempts": 2,
    "status": 500,
    "created_at": "2026-11-20T08:15:03Z",
    "next_at": None,
    "error": "status: told\x07so",
}


@pytest.fixture
def shell(capfd: pytest.CaptureFixture[str], fake: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("GONOGO_URL", fake.url)
    monkeypatch.setenv("GONOGO_TOKEN", "gng_very-secret")
    return Shell(capfd)


def sent(fake: FakeGateway, number: int = -1) -> Any:
    return msgspec.json.decode(fake.asked[number].body)


async def test_an_endpoint_is_put_as_it_was_described(shell: Shell, fake: FakeGateway, tmp_path: Path) -> None:
    fake.answer(200, DONE)
    (tmp_path / "secret").write_text("whsec_AAAA\n")
    options = ("--secret-file", str(tmp_path / "secret"), "--format", "both", "--event", "gate.>", "--event", "plan.*")
    code, _, err = await shell.run("endpoint", "put", "board", "https://e.org/h", *options, "--ordered", "--verify")
    assert (code, fake.asked[0].method, fake.asked[0].path) == (0, "PUT", "/api/v1/endpoints/board")
    assert sent(fake) == {
        "url": "https://e.org/h",
        "enabled": True,
        "format": "both",
        "ordered": True,
        "verify": True,
        "signing": "hmac",
        "secret": "whsec_AAAA",
        "events": ["gate.>", "plan.*"],
    }
    assert "whsec" not in err


@pytest.mark.parametrize(
    ("words", "path", "body"),
    [
        (("rotate", "board"), "/rotate", {"overlap_seconds": 86_400}),
        (("test", "board"), "/test", {}),
        (("enable", "board"), "/enable", {"reason": ""}),
        (("disable", "board", "--reason", "moving"), "/disable", {"reason": "moving"}),
    ],
)
async def test_each_verb_of_an_endpoint_is_one_request(
    shell: Shell, fake: FakeGateway, words: tuple[str, ...], path: str, body: dict[str, Any]
) -> None:
    fake.answer(200, DONE)
    assert (await shell.run("endpoint", *words))[0] == 0
    assert (fake.asked[0].method, fake.asked[0].path) == ("POST", f"/api/v1/endpoints/board{path}")
    assert sent(fake) == body


async def test_deliveries_are_listed_by_what_is_asked_for(shell: Shell, fake: FakeGateway) -> None:
    fake.answer(200, {"deliveries": [ROW], "next": "more"})
    options = ("--endpoint", "board", "--state", "dead", "--state", "retrying", "--since", "2026-11-20T00:00:00Z")
    code, out, err = await shell.run("delivery", "list", PLAN, *options)
    assert fake.asked[0].query == {
        "plan": PLAN,
        "endpoint": "board",
        "state": "dead,retrying",
        "since": "2026-11-20T00:00:00Z",
        "limit": "100",
    }
    assert (code, "board" in out, "\x07" in out, "older" in err) == (0, True, False, True)


async def test_resending_goes_on_until_all_pages_are_sent(shell: Shell, fake: FakeGateway) -> None:
    fake.answer(200, {"resent": ["a", "b"], "refused": [], "next": "page2"})
    fake.answer(
        200, {"resent": ["c"], "refused": [{"delivery": "d", "code": "forbidden", "detail": "no"}], "next": None}
    )
    code, out, err = await shell.run("delivery", "resend", "--endpoint", "board", "--key", "k")
    assert [sent(fake, 0), sent(fake, 1)] == [{"endpoint": "board"}, {"endpoint": "board", "after": "page2"}]
    assert [asked.headers["Idempotency-Key"] for asked in fake.asked] == ["k", "k-1"]
    assert (code, "3 are tried again" in err, "forbidden" in out) == (0, True, True)


async def test_resending_without_saying_what_is_asked_nobody(shell: Shell, fake: FakeGateway) -> None:
    code, _, err = await shell.run("delivery", "resend", "--until", "2026-11-20T00:00:00Z")
    assert (code, fake.asked, "--since" in err) == (2, [], True)


@pytest.mark.parametrize(
    ("refused", "said"),
    [([], "No hook went out"), ([{"delivery": "d", "code": "forbidden", "detail": "not yours"}], "not yours")],
)
async def test_a_gate_whose_hooks_are_refused_is_not_told_as_one_without_hooks(
    refused: list[Any], said: str, shell: Shell, fake: FakeGateway
) -> None:
    fake.answer(200, {"resent": [], "refused": refused, "next": None})
    _, out, err = await shell.run("gate", "resend", PLAN, "start_execute")
    assert said in out + err
    assert ("No hook went out" in err) is not bool(refused)


async def test_a_gate_shows_on_whom_it_waits_and_what_happens_then(shell: Shell, fake: FakeGateway) -> None:
    gate = {
        "gate": "start_execute",
        "asks": True,
        "state": "open",
        "round": 2,
        "instance_code": "c" * 16,
        "since": "2026-11-20T08:15:03Z",
        "until": "2026-11-21T08:15:03Z",
        "text": "",
        "waiting_for": ["endpoint:board"],
        "systems": [{"system": "endpoint:board", "result": "waiting", "text": "", "at": None}],
        "deliveries": [ROW],
        "then": "Without an answer the round expires.",
    }
    fake.answer(200, {"gates": [gate]})
    code, out, _ = await shell.run("gate", "show", PLAN)
    assert (code, fake.asked[0].path) == (0, f"/api/v1/plans/{PLAN}/gates")
    for text in ("start_execute: open", "endpoint:board", "c" * 16, "2026-11-21 08:15:03", "the round expires", "dead"):
        assert text in out
