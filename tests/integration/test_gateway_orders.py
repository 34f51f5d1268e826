"""Orders over HTTP: what a write answers, what protects it, and what becomes of everything that is wrong with it."""

import io
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from contracts.commands import AnswerGate, CompleteItem, PutEndpoint
from contracts.hook_commands import Proof
from tests.support.servers import Nats, Postgres
from tests.support.site import ITEMS, Site, accept, open_log, open_site, refuse, stub

NEW = {"project": "web", "name": "Release 1.2", "items": ITEMS}
APPROVAL = {"levels": [{"rules": [{"approvers": ["user:ana", "user:ben"], "needed": 2}]}]}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(postgres: Postgres, nats: Nats, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder: Path = tmp_path_factory.mktemp("site")
    async with open_site(postgres, nats, folder) as site:
        yield site


async def test_a_created_plan_says_where_it_is_and_at_which_version_and_position(site: Site) -> None:
    answer = await site("POST", "/api/v1/plans", NEW)
    assert answer.status == 201
    assert answer.headers["Location"] == f"/api/v1/plans/{answer.body['id']}"
    assert answer.etag == '"1"'
    assert answer.headers["Gonogo-Position"] == str(answer.body["position"])
    view = await site.view(answer.body["id"])
    assert (view["version"], view["status"], view["content"]["name"]) == (1, "planning", "Release 1.2")


async def test_the_same_key_and_body_give_the_first_answer_again_and_create_one_plan(site: Site) -> None:
    first = await site("POST", "/api/v1/plans", NEW, idempotency_key='"once"')
    again = await site("POST", "/api/v1/plans", NEW, idempotency_key="once")
    assert again.status == 201
    assert again.body == first.body
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_the_same_key_with_another_body_is_refused(site: Site) -> None:
    await site("POST", "/api/v1/plans", NEW, idempotency_key="twice")
    other = await site("POST", "/api/v1/plans", {**NEW, "name": "Other"}, idempotency_key="twice")
    assert (other.status, other.body["code"]) == (422, "idempotency_key_reused")


async def test_a_key_that_is_no_key_is_refused(site: Site) -> None:
    answer = await site("POST", "/api/v1/plans", NEW, idempotency_key="a b")
    assert (answer.status, answer.body["code"]) == (400, "invalid_parameter")


async def test_an_edit_without_if_match_is_told_to_say_the_version(site: Site) -> None:
    plan = await site.plan()
    answer = await site("PATCH", f"/api/v1/plans/{plan}", {"name": "New"})
    assert (answer.status, answer.body["code"]) == (428, "precondition_required")


async def test_an_edit_of_an_old_version_is_refused_and_told_the_current_one(site: Site) -> None:
    plan = await site.plan()
    first = await site("PATCH", f"/api/v1/plans/{plan}", {"name": "New"}, if_match='"1"')
    assert (first.status, first.etag) == (200, '"2"')
    second = await site("PATCH", f"/api/v1/plans/{plan}", {"name": "Newer"}, if_match='"1"')
    assert (second.status, second.body["current_version"]) == (412, 2)
    third = await site("PATCH", f"/api/v1/plans/{plan}", {"name": "Newest"}, if_match="*")
    assert third.status == 200


@pytest.mark.parametrize("tag", ['W/"1"', "1", '"1", "2"', '"abc"'])
async def test_an_if_match_that_is_no_tag_of_ours_is_refused(site: Site, tag: str) -> None:
    plan = await site.plan()
    answer = await site("PATCH", f"/api/v1/plans/{plan}", {"name": "New"}, if_match=tag)
    assert (answer.status, answer.body["code"]) == (400, "invalid_parameter")


async def test_one_section_is_replaced_by_itself_and_null_empties_it(site: Site) -> None:
    window = {"start": "2026-12-01T08:00:00Z", "end": "2026-12-01T18:00:00Z"}
    plan = await site.plan(window=window)
    labels = await site("PUT", f"/api/v1/plans/{plan}/sections/labels", ["q4"], if_match="*")
    nothing = await site("PUT", f"/api/v1/plans/{plan}/sections/window", b"null", if_match="*")
    assert (labels.status, nothing.status) == (200, 200)
    content = (await site.view(plan))["content"]
    assert content["labels"] == ["q4"]
    assert "window" not in content


async def test_a_section_that_a_plan_does_not_have_is_not_found(site: Site) -> None:
    plan = await site.plan()
    answer = await site("PUT", f"/api/v1/plans/{plan}/sections/colour", "red", if_match="*")
    assert (answer.status, answer.body["code"]) == (404, "not_found")


async def test_all_faults_of_a_body_are_reported_at_once_with_their_paths(site: Site) -> None:
    body = {
        "project": "two words",
        "nam": "misspelt",
        "window": {"start": "2026-12-01T08:00:00"},
        "items": [
            {"id": "a", "name": "A", "spec": {"type": "text", "contents": "x"}},
            {"id": "b", "name": "B", "spec": {"type": "workflow", "project": "web"}},
            {"id": "c", "name": "C", "spec": {"type": "robot"}},
        ],
    }
    answer = await site("POST", "/api/v1/plans", body)
    assert (answer.status, answer.body["code"]) == (422, "invalid_body")
    assert sorted(answer.paths) == [
        "/items/0/spec/contents",
        "/items/1/spec/workflow",
        "/items/2/spec/type",
        "/nam",
        "/name",
        "/project",
        "/window/end",
        "/window/start",
    ]


async def test_items_with_the_same_id_are_named(site: Site) -> None:
    answer = await site("POST", "/api/v1/plans", {**NEW, "items": ITEMS * 2})
    assert (answer.status, answer.paths) == (422, ["/items/1/id"])


async def test_a_body_that_only_msgspec_refuses_is_still_refused_with_its_path(site: Site) -> None:
    body = b'{"project":"web","name":"x","approval":{"deadline_seconds":9.5}}'
    impossible = b'{"project":"web","name":"x","schedule":{"at":"2026-02-30T00:00:00Z"}}'
    assert (await site("POST", "/api/v1/plans", body)).paths == ["/approval/deadline_seconds"]
    assert (await site("POST", "/api/v1/plans", impossible)).paths == ["/schedule/at"]


async def test_malformed_json_is_refused_with_line_and_column(site: Site) -> None:
    answer = await site("POST", "/api/v1/plans", b'{\n  "name": }')
    assert (answer.status, answer.body["code"]) == (400, "malformed_body")
    assert (answer.body["line"], answer.body["column"]) == (2, 11)


@pytest.mark.parametrize("body", [b"", b"[" * 100_000, b'{"a":' * 100_000, b"\xff", b'"\\ud800"', b"{} {}", b"nul"])
async def test_what_is_no_json_is_a_400_and_never_a_500(site: Site, body: bytes) -> None:
    answer = await site("POST", "/api/v1/plans", body, content_type="application/json")
    assert (answer.status, answer.body["code"]) == (400, "malformed_body")


async def test_a_nul_character_is_refused_where_it_stands_and_an_escaped_backslash_is_not(site: Site) -> None:
    refused = await site("POST", "/api/v1/plans", b'{"project":"web","name":"x","description":"a\\u0000b"}')
    assert (refused.status, refused.paths) == (422, ["/description"])
    fine = await site("POST", "/api/v1/plans", b'{"project":"web","name":"x","description":"a\\\\u0000b"}')
    assert fine.status == 201


async def test_a_body_of_ten_megabytes_is_refused_whether_its_size_is_announced_or_not(site: Site) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 100_000

    headers = {"Authorization": f"Bearer {site.tokens['olivia']}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for body in (io.BytesIO(b" " * 10_000_000), parts()):
            async with session.post(f"{site.url}/api/v1/plans", data=body) as response:
                assert (response.status, (await response.json(content_type=None))["code"]) == (413, "body_too_large")


async def test_another_media_type_is_refused_and_told_which_one_is_read(site: Site) -> None:
    answer = await site("POST", "/api/v1/plans", b"name=x", content_type="application/x-www-form-urlencoded")
    assert (answer.status, answer.body["accepted"]) == (415, ["application/json"])


async def test_what_was_sent_is_not_repeated_in_a_refusal_since_it_may_be_a_secret(site: Site) -> None:
    body = {"url": "https://example.com", "secret": "hunter2", "events": ["hunter2!"], "enabled": "hunter2"}
    answer = await site("PUT", "/api/v1/endpoints/ci", body, as_="ada")
    assert answer.status == 422
    assert len(answer.paths) == 3
    assert "hunter2" not in answer.text


async def test_nobody_without_a_token_reads_or_writes_and_a_wrong_token_is_told_so(site: Site) -> None:
    for method, path in (("GET", "/api/v1/plans"), ("POST", "/api/v1/plans"), ("GET", "/api/v1/feed")):
        answer = await site(method, path, as_="")
        assert (answer.status, answer.body["code"]) == (401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    forged = await site("GET", "/api/v1/me", as_="", authorization="Bearer gng_" + "x" * 43)
    assert forged.status == 401
    assert "invalid_token" in forged.headers["WWW-Authenticate"]
    assert "x" * 43 not in forged.text
    callback = await site("POST", "/api/callback/release_plan", {}, as_="")
    assert callback.status == 401


async def test_an_unknown_plan_is_not_found_whatever_its_id_looks_like(site: Site) -> None:
    for plan in ("a" * 24, "nonsense", "a" * 23 + "%0A", "A" * 24):
        answer = await site("GET", f"/api/v1/plans/{plan}")
        assert (answer.status, answer.body["code"]) == (404, "plan_not_found"), plan
        order = await site("POST", f"/api/v1/plans/{plan}/seal", if_match="*")
        assert (order.status, order.body["code"]) == (404, "plan_not_found"), plan


async def test_an_unknown_address_and_an_unknown_method_are_problems_too(site: Site) -> None:
    nowhere = await site("GET", "/api/v2/plans")
    assert (nowhere.status, nowhere.body["code"]) == (404, "not_found")
    wrong = await site("DELETE", "/api/v1/plans")
    assert (wrong.status, wrong.body["code"], wrong.headers["Allow"]) == (405, "method_not_allowed", "GET, HEAD, POST")


async def test_what_can_be_read_has_a_head_and_a_stream_without_end_has_none(site: Site) -> None:
    plan = await site.plan()
    headers = {"Authorization": f"Bearer {site.tokens['olivia']}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for path in (f"/api/v1/plans/{plan}", "/openapi.json", "/healthz", "/readyz"):
            async with session.get(site.url + path) as whole, session.head(site.url + path) as head:
                assert (head.status, await head.read()) == (200, b""), path
                for name in ("ETag", "Content-Type", "Content-Length"):
                    assert head.headers.get(name) == whole.headers.get(name), (path, name)
        async with session.head(f"{site.url}/api/v1/plans/{'a' * 24}") as unknown:
            assert unknown.status == 404
        async with session.head(f"{site.url}/api/v1/feed") as feed:
            assert (feed.status, feed.headers["Allow"]) == (405, "GET")
    async with aiohttp.ClientSession() as session, session.head(f"{site.url}/api/v1/plans") as nobody:
        assert nobody.status == 401


async def test_a_problem_has_all_that_rfc_9457_asks_and_its_facts(site: Site) -> None:
    plan = await site.plan()
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = await site(
        "POST", f"/api/v1/plans/{plan}/seal", as_="ana", if_match="*", traceparent=f"00-{trace}-00f067aa0ba902b7-01"
    )
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.body == {
        "type": "https://gonogo.dev/problems/forbidden",
        "title": "Forbidden",
        "status": 403,
        "detail": "user:ana may not move this plan; user:olivia and administrators may.",
        "instance": f"/api/v1/plans/{plan}/seal",
        "code": "forbidden",
        "trace_id": trace,
        "allowed": ["user:olivia"],
    }


async def test_a_vote_carries_the_seal_that_was_looked_at(site: Site) -> None:
    plan = await site.plan(approval=APPROVAL)
    await site("POST", f"/api/v1/plans/{plan}/seal", if_match="*")
    submitted = await site("POST", f"/api/v1/plans/{plan}/submit", if_match='"2"')
    assert submitted.status == 200, submitted.text
    view = await site.view(plan)
    assert view["next"][0]["verb"] == "vote"
    assert view["next"][0]["by"] == ["user:ana", "user:ben"]
    other = await site("POST", f"/api/v1/plans/{plan}/vote", {"vote": "approve", "seal": "0" * 64}, as_="ana")
    assert (other.status, other.body["code"]) == (409, "seal_changed")
    ballot = {"vote": "approve", "seal": view["seal"]["value"], "comment": "fine"}
    assert (await site("POST", f"/api/v1/plans/{plan}/vote", ballot, as_="ana")).status == 200
    view = await site.view(plan)
    level = view["approval"]["levels"][0]
    assert (level["state"], level["rules"][0]["missing"], view["approval"]["waiting_for"]) == ("asked", 1, ["user:ben"])
    assert (await site("POST", f"/api/v1/plans/{plan}/vote", ballot, as_="ben")).status == 200
    assert (await site.view(plan))["approval"]["state"] == "passed"


async def test_a_checklist_becomes_a_plan_with_its_boxes_as_items(site: Site) -> None:
    text = b"# Cut 1.2\n\n## Before\n\n- [ ] Announce\n- [ ] Freeze\n  - [ ] main\n"
    answer = await site("POST", "/api/v1/plans/import?project=web", text, content_type="text/markdown")
    assert answer.status == 201, answer.text
    view = await site.view(answer.body["id"])
    assert view["content"]["name"] == "Cut 1.2"
    assert [item["item"]["name"] for item in view["items"]] == ["Announce", "Freeze"]
    assert view["source"] == {"kind": "checklist", "name": "Cut 1.2"}


async def test_a_checklist_without_boxes_or_without_a_project_is_refused(site: Site) -> None:
    empty = await site("POST", "/api/v1/plans/import?project=web", b"# Nothing\n", content_type="text/markdown")
    assert (empty.status, empty.body["code"]) == (422, "checklist_without_boxes")
    nowhere = await site("POST", "/api/v1/plans/import?projekt=x", b"- [ ] a\n", content_type="text/markdown")
    assert (nowhere.status, sorted(nowhere.paths)) == (400, ["project", "projekt"])


async def test_a_copy_is_a_new_plan_with_the_same_items(site: Site) -> None:
    origin = await site.plan()
    copied = await site("POST", f"/api/v1/plans/{origin}/copy")
    assert copied.status == 201
    assert copied.body["id"] != origin
    view = await site.view(copied.body["id"])
    assert view["source"] == {"kind": "copy", "name": origin}
    assert [item["item"]["id"] for item in view["items"]] == ["announce"]


async def test_the_record_of_a_change_names_the_channel_that_it_came_by(site: Site) -> None:
    plan = await site.plan()
    await site("PATCH", f"/api/v1/plans/{plan}", {"name": "New"}, if_match="*", gonogo_channel="cli")
    async with open_log(site.apps) as log:
        facts = await log.read_stream(f"plan-{plan}")
    assert [(fact.actor, fact.channel) for fact in facts] == [("user:olivia", "http"), ("user:olivia", "cli")]


async def test_an_item_order_reaches_the_executor_as_it_was_sent(site: Site) -> None:
    plan = "a" * 24
    async with stub(site.apps, "executor", accept) as came:
        answer = await site("POST", f"/api/v1/plans/{plan}/items/announce/complete", {"remark": "told"}, if_match='"6"')
    assert answer.body == {"id": plan, "version": 7, "position": 70, "changed": True, "next": []}
    assert came[0].command == CompleteItem(plan=plan, item="announce", remark="told")
    assert (came[0].if_match, came[0].actor.id, came[0].actor.channel) == (6, "user:olivia", "http")


async def test_a_callback_is_answered_with_the_plans_id_as_in_the_seed(site: Site) -> None:
    sample = {
        "hook_event": "all_job_done",
        "release_plan_id": "68b7ec363306e52e21b2dbe6",
        "instance_code": "e52e21b68b7ec3",
        "result": "success",
        "failed_reason": "",
        "something": "that later senders may add",
    }
    async with stub(site.apps, "hook_dispatcher", accept) as came:
        answer = await site("POST", "/api/callback/release_plan", sample)
    assert (answer.status, answer.body) == (200, {"id": "68b7ec363306e52e21b2dbe6"})
    assert came[0].actor.channel == "callback"
    assert came[0].command == AnswerGate(
        plan="68b7ec363306e52e21b2dbe6", gate="all_job_done", instance_code="e52e21b68b7ec3", result="success"
    )


@pytest.mark.parametrize(
    ("code", "status"), [("instance_code_stale", 410), ("gate_not_open", 409), ("plan_not_found", 404)]
)
async def test_a_refused_callback_keeps_its_status(site: Site, code: str, status: int) -> None:
    body = {
        "hook_event": "start_execute",
        "release_plan_id": "a" * 24,
        "instance_code": "b" * 16,
        "result": "failed",
        "failed_reason": "red",
    }
    async with stub(site.apps, "hook_dispatcher", refuse(code, gate="start_execute")):
        answer = await site("POST", "/api/callback/release_plan", body)
    assert (answer.status, answer.body["code"], answer.body["gate"]) == (status, code, "start_execute")
    wrong = await site("POST", "/api/callback/release_plan", {**body, "result": "maybe", "release_plan_id": None})
    assert (wrong.status, sorted(wrong.paths)) == (400, ["/release_plan_id", "/result"])


async def test_a_callback_without_a_token_is_handed_on_with_its_signature_for_the_service_to_check(site: Site) -> None:
    body = {
        "hook_event": "start_execute",
        "release_plan_id": "a" * 24,
        "instance_code": "b" * 16,
        "result": "success",
    }
    signed = {"webhook-id": "c" * 24, "webhook-timestamp": "1790000000", "webhook-signature": "v1,AAAA"}
    async with stub(site.apps, "hook_dispatcher", accept) as came:
        answer = await site("POST", "/api/callback/release_plan", body, as_="", **signed)
        with_both = await site("POST", "/api/callback/release_plan", body, **signed)
    assert (answer.status, with_both.status) == (200, 200)
    first, second = (request.command for request in came)
    assert isinstance(first, AnswerGate)
    assert isinstance(second, AnswerGate)
    assert (came[0].actor.id, came[1].actor.id) == ("", "user:olivia")
    assert first.proof == Proof(
        webhook_id="c" * 24, timestamp="1790000000", signature="v1,AAAA", body=msgspec.json.encode(body)
    )
    assert second.proof is None
    elsewhere = await site("POST", "/api/v1/plans", {}, as_="", **signed)
    assert elsewhere.status == 401


async def test_only_administrators_set_up_people_and_endpoints(site: Site) -> None:
    for method, path, body in (
        ("PUT", "/api/v1/users/carl", {}),
        ("POST", "/api/v1/users/olivia/tokens", {}),
        ("DELETE", "/api/v1/tokens/x", None),
        ("PUT", "/api/v1/secrets/x", {"value": "yyyy"}),
        ("PUT", "/api/v1/endpoints/x", {}),
    ):
        answer = await site(method, path, body)
        assert (answer.status, answer.body["code"]) == (403, "forbidden"), path


async def test_a_new_user_comes_in_with_the_token_that_was_shown_once_until_it_is_taken_back(site: Site) -> None:
    made = await site("PUT", "/api/v1/users/carl", {"name": "Carl", "groups": ["sre"]}, as_="ada")
    assert made.body == {
        "id": "user:carl", "name": "Carl", "groups": ["group:sre"], "administrator": False, "active": True, "email": "",
    }  # fmt: skip
    token = (await site("POST", "/api/v1/users/carl/tokens", {"label": "laptop"}, as_="ada")).body
    bearer = f"Bearer {token['token']}"
    me = await site("GET", "/api/v1/me", as_="", authorization=bearer)
    assert (me.body["id"], me.body["groups"]) == ("user:carl", ["group:sre"])
    assert (await site("DELETE", f"/api/v1/tokens/{token['id']}", as_="ada")).status == 204
    assert (await site("GET", "/api/v1/me", as_="", authorization=bearer)).status == 401


async def test_the_secret_of_an_endpoint_reaches_neither_the_command_nor_the_answer(site: Site) -> None:
    body = {"url": "https://ci.example.com/hook", "secret": "correct horse battery"}
    async with stub(site.apps, "hook_dispatcher", accept) as came:
        answer = await site("PUT", "/api/v1/endpoints/ci", body, as_="ada")
        assert answer.status == 200, answer.text
        command = came[0].command
    assert isinstance(command, PutEndpoint)
    assert command.secret_ref.startswith("endpoint/ci/")
    assert "horse" not in repr(came) + answer.text
    without = await site("PUT", "/api/v1/endpoints/other", {"url": "https://x.example.com"}, as_="ada")
    assert (without.status, without.paths) == (422, ["/secret"])


async def test_another_secret_under_a_used_key_is_not_written_over_the_first(site: Site) -> None:
    async with stub(site.apps, "hook_dispatcher", accept) as came:
        for secret in ("correct horse battery", "another secret of mine"):
            body = {"url": "https://ci.example.com/hook", "secret": secret}
            await site("PUT", "/api/v1/endpoints/kept", body, as_="ada", idempotency_key="same")
    first, second = (one.command for one in came)
    assert isinstance(first, PutEndpoint)
    assert isinstance(second, PutEndpoint)
    assert first.secret_ref != second.secret_ref


async def test_a_signing_secret_that_no_hook_could_be_signed_with_is_refused_and_not_shown(site: Site) -> None:
    body = {"url": "https://ci.example.com/hook", "secret": "whsec_not*base64"}
    answer = await site("PUT", "/api/v1/endpoints/ci", body, as_="ada")
    assert (answer.status, answer.body["code"], answer.paths) == (422, "invalid_endpoint", ["/secret"])
    assert "not*base64" not in answer.text


async def test_a_workflow_whose_body_names_another_one_is_refused(site: Site) -> None:
    step = {"type": "script", "name": "go", "script": "true"}
    body = {"name": "other", "stages": [{"name": "one", "steps": [step]}]}
    answer = await site("PUT", "/api/v1/workflows/web/deploy", body)
    assert (answer.status, answer.paths) == (422, ["/name"])
    missing = await site("GET", "/api/v1/workflows/web/none")
    assert (missing.status, missing.body["code"]) == (404, "workflow_not_found")
