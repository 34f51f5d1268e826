"""Drafting over HTTP: large plans, several people on one draft, single items, versions."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from contracts.difference import Difference
from infra.limits import PLAN_BODY_BYTES
from infra.projection import rebuild
from services.audit import app as audit_app
from services.cli.app import main
from services.planner import app as planner_app
from tests.support.servers import Nats, Postgres
from tests.support.site import Site, open_log, open_site
from tests.support.wait import eventually

MANY = 10_000


@pytest_asyncio.fixture
async def site(postgres: Postgres, nats: Nats, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(postgres, nats, tmp_path) as site:
        yield site


def step(i: int, **fields: Any) -> dict[str, Any]:
    return {"id": f"step-{i:05}", "name": f"Step {i}", "spec": {"type": "text", "content": "Do it."}, **fields}


def steps(count: int) -> list[dict[str, Any]]:
    return [step(i, needs=[f"step-{i - 1:05}"] if i else []) for i in range(count)]


async def ids(site: Site, plan: str) -> list[str]:
    return [item["id"] for item in (await site.view(plan))["content"].get("items", [])]


async def test_a_plan_of_ten_thousand_items_is_created_edited_sealed_and_shown(site: Site) -> None:
    plan = await site.plan(items=steps(MANY))
    view = await site.view(plan)
    assert len(view["items"]) == MANY
    changed = await site(
        "PATCH", f"/api/v1/plans/{plan}/items/step-05000", {"name": "New"}, if_match=f'"{view["version"]}"'
    )
    assert (changed.status, changed.body["version"]) == (200, view["version"] + 1)
    turned = [*reversed(await ids(site, plan))]
    assert (await site("POST", f"/api/v1/plans/{plan}/reorder", {"items": turned}, if_match="*")).status == 200
    assert await ids(site, plan) == turned
    sealed = await site("POST", f"/api/v1/plans/{plan}/seal", if_match="*")
    assert sealed.status == 200, sealed.text
    view = await site.view(plan)
    assert (view["status"], len(view["seal"]["items"])) == ("finish_planning", MANY)
    listed = await site("GET", f"/api/v1/plans?min_position={view['position']}")
    assert [row["id"] for row in listed.body["plans"]] == [plan]


async def test_the_record_of_a_large_plan_is_short_and_the_tables_are_those_of_a_rebuild(site: Site) -> None:
    plan = await site.plan(items=steps(2_000))
    sealed = await site("POST", f"/api/v1/plans/{plan}/seal", if_match="*")
    position = sealed.body["position"]
    record = await site("GET", f"/api/v1/plans/{plan}/record?order=oldest&min_position={position}")
    verbs = [entry["verb"] for entry in record.body["entries"]]
    assert verbs[0] == "create"
    assert set(verbs[1:-1]) == {"put items"}
    assert verbs[-1] == "seal"
    assert len(record.text) < 200_000
    async with open_log(site.apps) as log:

        async def rows() -> list[tuple[Any, ...]]:
            found = [
                *await log.pool.fetch("select * from view.plan"),
                *await log.pool.fetch("select * from view.record"),
            ]
            return sorted(tuple(map(str, row.values())) for row in found)

        async def caught_up() -> bool:
            rows = await log.pool.fetch("select position from view.checkpoint where name in ('plans', 'record')")
            return [row["position"] for row in rows] == [position, position]

        await eventually(caught_up)
        live = await rows()
        for projection in (*planner_app.projections(log), *audit_app.projections(log)):
            await rebuild(log, projection, limit=7)
        assert await rows() == live


async def test_a_plan_of_hundreds_of_long_items_is_created_and_imported(site: Site) -> None:
    long = "word " * 3_999
    plan = await site.plan(items=[step(i, spec={"type": "text", "content": long}) for i in range(300)])
    view = await site.view(plan)
    assert [len(item["item"]["spec"]["content"]) for item in view["items"]] == [len(long)] * 300
    boxes = "".join(f"- [ ] box {i}\n" for i in range(MANY)).encode()
    imported = await site("POST", "/api/v1/plans/import?project=web", boxes, content_type="text/markdown")
    assert imported.status == 201, imported.text
    assert len(await ids(site, imported.body["id"])) == MANY


async def test_what_is_over_a_limit_is_refused_with_the_limit(site: Site) -> None:
    many = await site("POST", "/api/v1/plans", {"project": "web", "name": "x", "items": steps(MANY + 1)})
    assert (many.status, many.paths) == (422, ["/items"])
    assert str(MANY) in many.text.replace(",", "")
    large = await site("POST", "/api/v1/plans", b'"' + b"x" * PLAN_BODY_BYTES + b'"')
    assert (large.status, large.body["largest_bytes"]) == (413, PLAN_BODY_BYTES)
    boxes = "".join(f"- [ ] box {i}\n" for i in range(MANY + 1)).encode()
    imported = await site("POST", "/api/v1/plans/import?project=web", boxes, content_type="text/markdown")
    assert imported.status == 422
    assert str(MANY) in imported.text.replace(",", "")


async def test_two_people_edit_different_sections_of_one_version_and_both_get_through(site: Site) -> None:
    plan = await site.plan()
    first = await site("PUT", f"/api/v1/plans/{plan}/sections/labels", ["q4"], if_match='"1"')
    second = await site("PATCH", f"/api/v1/plans/{plan}", {"description": "Why"}, as_="ada", if_match='"1"')
    assert (first.status, second.status, second.etag) == (200, 200, '"3"')
    content = (await site.view(plan))["content"]
    assert (content["labels"], content["description"]) == (["q4"], "Why")


async def test_the_second_edit_of_a_section_is_shown_what_was_what_is_and_what_was_wanted(site: Site) -> None:
    plan = await site.plan(description="old")
    await site("PATCH", f"/api/v1/plans/{plan}", {"description": "theirs"}, as_="ada", if_match='"1"')
    body = {"description": "yours", "labels": ["q4"]}
    second = await site("PATCH", f"/api/v1/plans/{plan}", body, if_match='"1"')
    assert (second.status, second.body["code"]) == (412, "version_conflict")
    assert (second.body["current_version"], second.body["sections"]) == (2, ["description"])
    assert second.body["differences"] == [{"path": "/description", "base": "old", "theirs": "theirs", "yours": "yours"}]
    assert "user:ada" in second.body["detail"]
    assert "labels" not in (await site.view(plan))["content"]


async def test_a_version_that_never_was_is_no_base_of_an_edit(site: Site) -> None:
    plan = await site.plan(items=steps(1))
    for version in (0, 9):
        refused = await site("PATCH", f"/api/v1/plans/{plan}", {"name": "Mine"}, if_match=f'"{version}"')
        assert (refused.status, refused.body["code"]) == (412, "version_conflict")
    assert (await site.view(plan))["version"] == 1


async def test_a_save_that_changes_nothing_is_answered_with_the_same_version(site: Site) -> None:
    plan = await site.plan()
    same = await site("PATCH", f"/api/v1/plans/{plan}", {"name": "Release 1.2"}, if_match='"1"')
    assert (same.status, same.etag, same.body["changed"]) == (200, '"1"', False)
    other = await site("PATCH", f"/api/v1/plans/{plan}", {"name": "Release 1.3"}, if_match='"1"')
    assert (other.etag, other.body["changed"]) == ('"2"', True)
    assert len((await site("GET", f"/api/v1/plans/{plan}/versions")).body["versions"]) == 2


async def test_an_edit_based_on_a_version_that_is_yet_to_come_is_refused(site: Site) -> None:
    plan = await site.plan()
    answer = await site("PATCH", f"/api/v1/plans/{plan}", {"name": "x"}, if_match='"7"')
    assert (answer.status, answer.body["current_version"]) == (412, 1)


async def test_items_are_put_changed_moved_ordered_and_removed_one_by_one(site: Site) -> None:
    plan = await site.plan(items=[step(0), step(1)])
    path = f"/api/v1/plans/{plan}/items"
    new = {"name": "New", "spec": {"type": "text"}}
    assert (await site("PUT", f"{path}/new?after=step-00000", new, if_match='"1"')).status == 200
    assert (await site("PUT", f"{path}/last", {**new, "id": "last"}, if_match='"1"')).status == 200
    assert await ids(site, plan) == ["step-00000", "new", "step-00001", "last"]
    assert (await site("PATCH", f"{path}/new", {"may_fail": True, "name": "Newer"}, if_match="*")).status == 200
    assert (await site("POST", f"{path}/last/move", {"after": "step-00000"}, if_match="*")).status == 200
    assert (await site("POST", f"{path}/new/move", if_match="*")).status == 200
    assert (await site("DELETE", f"{path}/step-00000", if_match="*")).status == 200
    assert await ids(site, plan) == ["new", "last", "step-00001"]
    gone = await site("DELETE", f"{path}/step-00000", if_match="*")
    assert (gone.status, gone.body["code"]) == (404, "item_not_found")
    other = await site("PUT", f"{path}/a", {**new, "id": "b"}, if_match="*")
    assert (other.status, other.paths) == (422, ["/id"])


async def test_an_order_that_leaves_items_out_loses_none(site: Site) -> None:
    plan = await site.plan(items=[step(0), step(1), step(2)])
    order = {"items": ["step-00002", "step-00000", "nothing"]}
    answer = await site("POST", f"/api/v1/plans/{plan}/reorder", order, if_match='"1"')
    assert (answer.status, answer.body["code"]) == (422, "order_incomplete")
    assert sorted(fault["code"] for fault in answer.body["faults"]) == ["item_missing", "unknown_item"]
    assert len(await ids(site, plan)) == 3


async def test_versions_are_listed_shown_compared_and_restored(site: Site) -> None:
    plan = await site.plan(items=[step(0), step(1)])
    path = f"/api/v1/plans/{plan}"
    await site("PATCH", path, {"description": "Deploy the new version.", "labels": ["q4"]}, if_match='"1"')
    moved = await site("PATCH", path, {"items": [step(1, name="Other"), step(2)]}, if_match='"2"', as_="ada")
    versions = (await site("GET", f"{path}/versions")).body["versions"]
    assert [(one["kind"], one["by"]) for one in versions] == [
        ("edit", "user:ada"),
        ("edit", "user:olivia"),
        ("create", "user:olivia"),
    ]
    assert versions[1]["sections"] == ["description", "labels"]
    page = (await site("GET", f"{path}/versions?limit=1&before={versions[0]['version']}")).body
    assert (page["versions"], page["next"]) == ([versions[1]], 2)
    first = (await site("GET", f"{path}/versions/1")).body
    assert [item["id"] for item in first["content"]["items"]] == ["step-00000", "step-00001"]
    last = (await site("GET", f"{path}/difference")).body
    assert (last["old"], last["new"], last["difference"]["sections"]) == (2, moved.body["version"], ["items"])
    items = last["difference"]["items"]
    assert [one["item"]["id"] for one in items["added"]] == ["step-00002"]
    assert [one["item"]["id"] for one in items["removed"]] == ["step-00000"]
    assert [one["id"] for one in items["changed"]] == ["step-00001"]
    back = await site("POST", f"{path}/restore", {"version": 1}, if_match="*")
    assert back.status == 200, back.text
    same = (await site("GET", f"{path}/difference?old=1")).body
    assert same["difference"] == msgspec.json.decode(msgspec.json.encode(Difference()))
    assert (await site("GET", f"{path}/versions")).body["versions"][0]["restored"] == 1
    assert (await site("POST", f"{path}/restore", {"version": 99}, if_match="*")).status == 404
    await site("POST", f"{path}/seal", if_match="*")
    refused = await site("POST", f"{path}/restore", {"version": 2}, if_match="*")
    assert (refused.status, refused.body["code"]) == (409, "not_planning")


async def test_a_version_that_is_not_there_is_not_found(site: Site) -> None:
    plan = await site.plan()
    for path in ("versions/2", "versions/0", "versions/x", "difference?old=5", "difference?new=9"):
        answer = await site("GET", f"/api/v1/plans/{plan}/{path}")
        assert (path, answer.status, answer.body["code"]) == (path, 404, "version_not_found")
    assert (await site("GET", f"/api/v1/plans/{'0' * 24}/versions")).status == 404


ACTIVE = (
    "<p>fine</p><script>alert(1)</script><img src=x onerror=alert(1)><a href='javascript:alert(1)'>x</a>"
    "<https://x/onclick=alert(1)> [y](javascript:alert(1)) <svg/onload=alert(1)><style>*{}</style>"
)


async def test_nothing_active_ever_comes_back_from_any_rich_text(site: Site) -> None:
    item = step(0, spec={"type": "text", "content": ACTIVE, "sub_steps": [{"id": "a", "text": ACTIVE}]})
    requirement = {"tracker": "jira", "kind": "issue", "key": "PAY-1", "title": ACTIVE}
    plan = await site.plan(description=ACTIVE, items=[item], requirements=[requirement])
    path = f"/api/v1/plans/{plan}"
    await site("PATCH", path, {"description": f"x {ACTIVE}", "items": [{**item, "name": "B"}]}, if_match="*")
    await site("PATCH", f"{path}/items/step-00000", {"spec": item["spec"]}, if_match="*")
    await site("PUT", f"{path}/items/other", {"name": "O", "spec": item["spec"]}, if_match="*")
    for text in ((await site("GET", path)).text, (await site("GET", f"{path}/versions/1")).text):
        for word in ("<script", "onerror", "javascript:", "<svg", "<style", "<img", "<https"):
            assert word not in text
        assert "<p>fine</p>" in text


async def test_a_text_that_cleaning_makes_too_long_is_refused_and_the_plan_stays_readable(site: Site) -> None:
    plan = await site.plan()
    answer = await site("PATCH", f"/api/v1/plans/{plan}", {"description": "<b>x</b>" + "&" * 5_000}, if_match="*")
    assert (answer.status, answer.paths) == (422, ["/description"])
    assert (await site.view(plan))["version"] == 1


async def test_a_plan_has_group_owners_sprints_and_issues_labels_and_touches(site: Site) -> None:
    sections: dict[str, Any] = {
        "owner": ["user:olivia", "group:sre"],
        "labels": ["q4", "payments"],
        "touches": [{"service": "pay", "environment": "production"}],
        "requirements": [
            {"tracker": "jira", "kind": "sprint", "key": "PAY board 7 / sprint 41", "title": "Sprint 41"},
            {"tracker": "jira", "kind": "sprint", "key": "OPS 12", "url": "https://jira.example/12"},
            {"tracker": "jira", "kind": "issue", "key": "PAY-1071"},
        ],
    }
    plan = await site.plan(**sections)
    content = (await site.view(plan))["content"]
    assert {name: content[name] for name in sections} == sections
    by_group = await site("PATCH", f"/api/v1/plans/{plan}", {"labels": ["q4"]}, as_="ana", if_match="*")
    assert by_group.status == 200


async def test_a_copy_says_that_it_left_window_and_schedule_behind(site: Site) -> None:
    window = {"start": "2026-12-01T08:00:00Z", "end": "2026-12-01T18:00:00Z"}
    plan = await site.plan(window=window, schedule={"at": "2026-12-01T09:00:00Z"})
    copy = await site("POST", f"/api/v1/plans/{plan}/copy")
    assert (copy.status, copy.body["left_behind"]) == (201, ["window", "schedule"])
    content = (await site.view(copy.body["id"]))["content"]
    assert not {"window", "schedule"} & set(content)
    plain = await site("POST", f"/api/v1/plans/{copy.body['id']}/copy")
    assert plain.body["left_behind"] == []


async def test_bytes_that_are_no_text_are_a_problem_and_never_a_failure_of_ours(site: Site) -> None:
    plan = await site.plan()
    for body in (b'{"name": "\xff"}', b'{"name": "\\ud800"}', b'{"name": "a\\u0000b"}', b'{"name": "a\\u202eb"}'):
        answer = await site("PATCH", f"/api/v1/plans/{plan}", body, if_match="*")
        assert answer.status in {400, 422}, (body, answer.text)
    assert msgspec.json.decode((await site("GET", f"/api/v1/plans/{plan}")).text)["version"] == 1


async def test_the_command_line_reads_what_the_gateway_answers(
    site: Site, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GONOGO_URL", site.url)
    monkeypatch.setenv("GONOGO_TOKEN", site.tokens["olivia"])
    plan = await site.plan(items=[step(0), step(1)], description="Deploy the old version.")

    async def gonogo(*words: str) -> str:
        capfd.readouterr()
        code = await asyncio.to_thread(main, words)
        out, err = capfd.readouterr()
        assert code == 0, err
        said = re.sub(r"\S+ \S+ \[info +\] http_request .*?trace_id=[0-9a-f]{32}", "", out)  # the gateway's log
        return "\n".join(line for line in said.splitlines() if line)

    await gonogo("plan", "edit", plan, "--description", "Deploy the new version.")
    await gonogo("item", "change", plan, "step-00000", "--name", "Other", "--may-fail")
    await gonogo("item", "move", plan, "step-00001")
    await gonogo("plan", "reorder", plan, "step-00000", "step-00001")
    assert [line.split()[0] for line in (await gonogo("plan", "versions", plan)).splitlines()] == [
        *("VERSION", "5", "4", "3", "2", "1"),
    ]
    shown = await gonogo("plan", "diff", plan, "--old", "1")
    assert "Deploy the [-old-]{+new+} version." in shown
    assert {line.split()[0] for line in shown.splitlines()[1:]} == {
        "/description",
        "/items/step-00000/name",
        "/items/step-00000/may_fail",
    }
    await gonogo("plan", "restore", plan, "1")
    assert (await site.view(plan))["content"]["description"] == "Deploy the old version."
    await site("POST", f"/api/v1/plans/{plan}/presence", {"session": "tab", "section": "window"})
    assert "user:olivia  window" in await gonogo("plan", "present", plan)
    assert "Deploy the new" in await gonogo("plan", "version", plan, "2")
