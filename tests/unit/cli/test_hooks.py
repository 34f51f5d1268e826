"""A receiver's tools: what `hooks listen` believes, prints and answers, and what `hooks replay` sends."""

import asyncio
import base64
import io
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks import Webhook

from contracts.moments import moment
from infra.clock import SystemClock
from services.cli.app import main
from services.cli.hooks.desk import Desk, Say
from services.cli.hooks.receiver import Hook
from services.cli.hooks.receiver import Receiver as Listener
from services.cli.hooks.saved import Saved, read_saved
from services.cli.hooks.signature import signature_fault, signature_of
from services.cli.hooks.told import callback_of, told_of
from services.cli.output import Output
from services.cli.problems import Problem
from tests.support.receiver import Receiver
from tests.support.wait import PATIENCE_SECONDS
from tests.unit.cli.conftest import FakeGateway

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
PRIVATE = Ed25519PrivateKey.from_private_bytes(b"7" * 32)
PAIR = tuple(
    prefix + base64.b64encode(raw).decode()
    for prefix, raw in (("whsk_", b"7" * 32), ("whpk_", PRIVATE.public_key().public_bytes_raw()))
)
SAMPLE = re.sub(
    r",(\s*})", r"\1", (Path(__file__).parents[2] / "contract/zadig_hook_body.json").read_text(encoding="utf-8")
)
NOW = 1_800_000_000


def zadig(status: str = "wait_for_all_done_external_check") -> bytes:
    body = msgspec.json.decode(SAMPLE)
    body["release_plan"] |= {"status": status, "instance_code": "00ff" * 4}
    return msgspec.json.encode(body)


def event(kind: str, data: Any) -> bytes:
    return msgspec.json.encode({"specversion": "1.0", "id": "e/1", "type": kind, "plan": "p" * 24, "data": data})


# Signatures


def headers_of(secret: str, body: bytes, at: int = NOW) -> dict[str, str]:
    return {"webhook-id": "d1", "webhook-timestamp": str(at), "webhook-signature": signature_of(secret, "d1", at, body)}


@pytest.mark.parametrize(("signing", "checking"), [(SECRET, SECRET), ("plain", "plain"), PAIR])
def test_what_was_signed_is_believed_and_nothing_else(signing: str, checking: str) -> None:
    headers = headers_of(signing, b"{}")
    assert signature_fault(checking, headers, b"{}", NOW) is None
    assert signature_fault(["whsec_" + "AAAA", checking], headers, b"{}", NOW) is None
    assert signature_fault(checking, headers, b"{ }", NOW) == "no signature fits"
    assert signature_fault("another", headers, b"{}", NOW) == "no signature fits"
    assert signature_fault(checking, headers, b"{}", NOW + 301) == "the timestamp is not of now"
    without = {name: value for name, value in headers.items() if name != "webhook-signature"}
    assert signature_fault(checking, without, b"{}", NOW) == "it is not signed"


def test_what_we_sign_the_published_library_believes() -> None:
    at = SystemClock().now() // 1_000_000
    assert Webhook(SECRET).verify(b'{"a":1}', headers_of(SECRET, b'{"a":1}', at)) == {"a": 1}
    assert Webhook(SECRET).sign("d1", moment(at * 1_000_000), "{}") == signature_of(SECRET, "d1", at, b"{}")


def test_a_signature_of_one_kind_is_none_of_the_other() -> None:
    text = headers_of(PAIR[0], b"{}")["webhook-signature"].replace("v1a,", "v1,")
    assert signature_fault(PAIR[1], {**headers_of(PAIR[0], b"{}"), "webhook-signature": text}, b"{}", NOW)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_?", "whpk_AAAA", "whpk_", PAIR[0]])
def test_a_secret_that_cannot_check_is_refused_without_showing_it(secret: str) -> None:
    with pytest.raises(ValueError, match=r"wh(sec|pk|sk)_") as refused:
        signature_fault(secret, headers_of(SECRET, b""), b"", NOW)
    assert PAIR[0] not in str(refused.value)


# What a hook says


def test_both_formats_of_a_hook_say_the_same() -> None:
    first = told_of(zadig())
    second = told_of(event("hook.all_job_done.v1", msgspec.json.decode(zadig())))
    assert (first.format, second.format) == ("zadig", "standard")
    assert msgspec.structs.replace(first, format="standard") == second
    assert first.awaited
    assert (first.event, first.name, first.jobs) == ("all_job_done", "workflow-plan-3", (("all", "failed"),))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"null", b"{", b'{"object_kind":"release_plan"}', b"\xff"])
def test_what_is_no_hook_of_ours_is_told_as_such(body: bytes) -> None:
    assert told_of(body).format == ""


def test_a_hook_that_nobody_waits_for_asks_for_no_answer() -> None:
    assert not told_of(zadig("success")).awaited
    assert not told_of(zadig("wait_for_all_done_external_check_failed")).awaited
    assert not told_of(event("plan.sealed.v1", {})).awaited


