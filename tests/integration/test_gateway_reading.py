"""Reading over HTTP: plans and their versions, lists with filters and cursors, the record, deliveries, runs."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import pytest_asyncio

from contracts.plan_events import Event, ItemFinished, ItemStarted
from contracts.record import Entry
from contracts.registry import encode
from contracts.run import RunCreated, StepFinished, StepStarted
from contracts.workflow import ScriptStep, Stage, WorkflowDefinition, WorkflowRevised, workflow_stream
from infra.blobs import Blobs
from infra.eventlog import EventLog
from infra.eventlog.model import Append, Appended, Draft
from infra.ids import random_id
from tests.support.asyncapi import FILE
from tests.support.builders import NOON
from tests.support.servers import Nats, Postgres
from tests.support.site import ITEMS, Answer, Site, open_log, open_site

DEFINITION = WorkflowDefinition(
    project="web", name="deploy", stages=(Stage(name="one", steps=(ScriptStep(name="go", script="true"),)),)
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(postgres: Postgres, nats: Nats, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder: Path = tmp_path_factory.mktemp("site")
    async with open_site(postgres, nats, folder) as site:
        yield site


async def put_in(log: EventLog, stream: str, *events: Event, expected: int = 0) -> int:
    """Append as superuser, who owns every type; the position of the last event."""
    drafts = tuple(Draft(*encode(event)) for event in events)
    outcome = await log.append(
        Append(stream, expected, "user:test", random_id(), b"f" * 32, drafts, NOON, "user:test", "system")
    )
    assert isinstance(outcome, Appended), outcome
    return outcome.last


async def listed(site: Site, query: str) -> list[str]:
    answer = await site("GET", f"/api/v1/plans?{query}")
    assert answer.status == 200, answer.text
    return [row["name"] for row in answer.body["plans"]]


async def test_a_plan_that_has_not_changed_is_not_sent_again(site: Site) -> None:
    plan = await site.plan()
    first = await site("GET", f"/api/v1/plans/{plan}")
    again = await site("GET", f"/api/v1/plans/{plan}", if_none_match=first.etag)
    assert (again.status, again.text, again.etag) == (304, "", first.etag)
    await site("PATCH", f"/api/v1/plans/{plan}", {"name": "New"}, if_match=first.etag)
    assert (await site("GET", f"/api/v1/plans/{plan}", if_none_match=first.etag)).status == 200


async def test_a_plan_shows_its_position_and_times_as_rfc_3339(site: Site) -> None:
    created = await site("POST", "/api/v1/plans", {"project": "web", "name": "Times", "items": ITEMS})
    view = await site.view(created.body["id"])
    assert view["position"] == created.body["position"]
    assert view["created_at"].endswith("Z")
    assert view["times"]["success"] is None
    assert [step["verb"] for step in view["next"]] == ["seal", "cancel"]


async def test_a_write_is_found_in_the_list_that_is_asked_to_contain_its_position(site: Site) -> None:
    for number in range(5):
        name = f"own write {number}"
        body = {"project": "own", "name": name, "items": ITEMS}
        created = await site("POST", "/api/v1/plans", body)
        page = await site("GET", f"/api/v1/plans?project=own&limit=1&min_position={created.body['position']}")
        assert page.body["plans"][0]["name"] == name
        assert page.body["position"] >= created.body["position"]


async def test_a_list_that_does_not_reach_the_wanted_position_says_when_to_ask_again(site: Site) -> None:
    with patch("services.gateway.listing._PATIENCE_SECONDS", 0.2):
        answer = await site("GET", "/api/v1/plans?min_position=1000000")
    assert (answer.status, answer.body["code"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) >= 1


async def many(site: Site, project: str) -> int:
    """Seven plans of a project; the position of the last."""
    position = 0
    for number in range(7):
        body = {
            "project": project,
            "name": f"plan {number}",
            "description": "Even" if number % 2 == 0 else "odd 100%",
            "labels": ["all", "low" if number < 3 else "high"],
            "owner": ["user:ana"] if number == 6 else ["user:olivia"],
            "items": ITEMS,
            "window": {"start": f"2027-01-0{number + 1}T08:00:00Z", "end": f"2027-01-0{number + 1}T18:00:00Z"},
        }
        position = (await site("POST", "/api/v1/plans", body)).body["position"]
    return position


async def test_filters_are_combined(site: Site) -> None:
    position = await many(site, "filters")
    common = f"project=filters&order=oldest&min_position={position}"
    assert await listed(site, f"{common}&label=low") == ["plan 0", "plan 1", "plan 2"]
    assert await listed(site, f"{common}&label=low&text=EVEN") == ["plan 0", "plan 2"]
    assert await listed(site, f"{common}&text=100%25") == ["plan 1", "plan 3", "plan 5"]
    assert await listed(site, f"{common}&owner=user:ana,user:nobody") == ["plan 6"]
    assert await listed(site, f"{common}&status=planning&status=success&label=high&owner=user:olivia") == [
        "plan 3",
        "plan 4",
        "plan 5",
    ]
    assert await listed(site, f"{common}&status=success") == []
    window = "window_from=2027-01-02T18:00:00Z&window_to=2027-01-04T08:00:00Z"
    assert await listed(site, f"{common}&{window}") == ["plan 2"]


async def test_a_search_takes_signs_as_they_are_and_a_window_around_the_span_is_found(site: Site) -> None:
    position = await many(site, "signs")
    common = f"project=signs&order=oldest&min_position={position}"
    for signs in (".*", "plan _", "%25%25", "[0-9]", "(", "\\"):
        assert await listed(site, f"{common}&text={signs}") == [], signs
    inside = "window_from=2027-01-03T12:00:00Z&window_to=2027-01-03T13:00:00Z"
    assert await listed(site, f"{common}&{inside}") == ["plan 2"]


@pytest.mark.parametrize("order", ["newest", "oldest", "updated", "window", "name"])
async def test_pages_by_cursor_show_every_plan_once_in_order_even_when_one_is_added_meanwhile(
    site: Site, order: str
) -> None:
    project = f"pages-{order}"
    position = await many(site, project)
    seen: list[str] = []
    path = f"/api/v1/plans?project={project}&order={order}&limit=3&min_position={position}"
    while path:
        page = await site("GET", path)
        assert page.status == 200, page.text
        seen += [row["name"] for row in page.body["plans"]]
        if order not in {"oldest", "window"}:  # what is added there comes at the end, rightly
            body = {"project": project, "name": "late", "items": ITEMS}
            assert (await site("POST", "/api/v1/plans", body)).status == 201
        path = _next(page)
    names = [f"plan {number}" for number in range(7)]
    assert seen == (names if order in {"oldest", "window", "name"} else names[::-1])


def _next(page: Answer) -> str:
    link = page.headers.get("Link", "")
    assert ('; rel="next"' in link) is (page.body["next"] is not None)
    return link[1 : link.index(">")] if link else ""


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("limit=0", "limit"),
        ("limit=x", "limit"),
        ("statsu=planning", "statsu"),
        ("status=nope", "status"),
        ("cursor=abc", "cursor"),
        ("cursor=WzEsInVwZGF0ZWQiLDEsIngiXQ", "cursor"),
        ("owner=olivia", "owner"),
        ("text=%00", "text"),
        ("window_from=2027-01-01", "window_from"),
        ("window_from=2027-01-02T00:00:00Z&window_to=2027-01-01T00:00:00Z", "window_to"),
        ("order=newest&order=oldest", "order"),
    ],
)
async def test_a_wrong_query_string_is_refused_by_parameter(site: Site, query: str, fault: str) -> None:
    answer = await site("GET", f"/api/v1/plans?{query}")
    assert (answer.status, answer.body["code"], answer.paths) == (400, "invalid_parameter", [fault])


async def test_what_belongs_to_no_plan_is_in_a_record_that_administrators_read_page_by_page(site: Site) -> None:
    await site.plan()
    for name in ("one", "two"):
        await site("PUT", f"/api/v1/templates/recorded-{name}", {"plan": {"name": "T"}, "project": "web"})
    span = {"start": "2031-03-01T00:00:00", "end": "2031-03-02T00:00:00", "zone": "UTC"}
    put = await site("PUT", "/api/v1/freezes/recorded", span, as_="ada")
    assert put.status == 200, put.text
    last = await site("DELETE", "/api/v1/freezes/recorded", as_="ada")
    assert last.status == 200, last.text
    path = f"/api/v1/record?limit=2&min_position={last.body['position']}"
    assert (await site("GET", path)).status == 403
    pages = [await site("GET", f"{path}&order=newest", as_="ada")]
    while pages[-1].body["next"] is not None:
        pages.append(await site("GET", f"{path}&order=newest&cursor={pages[-1].body['next']}", as_="ada"))
    entries = [entry for page in pages for entry in page.body["entries"]]
    assert [(entry["actor"], entry["verb"], entry["target"]) for entry in entries[:4]] == [
        ("user:ada", "delete freeze", "freeze recorded"),
        ("user:ada", "put freeze", "freeze recorded"),
        ("user:olivia", "revise template", "template recorded-two"),
        ("user:olivia", "revise template", "template recorded-one"),
    ]
    assert entries[1]["said"]["freeze"]["end"] == "2031-03-02T00:00:00"
    assert not [entry for entry in entries if entry["stream"].startswith(("plan-", "run-", "delivery-"))]
    oldest = await site("GET", "/api/v1/record?order=oldest&limit=500", as_="ada")
    assert [entry["position"] for entry in oldest.body["entries"]] == sorted(entry["position"] for entry in entries)
    assert (await site("GET", f"{path}&cursor=nonsense", as_="ada")).status == 400


async def test_a_freeze_that_was_changed_is_in_the_record_as_it_was_and_is(site: Site) -> None:
    span = {"start": "2031-03-01T00:00:00", "end": "2031-03-02T00:00:00", "zone": "UTC"}
    await site("PUT", "/api/v1/freezes/changed", span, as_="ada")
    last = await site("PUT", "/api/v1/freezes/changed", {**span, "end": "2031-03-05T00:00:00"}, as_="ada")
    page = await site("GET", f"/api/v1/record?min_position={last.body['position']}&limit=2", as_="ada")
    second, first = page.body["entries"]
    assert (first["before"], first["said"]["freeze"]["end"]) == ({}, "2031-03-02T00:00:00")
    assert second["before"]["freeze"]["end"] == "2031-03-02T00:00:00"
    assert second["after"]["freeze"]["end"] == "2031-03-05T00:00:00"


async def test_the_record_is_filtered_by_who_what_and_when(site: Site) -> None:
    plan = await site.plan()
    first = await site("PATCH", f"/api/v1/plans/{plan}", {"name": "two"}, if_match="*")
    last = await site("PATCH", f"/api/v1/plans/{plan}", {"name": "three"}, as_="ada", if_match="*")
    path = f"/api/v1/plans/{plan}/record?min_position={last.body['position']}"

    async def found(query: str, **more: Any) -> list[int]:
        page = await site("GET", f"{path}&{query}", **more)
        assert page.status == 200, page.text
        return [entry["position"] for entry in page.body["entries"]]

    assert await found("actor=user:ada") == [last.body["position"]]
    assert await found("verb=edit&order=oldest") == [first.body["position"], last.body["position"]]
    assert await found("actor=user:ada,user:olivia&verb=edit&limit=1") == [last.body["position"]]
    assert await found("target=item%20deploy") == []
    assert await found("channel=cli") == []
    assert len(await found("since=2020-01-01T00:00:00Z")) == 3
    assert await found("until=2020-01-01T00:00:00Z") == []
    assert (await site("GET", f"{path}&since=yesterday")).paths == ["since"]


async def test_the_record_of_a_plan_is_paged_in_both_orders(site: Site) -> None:
    plan = await site.plan()
    for name in ("two", "three", "four"):
        last = await site("PATCH", f"/api/v1/plans/{plan}", {"name": name}, if_match="*")
    for order in ("oldest", "newest"):
        path = f"/api/v1/plans/{plan}/record?order={order}&limit=3&min_position={last.body['position']}"
        entries: list[Any] = []
        while path:
            page = await site("GET", path)
            assert page.status == 200, page.text
            entries += page.body["entries"]
            path = _next(page)
        verbs = [entry["verb"] for entry in entries]
        assert verbs == (
            ["create", "edit", "edit", "edit"] if order == "oldest" else ["edit", "edit", "edit", "create"]
        )
        assert entries[0]["actor"] == "user:olivia"
        assert {frozenset(entry) for entry in entries} == {frozenset(Entry.__struct_fields__)}
    unknown = await site("GET", f"/api/v1/plans/{'a' * 24}/record")
    assert (unknown.status, unknown.body["code"]) == (404, "plan_not_found")


async def test_the_deliveries_of_a_plan_show_how_they_fared(site: Site) -> None:
    plan = await site.plan()
    assert (await site("GET", f"/api/v1/plans/{plan}/deliveries")).body == {"deliveries": [], "next": None}
    async with open_log(site.apps) as log:
        await log.pool.execute(
            "insert into view.delivery "
            "values ($1, $2, 'finish_planning', 1, $1, 9, 'retrying', 2, 503, 'status', $3, $3, 0, 4, 9)",
            random_id(),
            plan,
            NOON,
        )
    (delivery,) = (await site("GET", f"/api/v1/plans/{plan}/deliveries")).body["deliveries"]
    assert (delivery["state"], delivery["attempts"], delivery["status"]) == ("retrying", 2, 503)
    assert (delivery["next_at"], delivery["ended_at"]) == ("2026-09-21T14:13:20Z", None)


async def test_a_run_shows_its_steps_and_not_the_values_of_its_inputs(site: Site) -> None:
    run = random_id()
    created = RunCreated(
        plan="a" * 24,
        item="deploy",
        attempt=1,
        revision=1,
        digest="d",
        definition=DEFINITION,
        inputs={"TOKEN": "not-for-everybody"},
    )
    async with open_log(site.apps) as log:
        await put_in(
            log,
            f"run-{run}",
            created,
            StepStarted(step=0, name="go", attempt=1, key="k"),
            StepFinished(step=0, attempt=1, outcome="passed", exit_code=0),
        )
    answer = await site("GET", f"/api/v1/runs/{run}")
    assert answer.body["steps"][0]["state"] == "passed"
    assert answer.body["inputs"] == ["TOKEN"]
    assert "not-for-everybody" not in answer.text
    for unknown in ("b" * 24, "x-y"):
        assert (await site("GET", f"/api/v1/runs/{unknown}")).body["code"] == "run_not_found"


async def test_a_workflow_is_read_in_its_newest_or_any_revision(site: Site) -> None:
    revised = [WorkflowRevised(revision=number, definition=DEFINITION, digest=f"d{number}") for number in (1, 2)]
    async with open_log(site.apps) as log:
        await put_in(log, workflow_stream("web", "deploy"), *revised)
    newest = await site("GET", "/api/v1/workflows/web/deploy")
    assert (newest.body["revision"], newest.etag) == (2, '"2"')
    first = await site("GET", "/api/v1/workflows/web/deploy?revision=1")
    assert first.body["digest"] == "d1"
    third = await site("GET", "/api/v1/workflows/web/deploy?revision=3")
    assert third.status == 404


async def test_endpoints_are_listed_without_their_secrets(site: Site) -> None:
    async with open_log(site.apps) as log:
        await log.pool.execute(
            "insert into view.endpoint (id, url, secret_ref, events, enabled, version, position, name) "
            "values ($1, 'https://ci.example.com', 'endpoint/ci/0123', '{start_execute}', true, 1, 1, 'ci')",
            random_id(),
        )
    (endpoint,) = (await site("GET", "/api/v1/endpoints", as_="ada")).body["endpoints"]
    assert (endpoint["name"], endpoint["url"], endpoint["signed"]) == ("ci", "https://ci.example.com", True)
    assert "0123" not in endpoint.values()


async def test_the_log_of_an_item_is_read_while_it_grows_and_from_any_byte_on(site: Site) -> None:
    plan, run = await site.plan(), random_id()
    writer = Blobs(site.data / "blobs").writer(run, 0, 1)
    writer.write(b"one\ntwo\n")
    async with open_log(site.apps) as log:
        await put_in(log, f"plan-{plan}", ItemStarted(item="announce", attempt=1, run=run), expected=1)
        path = f"/api/v1/plans/{plan}/items/announce/log"
        growing = await site("GET", path)
        assert (growing.text, growing.headers["Gonogo-Complete"]) == ("one\ntwo\n", "false")
        writer.write(b"three\n")
        writer.close()
        await put_in(log, f"plan-{plan}", ItemFinished(item="announce", attempt=1, outcome="done"), expected=2)
        ended = await site("GET", f"{path}?offset=8&attempt=1")
        assert (ended.text, ended.headers["Gonogo-Complete"]) == ("three\n", "true")
    for unknown, code in ((f"{path}?attempt=2", "run_not_found"), (path.replace("announce", "x"), "item_not_found")):
        assert (await site("GET", unknown)).body["code"] == code


async def test_requests_are_counted_by_template_and_never_by_plan(site: Site) -> None:
    plan = await site.plan()
    await site.view(plan)
    text = (await site("GET", "/metrics", as_="")).text
    assert 'gonogo_http_requests_total{method="GET",route="/api/v1/plans/{plan}",status="200"}' in text
    assert 'gonogo_http_request_seconds_bucket{le="0.005",method="GET",route="/api/v1/plans/{plan}"}' in text
    assert plan not in text


async def test_the_gateway_says_that_it_lives_and_is_ready_to_anybody(site: Site) -> None:
    alive, ready = await site("GET", "/healthz", as_=""), await site("GET", "/readyz", as_="")
    assert (alive.status, alive.body["state"]) == (200, "alive")
    assert (ready.status, ready.body["state"]) == (200, "ready")


async def test_what_can_be_listened_to_is_told_to_anybody(site: Site) -> None:
    answer = await site("GET", "/asyncapi.json", as_="")
    assert (answer.status, answer.text.encode()) == (200, FILE.read_bytes())


async def test_progress_is_answered_with_what_is_known_and_what_is_not(site: Site) -> None:
    plan = await site.plan()
    answer = await site("GET", f"/api/v1/plans/{plan}/progress")
    assert (answer.status, answer.body["expected_end"], answer.body["settled"]) == (200, None, 0)
    assert set(answer.body["unknown"]) == {item["item"] for item in answer.body["items"]}
    assert (await site("GET", f"/api/v1/plans/{'0' * 24}/progress")).status == 404
