"""What would happen, asked over HTTP: nothing is written, and what comes is what was said."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from services.executor import app as executor_app
from services.executor.config import Settings as ExecutorSettings
from services.hook_dispatcher import app as hook_app
from services.hook_dispatcher.config import Settings as HookSettings
from services.relay import app as relay_app
from services.relay.config import Settings as RelaySettings
from tests.support.clocks import MovedClock
from tests.support.servers import Nats, Postgres
from tests.support.site import Site, open_log, open_site
from tests.support.wait import eventually


@pytest.fixture(scope="module")
def clock() -> MovedClock:
    """The executor's."""
    return MovedClock()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(
    postgres: Postgres, nats: Nats, tmp_path_factory: pytest.TempPathFactory, clock: MovedClock
) -> AsyncIterator[Site]:
    folder: Path = tmp_path_factory.mktemp("site")
    async with open_site(postgres, nats, folder) as site:
        await site.apps.start("executor", ExecutorSettings, partial(executor_app.build, clock=clock))
        await site.apps.start("hook_dispatcher", HookSettings, hook_app.build)
        await site.apps.start("relay", RelaySettings, relay_app.build)
        await _everybody_is_there(site)
        yield site


async def _everybody_is_there(site: Site) -> None:
    """A plan has been through dispatcher and executor, so no test begins before they have."""
    plan = await site.plan(gates={"finish_planning": {}})
    await site("POST", f"/api/v1/plans/{plan}/seal", if_match="*")
    await _callback(site, plan, "finish_planning")
    await site("POST", f"/api/v1/plans/{plan}/start")
    await _status(site, plan, "executing")


async def test_a_seal_check_writes_nothing_and_tells_the_seal_that_sealing_then_makes(site: Site) -> None:
    plan = await site.plan()
    check = await site("GET", f"/api/v1/plans/{plan}/seal-check", as_="ana")
    assert (check.body["sealable"], check.body["code"]) == (False, "forbidden")
    check = await site("GET", f"/api/v1/plans/{plan}/seal-check")
    assert (check.status, check.body["sealable"], check.body["version"]) == (200, True, 1)
    assert (await site.view(plan))["status"] == "planning"
    await site("POST", f"/api/v1/plans/{plan}/seal", if_match=check.etag)
    assert (await site.view(plan))["seal"]["value"] == check.body["seal"]


async def test_a_seal_check_tells_every_problem_at_once(site: Site) -> None:
    items = [{"id": "a", "name": "a", "needs": ["b"], "owner": ["user:nobody"], "spec": {"type": "text"}}]
    plan = await site.plan(items=items)
    check = await site("GET", f"/api/v1/plans/{plan}/seal-check")
    assert [fault["path"] for fault in check.body["faults"]] == ["/items/0/owner/0", "/items/0/needs/0"]
    assert (await site("GET", f"/api/v1/plans/{'0' * 24}/seal-check")).status == 404


ITEMS = [
    {"id": "build", "name": "Build", "spec": {"type": "workflow", "project": "web", "workflow": "short"}},
    {"id": "left", "name": "L", "needs": ["build"], "spec": {"type": "workflow", "project": "web", "workflow": "long"}},
    {
        "id": "right",
        "name": "R",
        "needs": ["build"],
        "spec": {"type": "workflow", "project": "web", "workflow": "short"},
    },
    {
        "id": "announce",
        "name": "Announce",
        "needs": ["left", "right"],
        "spec": {"type": "text", "sub_steps": [{"id": "mail", "text": "Mail"}, {"id": "chat", "text": "Chat"}]},
    },
]
PLAN = {
    "items": ITEMS,
    "rules": {"run": "by_needs"},
    "gates": {gate: {"deadline_seconds": 600} for gate in ("finish_planning", "start_execute", "all_job_done")},
    "approval": {
        "levels": [
            {"rules": [{"approvers": ["group:sre", "user:olivia"], "needed": 1}]},
            {"rules": [{"approvers": ["user:ben"], "needed": 1}, {"approvers": ["user:ada"], "needed": 1}]},
        ]
    },
}


async def _callback(site: Site, plan: str, gate: str) -> None:
    async def code() -> str:
        shown = (await site.view(plan))["gates"][gate]
        return shown["instance_code"] if shown["state"] == "open" else ""

    body = {"hook_event": gate, "release_plan_id": plan, "instance_code": await eventually(code), "result": "success"}
    answer = await site("POST", "/api/callback/release_plan", body)
    assert answer.status == 200, answer.text