def test_an_answer_has_its_reason_where_the_reference_has_it() -> None:
    failed, progress = (callback_of(told_of(zadig()), *say) for say in (("failed", "why"), ("executing", "half")))
    assert (failed.failed_reason, failed.description) == ("why", "")
    assert (progress.failed_reason, progress.description) == ("", "half")
    with pytest.raises(msgspec.ValidationError):
        callback_of(told_of(zadig()), "perhaps", "")


# Listening


class Heard:
    """A receiver and its desk, what they print, and what they would have answered."""

    def __init__(self, say: Say = ("success", ""), *, as_json: bool = True, count: int = 1, **more: Any) -> None:
        self.out = io.StringIO()
        self.sent: list[tuple[str, Say]] = []

        async def saying(_: Hook) -> Say:
            return say

        async def sending(hook: Hook, said: Say) -> str:
            self.sent.append((hook.told.code, said))
            return "accepted"

        save = more.pop("save", None)
        self.desk = Desk(Output(as_json=as_json, out=self.out, err=self.out), saying, sending, save=save, count=count)
        self.listener = Listener(self.desk.take, SystemClock(), **more)

    async def hear(self, *posts: tuple[dict[str, str], bytes]) -> list[tuple[int, str]]:
        answers = []
        await self.listener.open("127.0.0.1", 0)
        try:
            async with ClientSession() as session:
                for headers, body in posts:
                    async with session.post(self.listener.url + "any/path", data=body, headers=headers) as answer:
                        answers.append((answer.status, await answer.text()))
            async with asyncio.timeout(5):
                await self.desk.work()
        finally:
            await self.listener.close()
        return answers

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(line) for line in self.out.getvalue().splitlines()]


