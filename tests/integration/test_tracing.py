"""Traces: what a command does, and what that causes, is one trace; and a collector that is not there harms nobody."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from infra.config import Secret
from infra.telemetry import outbox
from services.executor import app as executor_app
from services.executor.config import Settings as ExecutorSettings
from services.hook_dispatcher import app as hook_app
from services.hook_dispatcher.config import Settings as HookSettings
from tests.support.collector import Collector, Told, place
from tests.support.hooked import LOOPBACK, MASTER, SECRET
from tests.support.receiver import Receiver
from tests.support.servers import Nats, Postgres
from tests.support.site import Site, open_log, open_site
from tests.support.wait import eventually

THEIRS = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
TOLD_IN_THE_STEP = "what the step was given"
ROLL_OUT = {"type": "script", "name": "roll-out", "script": f"# {TOLD_IN_THE_STEP}"}
ITEM = {"id": "deploy", "name": "Deploy", "spec": {"type": "workflow", "project": "web", "workflow": "deploy"}}


@pytest_asyncio.fixture(loop_scope="session")
async def collector() -> AsyncIterator[Collector]:
    async with Collector() as one:
        yield one


def one(spans: Sequence[Told], name: str, **attributes: Any) -> Told:
    """The only span of this name and these attributes (`_` for a dot)."""
    wanted = {key.replace("_", "."): value for key, value in attributes.items()}
    found = [span for span in spans if span.name == name and wanted.items() <= span.attributes.items()]
    assert len(found) == 1, [(span.name, span.attributes) for span in spans]
    return found[0]


async def test_a_command_and_all_that_it_causes_is_the_callers_trace(
    postgres: Postgres, nats: Nats, tmp_path: Path, collector: Collector
) -> None:
    key = Secret(MASTER)
    async with (
        Receiver() as receiver,
        Receiver() as target,
        open_site(postgres, nats, tmp_path, master_key=key, traces_to=collector.url) as site,
    ):
        hooks = {"hook_allow": LOOPBACK, "hook_ports": ("1-65535",), "master_key": key}
        await site.apps.start("executor", ExecutorSettings, executor_app.build, http_allow=LOOPBACK)
        await site.apps.start("hook_dispatcher", HookSettings, hook_app.build, **hooks)
        plan = await _ready_to_start(site, receiver.url, target.url)
        answer = await site("POST", f"/api/v1/plans/{plan}/start?q=hush", traceparent=f"00-{THEIRS}-{SPAN}-01")
        assert answer.status == 200, answer.text
        await eventually(lambda: _succeeded(site, plan), what="the plan succeeds")
        await eventually(lambda: len(receiver.requests) >= 3, what="the hooks come")
        async with open_log(site.apps) as log:
            traces = {place(fact.trace) for fact in await log.read_stream(f"plan-{plan}")}
    spans = collector.of(THEIRS)
    asked = one(spans, "POST /api/v1/plans/{plan}/start")
    assert (asked.service, asked.kind, asked.parent) == ("gateway", "server", SPAN)
    assert asked.attributes["http.route"] == "/api/v1/plans/{plan}/start"
    assert asked.attributes["http.response.status_code"] == 200
    request = one(spans, "request gonogo.v1.cmd.executor")
    assert (request.service, request.kind, request.parent) == ("gateway", "client", asked.id)
    processed = one(spans, "process gonogo.v1.cmd.executor")
    assert (processed.service, processed.kind, processed.parent) == ("executor", "consumer", request.id)
    stored = next(span for span in spans if span.name == "log.append" and span.parent == processed.id)
    assert stored.attributes["gonogo.stream"] == f"plan-{plan}"
    assert stored.place in traces
    assert traces <= {span.place for span in collector.spans if span.name == "log.append"}
    _reactions_go_on(spans, stored)
    _hooks_go_on(spans, receiver)
    assert [place(request.headers["traceparent"]) for request in target.requests] == [one(spans, "tell").place]
    _nothing_is_missing_or_too_much(collector, site)


async def _ready_to_start(site: Site, receiver: str, target: str) -> str:
    steps = [ROLL_OUT, {"type": "http", "name": "tell", "url": target}]
    put = await site("PUT", "/api/v1/workflows/web/deploy", {"stages": [{"name": "all", "steps": steps}]}, as_="ada")
    assert put.status == 200, put.text
    endpoint = {"url": receiver, "secret": SECRET}
    assert (await site("PUT", "/api/v1/endpoints/board", endpoint, as_="ada")).status == 200
    plan = await site.plan(items=[ITEM], rules={"run": "in_order"})
    sealed = await site("POST", f"/api/v1/plans/{plan}/seal", if_match="*")
    assert sealed.status == 200, sealed.text
    return plan


async def _succeeded(site: Site, plan: str) -> bool:
    return bool((await site.view(plan))["status"] == "success")


def _reactions_go_on(spans: Sequence[Told], stored: Told) -> None:
    """From the start to the run, its step, and the end."""
    by_id = {span.id: span for span in spans}

    def line(span: Told) -> list[str]:
        above = [span.name]
        while span.parent in by_id:
            span = by_id[span.parent]
            above.append(span.name)
        return above

    reaction = next(span for span in spans if span.name == "executor plan" and span.parent == stored.id)
    assert (reaction.kind, reaction.attributes["gonogo.cause.position"]) == (
        "consumer",
        stored.attributes["gonogo.position"],
    )
    run, step = one(spans, "RUN web/deploy"), one(spans, "roll-out")
    assert step.parent == run.id
    assert run.attributes["cicd.pipeline.result"] == step.attributes["cicd.pipeline.task.run.result"] == "success"
    assert "executor plan" in line(run)
    assert line(step)[-1] == "POST /api/v1/plans/{plan}/start"


def _hooks_go_on(spans: Sequence[Told], receiver: Receiver) -> None:
    """The receiver is told the span of its attempt, which belongs to the event that raised the hook."""
    told = {place(request.headers["traceparent"]) for request in receiver.requests}
    sent = [span for span in spans if span.name == "POST" and span.place in told]
    assert len(sent) == 2, "started and succeeded; the seal was another command"
    for span in sent:
        assert (span.service, span.kind, span.attributes["server.address"]) == (
            "hook_dispatcher",
            "client",
            "127.0.0.1",
        )
        assert one([above for above in spans if above.id == span.parent], "deliver hook").parent


def _nothing_is_missing_or_too_much(collector: Collector, site: Site) -> None:
    ids = {span.id for span in collector.spans} | {SPAN, ""}
    assert {span.parent for span in collector.spans} <= ids
    said = b"".join(collector.raw)
    for secret in (*site.tokens.values(), SECRET, MASTER, TOLD_IN_THE_STEP, "hush", "/hooks"):
        assert secret.encode() not in said


async def test_problems_tell_the_id_of_the_span_and_a_refusal_is_no_failure(
    postgres: Postgres, nats: Nats, tmp_path: Path, collector: Collector
) -> None:
    async with open_site(postgres, nats, tmp_path, traces_to=collector.url) as site:
        refused = await site("POST", f"/api/v1/plans/{'0' * 24}/seal", if_match="*")
        unknown = await site("GET", "/api/v1/secret-path")
        unsampled = await site("GET", "/api/v1/me", traceparent=f"00-{THEIRS}-{SPAN}-00")
        assert (refused.status, unknown.status, unsampled.status) == (404, 404, 200)
        await site("GET", "/healthz")
    span = one(collector.of(refused.body["trace_id"]), "POST /api/v1/plans/{plan}/seal")
    assert (span.failed, span.attributes["http.response.status_code"]) == (False, 404)
    nowhere = one(collector.of(unknown.body["trace_id"]), "GET")
    assert "url.path" not in nowhere.attributes
    assert collector.of(THEIRS) == []
    assert not [span for span in collector.spans if "healthz" in span.name]


async def test_commands_are_answered_while_the_collector_is_away_or_stands_still(
    postgres: Postgres, nats: Nats, tmp_path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "FLUSH_SECONDS", 0.05)
    collector.hold = asyncio.Event()
    async with open_site(postgres, nats, tmp_path / "slow", traces_to=collector.url) as site:
        assert (await site.view(await site.plan()))["status"] == "planning"
    collector.hold.set()
    async with Collector() as gone:
        nowhere = gone.url
    async with open_site(postgres, nats, tmp_path / "away", traces_to=nowhere) as site:
        assert (await site.view(await site.plan()))["status"] == "planning"
