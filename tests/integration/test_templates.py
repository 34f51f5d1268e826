"""Templates over HTTP and by the command line: kept in revisions, filled in, remembered by the plans made from them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from contracts.template import template_stream
from contracts.template_filling import fill
from contracts.template_state import template_of
from infra.projection import rebuild
from services.planner.projections.templates import TemplateList
from tests.integration.test_plan_files import DATA, Shell
from tests.support.servers import Nats, Postgres
from tests.support.site import Answer, Site, open_log, open_site
from tests.support.wait import eventually

FILE = """\
description: How the web is released.
project: web
parameters:
  - {name: version, pattern: '[0-9]+\\.[0-9]+'}
  - {name: optional, type: boolean, default: no}
plan:
  name: Release {{version}}
  items:
    - id: announce
      name: Announce {{version}}
      may_fail: '{{optional}}'
      spec: {type: text, content: 'Tell them. \\{{this stays}}'}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(postgres: Postgres, nats: Nats, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder: Path = tmp_path_factory.mktemp("site")
    async with open_site(postgres, nats, folder) as site:
        yield site


@pytest.fixture
def shell(site: Site, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("GONOGO_URL", site.url)
    monkeypatch.setenv("GONOGO_TOKEN", site.tokens["olivia"])
    monkeypatch.chdir(tmp_path)
    return Shell(capfd, tmp_path)


async def test_a_template_is_put_shown_put_back_and_filled_in_by_the_command_line(site: Site, shell: Shell) -> None:
    good = FILE.replace("default: no", "default: 'false'")
    code, _, err = await shell("template", "put", "web", "plan.yaml", file=FILE)
    assert code == 1
    assert "plan.yaml:5:46: /parameters/1/default: must be true or false" in err
    assert (await shell("template", "put", "web", "plan.yaml", file=good))[0] == 0
    _, shown, _ = await shell("template", "show", "web")
    assert (await shell("template", "put", "web", "plan.yaml", file=shown))[0] == 0
    assert (await site("GET", "/api/v1/templates/web")).body["revision"] == 1, "the same again makes no revision"
    code, out, err = await shell(
        "plan", "create", "--template", "web", "--set", "version=1.2", "--set", "optional=true"
    )
    assert code == 0, err
    view = await site.view(out.strip())
    assert view["source"] == {
        "kind": "template",
        "name": "web",
        "revision": 1,
        "values": {"version": "1.2", "optional": "true"},
    }
    [item] = view["content"]["items"]
    assert (view["content"]["name"], item["name"], item["may_fail"]) == ("Release 1.2", "Announce 1.2", True)
    assert item["spec"]["content"] == "Tell them. {{this stays}}"
    code, _, err = await shell("plan", "create", "--template", "web", "--set", "version=1", "--set", "vrsion=2")
    assert code == 1
    assert "/values/vrsion: is no parameter of the template; did you mean version?" in err
    assert "/values/version: must match" in err


async def test_a_plan_can_be_compared_with_the_revision_that_it_was_made_from(site: Site) -> None:
    body = {"parameters": [{"name": "who"}], "plan": {"name": "For {{who}}"}, "project": "web"}
    await site("PUT", "/api/v1/templates/compared", body)
    made = await site("POST", "/api/v1/templates/compared/plans", {"values": {"who": "us"}})
    assert made.status == 201
    await site("PUT", "/api/v1/templates/compared", {**body, "plan": {"name": "Now for {{who}}"}})
    older = await site("POST", "/api/v1/templates/compared/plans", {"values": {"who": "us"}, "revision": 1})
    newer = await site("POST", "/api/v1/templates/compared/plans", {"values": {"who": "us"}, "name": "Named"})
    names = [(await site.view(one.body["id"]))["content"]["name"] for one in (made, older, newer)]
    assert names == ["For us", "For us", "Named"]
    source = (await site.view(made.body["id"]))["source"]
    async with open_log(site.apps) as log:
        template = template_of(await log.read_stream(template_stream("compared")), source["revision"])
    assert template is not None
    assert fill(template, source["values"]).name == "For us"


async def test_a_deleted_template_makes_no_more_plans_and_comes_back_as_a_new_revision(site: Site) -> None:
    body = {"plan": {"name": "Gone"}, "project": "web"}
    await site("PUT", "/api/v1/templates/gone", body)

    async def listed() -> list[str]:
        return [row["name"] for row in (await site("GET", "/api/v1/templates")).body["templates"]]

    async def has(name: str, there: bool) -> bool:
        return (name in await listed()) is there

    await eventually(lambda: has("gone", True))
    assert (await site("DELETE", "/api/v1/templates/gone", as_="ben")).status == 403
    assert (await site("DELETE", "/api/v1/templates/gone")).status == 200
    await eventually(lambda: has("gone", False))
    assert (await site("POST", "/api/v1/templates/gone/plans", {})).body["code"] == "template_not_found"
    assert (await site("GET", "/api/v1/templates/gone?revision=1")).body["deleted"]
    assert (await site("PUT", "/api/v1/templates/gone", body)).status == 200
    assert (await site("GET", "/api/v1/templates/gone")).body["revision"] == 2
    await eventually(lambda: has("gone", True))


async def test_the_list_of_templates_is_paged_by_name_and_the_command_line_shows_all_pages(
    site: Site, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"paged-{number}" for number in range(5)]
    for name in reversed(names):
        await site("PUT", f"/api/v1/templates/{name}", {"plan": {"name": "P"}, "project": "web"})

    async def page(cursor: str) -> Answer:
        return await site("GET", f"/api/v1/templates?limit=2&cursor={cursor}")

    async def pages() -> list[str]:
        found, cursor = [], ""
        while cursor is not None:
            body = (await page(cursor)).body
            assert len(body["templates"]) <= 2
            found += [row["name"] for row in body["templates"]]
            cursor = body["next"]
        return found

    async def listed() -> bool:
        return set(names) <= set(await pages())

    await eventually(listed)
    found = await pages()
    assert found == sorted(found)
    assert len(found) == len(set(found))
    assert (await page("nonsense")).status == 400
    monkeypatch.setattr("services.cli.template._PAGE", 2)
    code, out, err = await shell("template", "list")
    assert code == 0, err
    assert [name for name in found if name in out] == found


async def test_only_creator_owners_and_administrators_change_a_template(site: Site) -> None:
    body = {"plan": {"name": "Owned"}, "owner": ["group:sre"], "project": "web"}
    await site("PUT", "/api/v1/templates/owned", body)
    assert (await site("PUT", "/api/v1/templates/owned", {**body, "description": "x"}, as_="ana")).status == 200
    other = {**body, "owner": []}
    assert (await site("PUT", "/api/v1/templates/owned", other, as_="ada")).status == 200
    assert (await site("PUT", "/api/v1/templates/owned", body, as_="ana")).status == 403


async def test_a_template_is_made_from_a_plan_and_from_the_checklist_of_112_boxes(site: Site, shell: Shell) -> None:
    plan = await site.plan(description="Has {{braces}} in it.")
    assert (await shell("template", "put", "from-plan", "--from-plan", plan))[0] == 0
    made = await site("POST", "/api/v1/templates/from-plan/plans", {})
    content = (await site.view(made.body["id"]))["content"]
    assert content == (await site.view(plan))["content"]
    if not DATA.exists():
        return
    path = str(DATA / "release-team-lead-progress.md")
    assert (await shell("template", "put", "lead", "--from-checklist", path))[0] == 0
    _, plan, _ = await shell("plan", "import", path, "--project", "kubernetes")
    _, filled, err = await shell("plan", "create", "--template", "lead", "--project", "kubernetes")
    assert filled, err
    assert (await site.view(filled.strip()))["content"] == (await site.view(plan.strip()))["content"]


async def test_the_list_of_templates_is_the_same_when_it_is_rebuilt(site: Site) -> None:
    async def rows() -> list[tuple[object, ...]]:
        found = await log.pool.fetch("select * from view.template order by name")
        return [tuple(row) for row in found]

    async with open_log(site.apps) as log:
        head = (await log.head()).position

        async def caught_up() -> bool:
            return bool(
                await log.pool.fetchval("select position >= $1 from view.checkpoint where name = 'templates'", head)
            )

        await eventually(caught_up)
        live = await rows()
        assert live
        await rebuild(log, TemplateList())
        assert await rows() == live