async def _status(site: Site, plan: str, status: str) -> str:
    async def seal() -> str:
        view = await site.view(plan)
        assert view["status"] == status, view["status"]
        return str(view["seal"]["value"])

    return str(await eventually(seal))


class Long:
    """The workflow that takes five minutes by the executor's clock, and no moment less than the branch beside it."""

    def __init__(self, folder: Path, clock: MovedClock) -> None:
        self.begun, self._go, self._clock = folder / "begun", folder / "go", clock
        self.script = f"touch {self.begun}; while [ ! -e {self._go} ]; do sleep 0.05; done; rm {self._go} {self.begun}"

    def end(self) -> None:
        self._clock.advance(300)
        self._go.touch()


async def _really(site: Site, plan: str, long: "Long") -> None:
    """From the draft to success, everybody doing at once what they may."""
    path = f"/api/v1/plans/{plan}"
    await site("POST", f"{path}/seal", if_match="*")
    await _callback(site, plan, "finish_planning")
    seal = await _status(site, plan, "finish_planning")
    await site("POST", f"{path}/submit", if_match="*")
    for person in ("ana", "ben", "ada"):
        answer = await site("POST", f"{path}/vote", {"vote": "approve", "seal": seal}, as_=person)
        assert answer.status == 200, answer.text
    await _callback(site, plan, "start_execute")

    async def only_the_long_one_is_left() -> bool:
        items = (await site.view(plan))["items"]
        return items[2]["status"] == "done" and long.begun.exists()

    await eventually(only_the_long_one_is_left)
    long.end()

    async def branches_are_done() -> bool:
        items = (await site.view(plan))["items"]
        return [item["status"] for item in items] == ["done", "done", "done", "todo"]

    await eventually(branches_are_done)
    for step in ("mail", "chat"):
        await site("POST", f"{path}/items/announce/tick", {"step": step})
    await site("POST", f"{path}/items/announce/complete", {})
    await _callback(site, plan, "all_job_done")
    await _status(site, plan, "success")


async def test_the_real_run_takes_exactly_the_order_that_was_rehearsed(
    site: Site, clock: MovedClock, tmp_path: Path
) -> None:
    """Of two branches the one with the shorter history is foreseen to end first, and does."""
    long = Long(tmp_path, clock)
    for name, script in (("short", "true"), ("long", long.script)):
        step = {"type": "script", "name": "wait", "script": script}
        body = {"stages": [{"name": "all", "steps": [step]}]}
        assert (await site("PUT", f"/api/v1/workflows/web/{name}", body)).status == 200
    first, second = await site.plan(**PLAN), await site.plan(**PLAN)
    unknown = (await site("GET", f"/api/v1/plans/{first}/rehearsal")).body
    assert unknown["items"][0]["basis"] == "unknown: web/short never ran to its end"
    await _really(site, first, long)

    async def has_history() -> bool:
        told = (await site("GET", f"/api/v1/plans/{second}/rehearsal")).body
        return (
            "median of 2 earlier runs of web/short" in told["items"][0]["basis"]
            and "1 earlier" in told["items"][1]["basis"]
        )

    await eventually(has_history)
    told = (await site("GET", f"/api/v1/plans/{second}/rehearsal")).body
    assert (await site.view(second))["version"] == told["version"] == 1, "nothing was written"
    assert told["outcome"] == "success"
    assert told["stages"] == [["build"], ["left", "right"], ["announce"]]
    assert [[rule["people"] for rule in level["rules"]] for level in told["approval"]] == [
        [["user:ana", "user:ben"]],
        [["user:ben"], ["user:ada"]],
    ]
    assert [hook["waits"] for hook in told["hooks"]] == [True, True, True]
    await _really(site, second, long)
    async with open_log(site.apps) as log:
        facts = await log.read_stream(f"plan-{second}", 1)
    happened = [(fact.type, msgspec.json.decode(fact.payload)) for fact in facts]
    real = [(name, data.get("item", ""), data.get("gate", "")) for name, data in happened]
    assert [(step["type"], step["item"], step["gate"]) for step in told["steps"]] == real
    ended = [item for name, item, _ in real if name == "item.finished.v1"]
    assert ended == ["build", "right", "left"]
    assert (await site("GET", f"/api/v1/plans/{second}/rehearsal")).status == 409
