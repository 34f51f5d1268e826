"""Voting on the command line: nobody votes for a seal that they have not seen."""

import io
import sys
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from contracts.difference import difference
from services.cli.difference_view import difference_rows
from tests.support.builders import content as plan_content
from tests.unit.cli.conftest import FakeGateway
from tests.unit.cli.test_commands import PLAN, Shell, shell

__all__ = ["shell"]

SEAL = "5" * 64
DONE = {"id": PLAN, "version": 3, "position": 4}
DIFFERENCE: Mapping[str, Any] = {
    "sections": ["window", "items"],
    "changes": [{"path": "/window/end", "before": "18:00", "after": "19:00"}],
    "items": {
        "added": [{"item": {"id": "three", "name": "Third"}, "place": 2}],
        "changed": [
            {"id": "one", "name": "First", "changes": [{"path": "/name", "before": "Frist", "after": "First"}]}
        ],
        "moved": [{"id": "two", "name": "Second", "before": 1, "after": 0}],
    },
}
REVIEW: Mapping[str, Any] = {
    "id": PLAN,
    "name": "Release",
    "status": "wait_for_approval",
    "seal": SEAL,
    "sealed_by": "user:olivia",
    "sealed_at": "2026-09-21T13:33:20Z",
    "asked": ["user:ana"],
    "source": None,
    "since_my_vote": {"version": 4, "at": "2026-09-21T13:33:20Z", "seal": "", "difference": DIFFERENCE},
    "since_approved": None,
    "since_source": None,
    "content": {"items": []},
}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


async def test_without_a_terminal_the_seal_must_be_named(shell: Shell, fake: FakeGateway) -> None:
    code, _, err = await shell.run("plan", "vote", PLAN, "approve")
    assert code == 2
    assert "--seal" in err
    assert fake.asked == []


async def test_a_vote_carries_the_seal_that_was_named(shell: Shell, fake: FakeGateway) -> None:
    fake.answer(200, DONE)
    arguments = ("--seal", SEAL, "--comment", "fine", "--on-behalf-of", "user:ana")
    assert (await shell.run("plan", "vote", PLAN, "approve", *arguments))[0] == 0
    sent = msgspec.json.decode(fake.asked[0].body)
    assert sent == {"vote": "approve", "seal": SEAL, "comment": "fine", "on_behalf_of": "user:ana"}


@pytest.mark.parametrize(("said", "code", "asked"), [("yes\n", 0, 2), ("no\n", 1, 1), ("", 1, 1)])
async def test_on_a_terminal_what_differs_is_shown_and_asked_about(
    said: str, code: int, asked: int, shell: Shell, fake: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(said))
    monkeypatch.setattr(sys, "stderr", screen)
    fake.answer(200, REVIEW)
    fake.answer(200, DONE)
    ended, out, _ = await shell.run("plan", "vote", PLAN, "approve")
    assert (ended, len(fake.asked)) == (code, asked)
    assert "/window/end" in out
    assert SEAL in screen.getvalue()
    if asked == 2:
        assert msgspec.json.decode(fake.asked[1].body)["seal"] == SEAL


NEWS: Mapping[str, Any] = {
    "name": "web",
    "revision": 1,
    "newest": 3,
    "put_by": "user:ben",
    "put_at": "2026-09-21T13:33:20Z",
    "deleted": False,
    "difference": DIFFERENCE,
    "faults": [],
}


@pytest.mark.parametrize(
    ("news", "shown", "not_shown"),
    [
        ({}, ("newer revision, 3 (", "by user:ben", "/window/end"), ("deleted",)),
        ({"difference": None, "faults": [{"path": "/values/x", "detail": "must be given"}]}, ("/values/x",), ()),
        ({"newest": 1}, ("template web, revision 1",), ("newer revision", "/window/end")),
        ({"newest": 1, "deleted": True}, ("web was deleted",), ("newer revision",)),
    ],
)
async def test_an_approver_is_told_of_a_newer_revision_of_the_template(
    news: Mapping[str, Any], shown: tuple[str, ...], not_shown: tuple[str, ...], shell: Shell, fake: FakeGateway
) -> None:
    source = {"kind": "template", "name": "web", "revision": 1, "values": {}}
    since = {"version": 1, "at": "2026-09-21T13:33:20Z", "seal": "", "difference": {}}
    review = {"source": source, "since_source": since, "since_my_vote": None, "template": {**NEWS, **news}}
    fake.answer(200, {**REVIEW, **review})
    code, out, _ = await shell.run("plan", "review", PLAN)
    assert code == 0
    for text in shown:
        assert text in out
    for text in not_shown:
        assert text not in out


async def test_a_plan_without_a_seal_is_not_voted_on(
    shell: Shell, fake: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("yes\n"))
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    fake.answer(200, {**REVIEW, "seal": "", "status": "planning"})
    assert (await shell.run("plan", "vote", PLAN, "approve"))[0] == 1
    assert "not_sealed" in screen.getvalue()


async def test_a_user_may_be_named_without_its_prefix(shell: Shell, fake: FakeGateway) -> None:
    fake.answer(200, DONE)
    await shell.run("plan", "delegate", PLAN, "ben", "--until", "2026-12-24T00:00:00Z")
    await shell.run("user", "link", "ana", "user:ana.b")
    await shell.run("plan", "vote", PLAN, "approve", "--seal", SEAL, "--on-behalf-of", "ana")
    assert msgspec.json.decode(fake.asked[0].body)["to"] == "user:ben"
    assert msgspec.json.decode(fake.asked[1].body)["identities"] == ["user:ana", "user:ana.b"]
    assert msgspec.json.decode(fake.asked[2].body)["on_behalf_of"] == "user:ana"


def test_every_kind_of_change_has_its_line() -> None:
    lines = [" ".join(row).strip() for row in difference_rows(DIFFERENCE)]
    assert lines == [
        "/window/end changed 18:00 19:00",
        "/items/three added  Third",
        "/items/one/name changed Frist First",
        "/items/two moved place 2 place 1",
    ]


async def test_an_approver_sees_what_was_changed_at_the_end_of_a_long_text(shell: Shell, fake: FakeGateway) -> None:
    old, new = ("word " * 200 + last for last in ("staging", "production"))
    changed = difference(plan_content(description=old), plan_content(description=new))
    since = {"version": 4, "at": "2026-09-21T13:33:20Z", "seal": "", "difference": msgspec.to_builtins(changed)}
    fake.answer(200, {**REVIEW, "since_my_vote": since})
    _, out, _ = await shell.run("plan", "review", PLAN)
    assert "[-staging-]{+production+}" in out
