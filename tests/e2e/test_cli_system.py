"""The command line against a running system: `up`, and everything that talks to it."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from tests.support.gonogo import ROOT, Ended, Up, data_home, gonogo, start, up
from tests.support.wait import PATIENCE_SECONDS, eventually

CHECKLIST = str(ROOT / "services" / "cli" / "demo" / "release-checklist.md")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def system() -> AsyncIterator[Up]:
    async with data_home() as home, up(home / "data") as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def plan(system: Up) -> str:
    """A plan that olivia has imported."""
    ended = await gonogo("plan", "import", CHECKLIST, "--project", "hello", env=system.env("olivia"))
    assert ended.code == 0, ended.err
    return ended.out.strip()


async def ask(system: Up, *arguments: str, user: str = "olivia") -> Ended:
    return await gonogo(*arguments, env=system.env(user))


async def test_up_knows_four_people(system: Up) -> None:
    for user, administrator in (("olivia", False), ("ana", False), ("ben", False), ("ada", True)):
        ended = await ask(system, "me", "-o", "json", user=user)
        me = msgspec.json.decode(ended.out)
        assert (me["id"], me["administrator"]) == (f"user:{user}", administrator)
        assert ended.err == ""


async def test_the_tokens_are_readable_by_their_owner_alone(system: Up) -> None:
    assert (system.data / "secrets" / "tokens.json").stat().st_mode & 0o777 == 0o600


async def test_a_second_up_on_the_folder_says_who_has_it_and_leaves_the_first_alone(system: Up) -> None:
    ended = await gonogo("up", "--data", str(system.data), "--port", "0")
    assert ended.code != 0
    assert "in use" in ended.err
    assert "Traceback" not in ended.err
    assert (await ask(system, "me")).code == 0


async def test_up_on_a_taken_port_is_a_sentence_and_nothing_is_started() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with data_home() as home:
            ended = await gonogo("up", "--data", str(home / "data"), "--port", str(port))
            assert not (home / "data" / "postgres").exists()
    assert ended.code != 0
    assert f"port {port}" in ended.err
    assert "Traceback" not in ended.err


async def test_a_plan_is_listed_as_a_table_and_as_json(system: Up, plan: str) -> None:
    async def listed() -> list[dict[str, object]]:
        ended = await ask(system, "plan", "list", "--project", "hello", "-o", "json")
        assert ended.code == 0, ended.err
        rows: list[dict[str, object]] = msgspec.json.decode(ended.out)
        return [row for row in rows if row["id"] == plan]

    (row,) = await eventually(listed)
    assert row["name"] == "Release hello 1.4.2"
    table = await ask(system, "plan", "list", "--project", "hello")
    assert table.out.splitlines()[0].startswith("ID")
    assert plan in table.out
    assert "\x1b" not in table.out


async def test_a_plan_is_shown_with_what_may_be_done_next(system: Up, plan: str) -> None:
    ended = await ask(system, "plan", "show", plan)
    assert ended.code == 0
    assert "seal" in ended.out
    assert "tag-the-commit-1" in ended.out
    assert ended.err == ""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("plan", "show", "0" * 24), 5, "plan_not_found"),
        (("plan", "show", "../me"), 5, "not_found"),
        (("plan", "seal", "PLAN", "--if-match", "99"), 6, "version_conflict"),
        (("plan", "vote", "PLAN", "approve"), 2, "--seal"),
        (("plan", "list", "--status", "perhaps"), 2, "status"),
        (("item", "complete", "PLAN", "no-such-item"), 5, "item_not_found"),
        (("user", "put", "eve"), 4, "forbidden"),
        (("plan", "import", str(ROOT / "pyproject.toml")), 1, "checklist_without_boxes"),
    ],
)
async def test_bad_input_has_its_exit_code_and_a_sentence(
    words: tuple[str, ...], code: int, said: str, system: Up, plan: str
) -> None:
    ended = await ask(system, *(plan if word == "PLAN" else word for word in words))
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err
    assert "Traceback" not in ended.err


async def test_without_a_token_the_gateway_refuses(system: Up) -> None:
    ended = await gonogo("plan", "list", env={"GONOGO_URL": system.url})
    assert ended.code == 4
    assert "GONOGO_TOKEN" in ended.err


async def test_a_gateway_that_is_away_is_3() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        ended = await gonogo("me", env={"GONOGO_URL": f"http://127.0.0.1:{closed.getsockname()[1]}"})
    assert ended.code == 3
    assert "trying again" in ended.err
    assert "connection refused" in ended.err


async def test_the_same_key_twice_creates_one_plan(system: Up) -> None:
    words = ("plan", "create", "--project", "hello", "--name", "Twice", "--key", "my-own-key-1")
    first, second = await ask(system, *words), await ask(system, *words)
    assert first.code == second.code == 0
    assert first.out == second.out
    other = await ask(system, *words[:5], "Other", *words[6:])
    assert other.code == 1
    assert "idempotency_key_reused" in other.err


async def test_watch_tells_what_happens_and_ends_by_ctrl_c_with_130(system: Up, plan: str) -> None:
    watching = await start("plan", "watch", plan, "-o", "json", env=system.env("olivia"))
    assert watching.stdout is not None
    first = msgspec.json.decode(await asyncio.wait_for(watching.stdout.readline(), PATIENCE_SECONDS))
    assert first["type"] == "plan.created.v1"
    assert (await ask(system, "plan", "edit", plan, "--label", "watched")).code == 0
    second = msgspec.json.decode(await asyncio.wait_for(watching.stdout.readline(), PATIENCE_SECONDS))
    assert second["type"] == "plan.edited.v1"
    assert second["position"] > first["position"]
    watching.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(watching.communicate(), PATIENCE_SECONDS)
    assert (watching.returncode, err) == (130, b"")


STEP = """
echo "one, and $INPUT_TOKEN, also as $(printf '%s' "$INPUT_TOKEN" | base64)"
while [ ! -e {go} ]; do sleep 0.05; done
echo two
exit {code}
"""


@pytest.mark.parametrize(("code", "outcome", "ended"), [(0, "done", 0), (3, "failed", 1)])
async def test_a_log_is_followed_while_its_step_runs_in_another_process_and_shows_no_secret(
    system: Up, tmp_path: Path, code: int, outcome: str, ended: int
) -> None:
    tmp_path.chmod(0o755)
    go = tmp_path / "go"
    headers = {"Authorization": f"Bearer {system.tokens['ada']}"}
    step = {"type": "script", "name": "talk", "script": STEP.format(go=go, code=code)}
    workflow = {"inputs": [{"name": "token", "credential": True}], "stages": [{"name": "all", "steps": [step]}]}
    spec = {"type": "workflow", "project": "web", "workflow": f"talk{code}", "inputs": {"token": "secret:talk"}}
    plan = {"project": "web", "name": "Talk", "items": [{"id": "talk", "name": "Talk", "spec": spec}]}
    async with aiohttp.ClientSession(f"{system.url}", headers=headers, raise_for_status=True) as session:
        await session.put("/api/v1/secrets/talk", json={"value": "correct horse"})
        await session.put(f"/api/v1/workflows/web/talk{code}", json=workflow)
        made = await (await session.post("/api/v1/plans", json=plan)).json()
        path = f"/api/v1/plans/{made['id']}"
        await session.post(f"{path}/seal", headers={"If-Match": "*"})
        await session.post(f"{path}/start")
        await session.post(f"{path}/items/talk/execute")
        following = await start("item", "log", made["id"], "talk", "--follow", env=system.env("ada"))
        assert following.stdout is not None
        first = await asyncio.wait_for(following.stdout.readline(), PATIENCE_SECONDS)
        assert first == b"one, and ***, also as ***\n"
        go.touch()
        out, err = await asyncio.wait_for(following.communicate(), PATIENCE_SECONDS)
    assert (following.returncode, out) == (ended, b"two\n")
    assert outcome.encode() in err


async def test_a_record_says_who_did_what(system: Up, plan: str) -> None:
    async def recorded() -> list[dict[str, object]]:
        entries: list[dict[str, object]] = msgspec.json.decode(
            (await ask(system, "plan", "record", plan, "-o", "json")).out
        )
        return entries

    entries = await eventually(recorded)
    assert entries[0]["actor"] == "user:olivia"
    assert entries[0]["verb"] == "create"


async def test_an_administrator_makes_a_user_whose_token_works_and_is_shown_once(system: Up) -> None:
    assert (await ask(system, "user", "put", "eve", "--group", "sre", user="ada")).code == 0
    made = await ask(system, "user", "token", "eve", user="ada")
    assert made.code == 0
    me = await gonogo("me", "-o", "json", env={"GONOGO_URL": system.url, "GONOGO_TOKEN": made.out.strip()})
    assert msgspec.json.decode(me.out)["groups"] == ["group:sre"]


async def test_verify_finds_the_log_of_a_running_system_sound(system: Up, plan: str) -> None:
    ended = await gonogo("verify", "--data", str(system.data), "-o", "json")
    assert ended.code == 0, ended.err
    found = msgspec.json.decode(ended.out)
    assert found["findings"] == []
    assert found["events"] > 0


async def test_rebuild_brings_back_the_same_lists_while_the_system_runs(system: Up, plan: str) -> None:
    before = await ask(system, "plan", "list", "-o", "json")
    ended = await gonogo("rebuild", "--data", str(system.data), "-o", "json")
    assert ended.code == 0, ended.err
    assert {one["projection"] for one in msgspec.json.decode(ended.out)} >= {"plans", "record"}
    assert (await ask(system, "plan", "list", "-o", "json")).out == before.out


async def test_what_was_built_is_deployed_by_the_system_branch_by_branch_and_its_progress_is_told(
    system: Up, tmp_path: Path
) -> None:
    def step(said: str) -> dict[str, object]:
        return {"name": "go", "type": "script", "script": f'echo "gonogo::output image={said}"'}

    def run(item: str, workflow: str, needs: list[str], **inputs: str) -> dict[str, object]:
        return {
            "id": item,
            "name": item,
            "needs": needs,
            "spec": {"type": "workflow", "project": "web", "workflow": workflow, "inputs": inputs},
        }

    build = {"stages": [{"name": "all", "steps": [step("shop:1")]}], "outputs": ["image"]}
    deploy = {"stages": [{"name": "all", "steps": [step("$INPUT_IMAGE-live")]}], "inputs": [{"name": "image"}]}
    image = "${items.build.outputs.image}"
    items = [
        run("build", "build", []),
        run("eu", "deploy", ["build"], image=image),
        run("us", "deploy", ["build"], image=image),
    ]
    plan = {"name": "Branches", "project": "web", "items": items, "rules": {"run": "by_needs"}}
    for name, body in (("build", build), ("deploy", deploy), ("plan", plan)):
        (tmp_path / name).write_bytes(msgspec.json.encode(body))
    for name in ("build", "deploy"):
        assert (await ask(system, "workflow", "put", "web", name, str(tmp_path / name))).code == 0
    made = await ask(system, "plan", "create", str(tmp_path / "plan"))
    assert made.code == 0, made.err
    which = made.out.strip()
    for verb in ("seal", "start"):
        moved = await ask(system, "plan", verb, which)
        assert moved.code == 0, moved.err

    async def succeeded() -> bool:
        shown = msgspec.json.decode((await ask(system, "plan", "show", which, "-o", "json")).out)
        assert shown["status"] == "success", [item["status"] for item in shown["items"]]
        assert [item["attempts"][-1]["outputs"] for item in shown["items"]] == [
            {"image": "shop:1"},
            {"image": "shop:1-live"},
            {"image": "shop:1-live"},
        ]
        return True

    await eventually(succeeded, what="the plan has succeeded")
    told = await ask(system, "plan", "progress", which)
    assert told.code == 0, told.err
    assert "3 of 3" in told.out
    late = await ask(system, "item", "cancel", which, "eu", "--reason", "too late")
    assert "No attempt of item eu runs" in late.err


async def test_commands_on_a_folder_without_a_system_make_no_folder() -> None:
    async with data_home() as home:
        ended = await gonogo("verify", "--data", str(home / "data"))
        assert ended.code == 2
        assert not (home / "data").exists()


async def test_a_second_start_finds_the_data_and_shows_the_same_tokens_and_verify_needs_no_system() -> None:
    async with data_home() as home:
        async with up(home / "data") as first:
            made = await ask(first, "plan", "create", "--project", "p", "--name", "Kept")
            assert first.process.returncode is None
        assert first.process.returncode == 0
        alone = await gonogo("verify", "--data", str(home / "data"))
        assert alone.code == 0, alone.err
        async with up(home / "data") as second:
            assert second.tokens == first.tokens
            assert (await ask(second, "plan", "show", made.out.strip())).code == 0


async def test_down_stops_a_system_that_runs_elsewhere_and_finds_nothing_the_second_time() -> None:
    async with data_home() as home, up(home / "data") as running:
        pids = running.process.pid
        stopped = await gonogo("down", "--data", str(running.data))
        assert stopped.code == 0, stopped.err
        assert f"asked process {pids}" in stopped.err
        assert await asyncio.wait_for(running.process.wait(), PATIENCE_SECONDS) == 0
        again = await gonogo("down", "--data", str(running.data))
        assert (again.code, again.out) == (0, "")
        assert "nothing runs" in again.err
