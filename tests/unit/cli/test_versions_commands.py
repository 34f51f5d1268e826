"""The commands on versions, presence and single items: what they ask for and what they print."""

import msgspec
import pytest

from tests.unit.cli.conftest import FakeGateway
from tests.unit.cli.test_commands import Shell

PLAN = "68b7ec363306e52e21b2dbe6"
AT = "2026-11-20T08:15:03Z"


@pytest.fixture
def shell(capfd: pytest.CaptureFixture[str], fake: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("GONOGO_URL", fake.url)
    monkeypatch.setenv("GONOGO_TOKEN", "gng_very-secret")
    return Shell(capfd)


def row(version: int, **fields: object) -> dict[str, object]:
    return {
        "version": version,
        "previous": version - 1 or None,
        "kind": "edit",
        "sections": ["name"],
        "by": "user:olivia",
        "channel": "cli",
        "at": AT,
        "restored": None,
        **fields,
    }


async def test_versions_are_listed_page_by_page(shell: Shell, fake: FakeGateway) -> None:
    fake.answer(200, {"versions": [row(3, kind="restore", restored=1)], "next": 3})
    fake.answer(200, {"versions": [row(1, kind="create")], "next": None})
    code, out, err = await shell.run("plan", "versions", PLAN, "--limit", "7")
    assert (code, err) == (0, "")
    assert [asked.query for asked in fake.asked] == [{"limit": "7"}, {"limit": "6", "before": "3"}]
    assert [line.split("  ")[0] for line in out.splitlines()] == ["VERSION", "3", "1"]
    assert "restore of 1" in out


async def test_a_difference_shows_words_and_items_by_id(shell: Shell, fake: FakeGateway) -> None:
    words = [{"kind": "same", "text": "the "}, {"kind": "removed", "text": "old"}, {"kind": "added", "text": "new"}]
    item = {"id": "b", "name": "Build", "spec": {"type": "text"}}
    difference = {
        "sections": ["description", "items"],
        "changes": [{"path": "/description", "before": "the old", "after": "the new", "words": words}],
        "items": {
            "added": [{"item": item, "place": 0}],
            "changed": [{"id": "a", "name": "A", "changes": [{"path": "/may_fail", "before": False, "after": True}]}],
            "moved": [{"id": "c", "name": "C", "before": 0, "after": 4}],
        },
    }
    fake.answer(200, {"plan": PLAN, "old": 1, "new": 2, "difference": difference})
    code, out, _ = await shell.run("plan", "diff", PLAN, "--old", "1")
    assert code == 0
    assert fake.asked[0].query == {"old": "1"}
    lines = [line.split() for line in out.splitlines()][1:]
    assert lines == [
        ["/description", "changed", "the", "[-old-]{+new+}"],
        ["/items/b", "added", "Build"],
        ["/items/a/may_fail", "changed", "no", "yes"],
        ["/items/c", "moved", "place", "1", "place", "5"],
    ]


async def test_versions_that_do_not_differ_are_said_not_to(shell: Shell, fake: FakeGateway) -> None:
    fake.answer(200, {"plan": PLAN, "old": 1, "new": 2, "difference": {}})
    assert await shell.run("plan", "diff", PLAN) == (0, "", "Versions 1 and 2 do not differ.\n")


async def test_a_restore_is_based_on_the_version_that_it_read(shell: Shell, fake: FakeGateway) -> None:
    fake.answer(200, {}, ETag='"7"')
    fake.answer(200, {"id": PLAN, "version": 8, "position": 9})
    code, _, err = await shell.run("plan", "restore", PLAN, "3")
    assert (code, err) == (0, "Restored version 3 (version 8, position 9).\n")
    assert (fake.asked[1].headers["If-Match"], fake.asked[1].body) == ('"7"', b'{"version":3}')


async def test_a_conflict_shows_what_was_what_is_and_what_was_wanted(shell: Shell, fake: FakeGateway) -> None:
    clash = {"path": "/name", "base": "A", "theirs": "B", "yours": None}
    fake.answer(412, {"code": "version_conflict", "detail": "Changed meanwhile.", "differences": [clash]})
    code, _, err = await shell.run("plan", "edit", PLAN, "--name", "C", "--if-match", "1")
    assert code == 6
    assert '/name: was "A", is "B" by now, and you want nothing' in err


async def test_a_version_is_printed_as_the_content_alone_or_as_the_whole_answer(
    shell: Shell, fake: FakeGateway
) -> None:
    fake.answer(200, {"plan": PLAN, "version": 1, "content": {"name": "A"}})
    _, out, _ = await shell.run("plan", "version", PLAN, "1")
    assert msgspec.json.decode(out) == {"name": "A"}
    _, out, _ = await shell.run("plan", "version", PLAN, "1", "-o", "json")
    assert msgspec.json.decode(out)["version"] == 1


async def test_who_is_there_is_a_table_and_nobody_is_a_note(shell: Shell, fake: FakeGateway) -> None:
    one = {"by": "user:ana", "session": "s", "section": "", "item": "", "version": 3, "since": AT, "until": AT}
    fake.answer(200, {"plan": PLAN, "present": [one], "ttl_seconds": 30})
    fake.answer(200, {"plan": PLAN, "present": [], "ttl_seconds": 30})
    assert "user:ana  the plan" in (await shell.run("plan", "present", PLAN))[1]
    assert await shell.run("plan", "present", PLAN) == (0, "", "Nobody has it open.\n")


@pytest.mark.parametrize(
    ("words", "method", "path", "body"),
    [
        (("move", "a", "--after", "b"), "POST", "/items/a/move", {"after": "b"}),
        (("move", "a"), "POST", "/items/a/move", {}),
        (("remove", "a"), "DELETE", "/items/a", {}),
        (
            ("change", "a", "--owner", "user:ana", "--no-may-fail", "--content", "x"),
            "PATCH",
            "/items/a",
            {"owner": ["user:ana"], "may_fail": False, "spec": {"type": "text", "content": "x"}},
        ),
    ],
)
async def test_an_item_command_sends_what_it_says(
    shell: Shell, fake: FakeGateway, words: tuple[str, ...], method: str, path: str, body: object
) -> None:
    fake.answer(200, {"id": PLAN, "version": 8, "position": 9})
    code, _, err = await shell.run("item", words[0], PLAN, *words[1:], "--if-match", "7")
    assert code == 0, err
    (asked,) = fake.asked
    assert (asked.method, asked.path) == (method, f"/api/v1/plans/{PLAN}{path}")
    assert msgspec.json.decode(asked.body) == body


async def test_a_reorder_names_the_items(shell: Shell, fake: FakeGateway) -> None:
    fake.answer(200, {"id": PLAN, "version": 8, "position": 9})
    await shell.run("plan", "reorder", PLAN, "b", "a", "--if-match", "*")
    assert msgspec.json.decode(fake.asked[0].body) == {"items": ["b", "a"]}


async def test_a_copy_says_what_it_left_behind(shell: Shell, fake: FakeGateway) -> None:
    fake.answer(201, {"id": PLAN, "version": 1, "position": 1, "left_behind": ["window", "schedule"]})
    code, out, err = await shell.run("plan", "copy", PLAN)
    assert (code, out) == (0, f"{PLAN}\n")
    assert "window and schedule" in err
