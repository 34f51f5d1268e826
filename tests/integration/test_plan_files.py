"""Plans as files, by the command line: applied once or twice, exported and applied back, nothing of others overwritten."""

import asyncio
import re
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
import pytest_asyncio
import structlog

from contracts.plan_file import PlanFile
from contracts.shape import fit
from services.cli.app import main
from services.cli.yaml_reading import read_yaml
from tests.support.gonogo import GONOGO, environment
from tests.support.servers import Nats, Postgres
from tests.support.site import Site, open_site

DATA = Path(__file__).parents[3] / "shared" / "data" / "kubernetes-sig-release"

BOXED = (
    "cut-release.md",
    "post-release-branch-creation.md",
    "release-comms-subteam-progress.md",
    "release-team-lead-progress.md",  # the one of 112 boxes
)

FILE = """\
# yaml-language-server: $schema=x
project: web
key: release-1.2
name: Release 1.2
labels: [no, "1.10"]
window: {start: 2030-05-01T08:00:00+02:00, end: 2030-05-01T18:00:00+02:00, zone: Europe/Berlin}
approval: {levels: [{rules: [{approvers: [user:ana, group:sre], needed: 2}]}]}
items:
  - id: announce
    name: Announce
    spec:
      type: text
      content: |
        Tell them:
        - [ ] all
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(postgres: Postgres, nats: Nats, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder: Path = tmp_path_factory.mktemp("site")
    async with open_site(postgres, nats, folder) as site:
        yield site


class Shell:
    """The command line as olivia, in a folder of its own."""

    def __init__(self, capfd: pytest.CaptureFixture[str], folder: Path) -> None:
        self._capfd = capfd
        self.folder = folder

    async def __call__(self, *words: str, file: str | None = None) -> tuple[int, str, str]:
        """One command; `file` is written to plan.yaml before."""
        if file is not None:
            (self.folder / "plan.yaml").write_text(file)
        self._capfd.readouterr()
        with structlog.testing.capture_logs():  # the services of this process log to stdout
            code = await asyncio.to_thread(main, words)
        out, err = self._capfd.readouterr()
        return code, out, err


@pytest.fixture
def shell(site: Site, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("GONOGO_URL", site.url)
    monkeypatch.setenv("GONOGO_TOKEN", site.tokens["olivia"])
    monkeypatch.chdir(tmp_path)
    return Shell(capfd, tmp_path)


APPLY = ("plan", "apply", "-f", "plan.yaml")


def keyed(key: str) -> str:
    return FILE.replace("release-1.2", key)


async def test_a_file_is_applied_once_and_the_second_time_changes_nothing(site: Site, shell: Shell) -> None:
    code, out, err = await shell(*APPLY, file=keyed("twice"))
    assert code == 0, err
    plan = out.strip()
    view = await site.view(plan)
    assert view["content"]["labels"] == ["no", "1.10"]
    assert view["source"] == {"kind": "file", "name": "twice"}
    code, out, err = await shell(*APPLY)
    assert (code, out.strip()) == (0, plan)
    assert "Nothing to change" in err
    assert (await site.view(plan))["version"] == view["version"] == 1


async def test_a_dry_run_prints_the_difference_and_writes_nothing(site: Site, shell: Shell) -> None:
    code, out, _ = await shell(*APPLY, "--dry-run", file=keyed("dry"))
    assert code == 7
    assert "+name: Release 1.2" in out
    _, plan, _ = await shell(*APPLY)
    code, out, _ = await shell(*APPLY, "--dry-run", file=keyed("dry").replace("Tell them:", "Tell all of them:"))
    assert code == 7
    assert [line for line in out.splitlines() if line.startswith(("-  ", "+  "))] == [
        "-        Tell them:",
        "+        Tell all of them:",
    ]
    assert (await site.view(plan.strip()))["version"] == 1
    assert (await shell(*APPLY, "--dry-run", file=keyed("dry")))[0] == 0


async def test_what_is_exported_applies_back_to_the_very_same_plan_and_makes_an_equal_one(
    site: Site, shell: Shell
) -> None:
    plan = await site.plan(description="Was <b>made</b> by hand.\n\nno: yes\n", labels=["null", "1e3"])
    _, exported, _ = await shell("plan", "export", plan)
    assert exported.startswith(f"# yaml-language-server: $schema={site.url}/schemas/plan-file.json\n")
    assert (await shell(*APPLY, "--dry-run", file=exported))[0] == 0
    _, other, _ = await shell("plan", "export", plan, "--key", "made-anew")
    code, out, err = await shell(*APPLY, file=other)
    assert code == 0, err
    assert out.strip() != plan
    assert (await site.view(out.strip()))["content"] == (await site.view(plan))["content"]


@pytest.mark.skipif(not DATA.exists(), reason="the real checklists are not here")
@pytest.mark.parametrize("name", BOXED)
async def test_a_real_checklist_imports_exports_and_applies_back_identical(site: Site, shell: Shell, name: str) -> None:
    _, out, err = await shell("plan", "import", str(DATA / name), "--project", "kubernetes")
    plan = out.strip()
    assert plan, err
    content = (await site.view(plan))["content"]
    code, exported, err = await shell("plan", "export", plan, "--key", name.removesuffix(".md"))
    assert code == 0, err
    code, out, err = await shell(*APPLY, file=exported)
    assert code == 0, err
    assert (await site.view(out.strip()))["content"] == content
    assert (await shell(*APPLY, "--dry-run"))[0] == 0


async def test_a_file_from_an_older_version_does_not_overwrite_a_newer_change(site: Site, shell: Shell) -> None:
    _, out, _ = await shell(*APPLY, file=keyed("older"))
    plan = out.strip()
    _, exported, _ = await shell("plan", "export", plan)
    await site("PATCH", f"/api/v1/plans/{plan}", {"description": "By ana."}, as_="ada", if_match="*")
    code, _, err = await shell(*APPLY, file=exported.replace("Tell them", "Tell all"))
    assert code == 6, err
    assert (await site.view(plan))["content"]["description"] == "By ana."
    code, _, err = await shell(*APPLY, file=re.sub("version: 1\n", "", exported))
    assert code == 0, err
    assert "description" not in (await site.view(plan))["content"]


async def test_an_edit_between_looking_and_applying_is_not_overwritten(site: Site) -> None:
    body = {"project": "web", "key": "between", "name": "Release"}
    first = await site("POST", "/api/v1/plans/apply", body, if_match='"0"')
    assert (first.status, first.body["outcome"]) == (200, "created")
    looked = await site("POST", "/api/v1/plans/apply?dry_run=true", {**body, "labels": ["hot"]})
    assert (looked.etag, looked.body["outcome"], looked.body["dry_run"]) == ('"1"', "changed", True)
    await site("PATCH", f"/api/v1/plans/{first.body['id']}", {"name": "New"}, if_match="*")
    answer = await site("POST", "/api/v1/plans/apply", {**body, "labels": ["hot"]}, if_match=looked.etag)
    assert (answer.status, answer.body["current_version"]) == (412, 2)
    again = await site("POST", "/api/v1/plans/apply", body, if_match='"0"')
    assert again.status == 412, "what was created meanwhile is not taken for what was not there"
    assert (await site("POST", "/api/v1/plans/apply", body)).status == 428


async def test_two_who_create_the_plan_of_one_key_create_it_once(site: Site) -> None:
    body = {"project": "web", "key": "race", "name": "Release"}
    answers = await asyncio.gather(
        site("POST", "/api/v1/plans/apply", {**body, "name": "By ana"}, as_="ana", if_match='"0"'),
        site("POST", "/api/v1/plans/apply", {**body, "name": "By ben"}, as_="ben", if_match='"0"', connection="close"),
    )
    assert sorted(answer.status for answer in answers) == [200, 412]


async def test_a_file_that_comes_by_stdin_is_applied_like_any_other(site: Site, tmp_path: Path) -> None:
    env = {"GONOGO_URL": site.url, "GONOGO_TOKEN": site.tokens["olivia"]}
    command = await asyncio.create_subprocess_exec(
        *(*GONOGO, "plan", "apply", "-f", "-", "-o", "json"), env=environment(env), stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    out, err = await command.communicate(keyed("stdin").encode())
    assert command.returncode == 0, err
    told = msgspec.json.decode(out)
    assert (told["outcome"], told["version"], told["changes"]) == ("created", 1, {})
    assert told["sections"] == ["name", "owner", "labels", "window", "items", "approval"]


async def test_every_fault_is_told_at_once_with_line_and_column(shell: Shell) -> None:
    file = FILE.replace("name: Release 1.2", "nam: Release 1.2").replace("needed: 2", "needed: two")
    file = file.replace("2030-05-01T18:00:00+02:00", "2030-05-01T18:00:00").replace("user:ana", "ana")
    code, out, err = await shell(*APPLY, file=file)
    assert (code, out) == (2, "")
    places = re.findall(r"plan\.yaml:(\d+:\d+): (\S+): (.*)", err)
    assert ("4:1", "/nam", "is not a known field; did you mean name?") in places
    assert {where for where, *_ in places} == {"2:1", "4:1", "6:49", "7:43", "7:68"}


async def test_what_the_gateway_refuses_is_told_at_its_place_in_the_file(shell: Shell) -> None:
    file = (
        keyed("refused").replace("2030-05-01T18", "2030-05-01T07") + "  - {id: announce, name: b, spec: {type: text}}\n"
    )
    code, _, err = await shell(*APPLY, file=file)
    assert code == 1
    assert "plan.yaml:6:49: /window/end: is not after the start" in err
    assert "plan.yaml:16:10: /items/1/id: announce stands here a second time" in err


async def test_the_schema_is_the_same_from_gateway_and_command_line_and_finds_what_we_find(
    site: Site, shell: Shell
) -> None:
    served = await site("GET", "/schemas/plan-file.json", as_="")
    code, out, _ = await shell("plan", "schema")
    assert code == 0
    schema: Any = msgspec.json.decode(out)
    assert served.body == schema
    validator = jsonschema_rs.Draft202012Validator(schema)
    document: Any = fit(read_yaml(keyed("schema")).value, PlanFile).value
    assert validator.is_valid(document)
    assert not validator.is_valid({**document, "plan": "a" * 24})
    assert not validator.is_valid({**document, "nam": "x"})