def signed(body: bytes, secret: str = SECRET) -> tuple[dict[str, str], bytes]:
    return headers_of(secret, body, SystemClock().now() // 1_000_000), body


async def test_a_genuine_hook_is_printed_and_answered_once_however_often_it_comes() -> None:
    heard = Heard(secrets=(SECRET,), count=3)
    assert await heard.hear(*[signed(zadig())] * 3) == [(204, "")] * 3
    assert [(line["verdict"], line["times"]) for line in heard.lines[:3]] == [
        ("genuine", 1),
        ("genuine", 2),
        ("genuine", 3),
    ]
    assert heard.sent == [("00ff" * 4, ("success", ""))]
    assert heard.lines[0]["body"]["release_plan"]["name"] == "workflow-plan-3"
    assert heard.lines[3] == {"delivery": "d1", "answered": "success", "text": "", "taken": "accepted"}


async def test_a_forged_hook_is_refused_with_its_reason_and_never_answered_or_kept(tmp_path: Path) -> None:
    heard = Heard(secrets=(SECRET,), save=tmp_path / "kept")
    assert await heard.hear(signed(zadig(), "another")) == [(401, "no signature fits")]
    assert (heard.lines[0]["verdict"], heard.sent) == ("forged", [])
    assert not (tmp_path / "kept").exists()


async def test_for_a_person_a_hook_is_a_few_clear_lines() -> None:
    heard = Heard(("failed", "no\x1b[31m"), as_json=False)
    await heard.hear(({"webhook-id": "d1"}, zadig()))
    text = heard.out.getvalue()
    for words in ("all_job_done  not checked", "delivery d1", '"workflow-plan-3"', "failed   all", "the code 00ff"):
        assert words in text
    assert "answered failed" in text
    assert "\x1b" not in text


async def test_a_challenge_is_echoed() -> None:
    heard = Heard()
    answers = await heard.hear(({}, event("endpoint.challenged.v1", {"challenge": "abc"})))
    assert answers == [(200, '{"challenge": "abc"}')]


async def test_a_receiver_answers_with_the_status_that_it_was_told() -> None:
    assert await Heard(status=503).hear(({}, zadig())) == [(503, "")]


async def test_two_receivers_cannot_have_one_port() -> None:
    first, second = Heard().listener, Heard().listener
    await first.open("127.0.0.1", 0)
    try:
        with pytest.raises(Problem, match="Nothing can listen"):
            await second.open("127.0.0.1", int(first.url.rstrip("/").rpartition(":")[2]))
    finally:
        await first.close()


Run = Callable[..., Awaitable[tuple[int, str, str]]]


async def run_beside(
    arguments: list[str], *posts: tuple[dict[str, str], bytes], environ: dict[str, str], stdin: bytes = b""
) -> tuple[int, str, str]:
    """`gonogo ...` as a process, with these requests sent to where it says that it listens."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services.cli", *arguments, "-o", "json"),
        env={"PATH": "/usr/bin:/bin", **environ},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        first = await asyncio.wait_for(process.stdout.readline(), PATIENCE_SECONDS)
        url = msgspec.json.decode(first)["listening"]
        async with ClientSession() as session:
            for headers, body in posts:
                async with session.post(url, data=body, headers=headers) as answer:
                    assert answer.status == 204
        out, err = await asyncio.wait_for(process.communicate(stdin), PATIENCE_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, out.decode(), err.decode()


async def test_listen_asks_the_person_and_answers_the_gateway(fake: FakeGateway, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    fake.answer(200, {"id": "p"})
    code, out, _ = await run_beside(
        [
            "hooks",
            "listen",
            "--port",
            "0",
            "--answer",
            "ask",
            "--count",
            "1",
            "--secret-file",
            str(tmp_path / "secret"),
        ],
        signed(zadig()),
        environ={"GONOGO_URL": fake.url, "GONOGO_TOKEN": "t"},
        stdin=b"failed tests are red\n",
    )
    assert code == 0
    (asked,) = fake.asked
    assert (asked.method, asked.path) == ("POST", "/api/callback/release_plan")
    assert msgspec.json.decode(asked.body) == {
        "hook_event": "all_job_done",
        "release_plan_id": "68b7ec363306e52e21b2dbe6",
        "instance_code": "00ff" * 4,
        "result": "failed",
        "failed_reason": "tests are red",
        "description": "",
    }
    assert msgspec.json.decode(out.splitlines()[-1])["taken"] == "accepted"


@pytest.mark.parametrize("arguments", [["--status", "99"], ["--count", "0"], ["--secret-file", "/nowhere"]])
async def test_listen_refuses_what_makes_no_sense(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert await asyncio.to_thread(main, ["hooks", "listen", "--port", "0", *arguments]) == 2
    assert capfd.readouterr().err.startswith("gonogo: ")


# Sending again


async def test_what_a_receiver_kept_is_sent_again_with_its_id_and_bytes_and_signed_anew(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept, secret = tmp_path / "kept", tmp_path / "secret"
    secret.write_text(SECRET)
    bodies = [zadig(), '{"ünï": 1}'.encode()]
    await Heard(save=kept, count=2).hear(
        *[({"webhook-id": f"d{i}", "X-Team": "a"}, body) for i, body in enumerate(bodies)]
    )
    assert b"signature" not in kept.read_bytes()
    async with Receiver(204, 500) as receiver:
        arguments = ["hooks", "replay", receiver.url, "--file", str(kept), "--secret-file", str(secret), "-o", "json"]
        code = await asyncio.to_thread(main, arguments)
    captured = capfd.readouterr()
    assert [hook.body for hook in receiver.requests] == bodies
    assert [hook.id for hook in receiver.requests] == ["d0", "d1"]
    for hook in receiver.requests:
        Webhook(SECRET).verify(hook.body, dict(hook.headers))
        assert hook.headers["x-team"] == "a"
    assert [msgspec.json.decode(line)["status"] for line in captured.out.splitlines()] == [204, 500]
    assert (code, "1 of 2 hooks were not taken" in captured.err) == (1, True)


async def test_replay_says_what_went_wrong_and_follows_no_redirect(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "kept"
    file.write_bytes(msgspec.json.encode(Saved("d1", "{}")) + b"\n\n")
    async with Receiver() as elsewhere, Receiver({"status": 307, "Location": elsewhere.url}, "hang") as receiver:
        for _ in range(2):
            command = ["hooks", "replay", receiver.url, "--file", str(file), "--timeout", "0.2"]
            assert await asyncio.to_thread(main, command) == 1
    assert elsewhere.requests == []
    out = capfd.readouterr().out
    assert "d1  307" in out
    assert "d1  failed  no answer in time" in out


@pytest.mark.parametrize(
    "arguments",
    [["http://127.0.0.1:1/"], ["http://e.org", "--plan", "p", "--file", "f"], ["ftp://e.org", "--file", "f"]],
)
async def test_replay_refuses_what_makes_no_sense(arguments: list[str]) -> None:
    assert await asyncio.to_thread(main, ["hooks", "replay", *arguments]) == 2


def test_a_file_that_is_none_names_its_line(tmp_path: Path) -> None:
    file = tmp_path / "kept"
    file.write_bytes(msgspec.json.encode(Saved("d1", "{}")) + b"\nnonsense\n")
    with pytest.raises(Problem, match="line 2"):
        read_saved(str(file))


async def test_hooks_of_a_plan_are_sent_again_oldest_first(
    fake: FakeGateway, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GONOGO_URL", fake.url)
    monkeypatch.setenv("GONOGO_TOKEN", "t")
    ids = ["b" * 24, "a" * 24]
    fake.answer(200, {"deliveries": [{"id": one, "event": "start_execute"} for one in [*ids, "c" * 24]]})
    for one in ["c" * 24, *reversed(ids)]:
        hook = {"webhook_id": one, "event": "start_execute", "headers": {"x-zadig-event": "release_plan"}, "body": "{}"}
        fake.answer(200, hook)
    async with Receiver() as receiver:
        code = await asyncio.to_thread(
            main, ["hooks", "replay", receiver.url, "--plan", "p" * 24, "--endpoint", "board"]
        )
    assert code == 0, capfd.readouterr().err
    assert [hook.id for hook in receiver.requests] == ["c" * 24, *reversed(ids)]
    assert receiver.requests[0].headers["x-zadig-event"] == "release_plan"
    assert "webhook-signature" not in receiver.requests[0].headers
    assert fake.asked[0].query["endpoint"] == "board"
    assert fake.asked[1].path == f"/api/v1/deliveries/{'c' * 24}/hook"
