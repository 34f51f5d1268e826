"""The demonstration itself: `run_demo` takes a checklist to `success`, over HTTP alone, and doubts everything on the way.

It ends with an `Outcome` or with one sentence that says what is not as it should be. It lives through restarts of any
part of the system, as long as each is back within `patience_seconds`.
"""

import asyncio
import base64
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from contracts.moments import moment
from infra.clock import Clock, SystemClock
from services.cli.client import Notice
from services.cli.demo import checks, content, items
from services.cli.demo.cast import Cast, expect
from services.cli.demo.progress import Progress, Step
from services.cli.demo.receiver import World
from services.cli.problems import Problem
from services.cli.record import entries_of

EXAMPLE = Path(__file__).with_name("release-checklist.md")
GATES = ("finish_planning", "start_execute", "all_job_done")


SYSTEM_SETTINGS: Mapping[str, str] = {
    "GONOGO_HOOK_ALLOW": "127.0.0.0/8",
    "GONOGO_HTTP_ALLOW": "127.0.0.0/8",
    "GONOGO_HOOK_PORTS": "1-65535",
    "GONOGO_HOOK_SCHEDULE_SECONDS": "0,1,1,2,2,5,5,10,10,30",
    "GONOGO_LEASE_SECONDS": "5",
}
"""What a system is given so that this can run against it: the outside world is on loopback, where hooks are refused
otherwise, and nobody has minutes to wait for the next try."""


class Outcome(msgspec.Struct, frozen=True):
    """What was reached. `entries` is the operation record, oldest first."""

    plan: str
    position: int
    version: int
    boxes: int
    skipped: str
    hooks: int
    fed: int
    steps_run: Mapping[str, int]
    entries: list[dict[str, Any]]


async def run_demo(
    base_url: str,
    tokens: Mapping[str, str],
    *,
    folder: Path,
    progress: Progress,
    checklist: Path | None = None,
    patience_seconds: float = 60.0,
    notice: Notice = lambda _: None,
    clock: Clock | None = None,
) -> Outcome:
    """Takes a release from a checklist to success.

    `tokens` has those of olivia, ana, ben and ada (an administrator). `folder` must exist, be empty and be reachable by
    the executor: the build happens there. `patience_seconds` bounds each request and each wait. Raises `Problem`.
    """
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    async with Cast(base_url, tokens, patience_seconds, notice) as cast:

        async def answer(body: dict[str, Any]) -> Any:
            return (await cast.people["checker"].send("POST", "/api/callback/release_plan", body)).json()

        async with World(secret, answer) as world:
            script = _Script(cast, world, folder, progress, clock or SystemClock())
            return await script.play(secret, checklist or EXAMPLE)


class _Script:
    """The scenes in their order. Each is one numbered step."""

    def __init__(self, cast: Cast, world: World, folder: Path, progress: Progress, clock: Clock) -> None:
        self._cast = cast
        self._world = world
        self._folder = folder
        self._progress = progress
        self._clock = clock

    async def play(self, secret: str, checklist: Path) -> Outcome:
        progress = self._progress
        with progress.step("Ada stores a user, an endpoint for hooks and two workflows"):
            await self._prepare(secret)
        with progress.step(f"Olivia imports {checklist.name}") as step:
            await self._import(checklist, step)
        with progress.step("She adds workflow items, approval, gates and a window") as step:
            await self._edit(step)
        with progress.step("She seals; the first gate asks the outside system, which answers") as step:
            await self._seal(step)
        with progress.step("She submits; her own vote is refused") as step:
            await self._submit(step)
        with progress.step("Ana and Ben approve; the second gate asks, the plan starts") as step:
            await self._approve(step)
        with progress.step("Text items are completed, sub-steps ticked") as step:
            boxes = await items.do_texts(self._cast, await self._cast.read(), step)
        with progress.step("One item is skipped with a reason") as step:
            skipped = await self._skip(step)
        with progress.step("The build runs, fails, is repaired and retried") as step:
            await self._build(step)
        with progress.step("The release is deployed to staging and production") as step:
            await self._deploy(step)
        with progress.step("The last gate asks; the plan succeeds") as step:
            plan = await self._succeed(step)
        with progress.step("Everything is as it should be") as step:
            return await self._check(plan, boxes, skipped, step)

    async def _prepare(self, secret: str) -> None:
        cast = self._cast
        await cast.as_("ada", "PUT", "/users/checker", {"name": "The outside system"})
        token = (await cast.as_("ada", "POST", "/users/checker/tokens", {"label": "demo"})).json()["token"]
        await cast.add("checker", token)
        endpoint = {"url": f"{self._world.url}/hooks", "secret": secret}
        await cast.as_("ada", "PUT", "/endpoints/demo", endpoint)
        path = f"/workflows/{content.PROJECT}"
        await cast.as_("ada", "PUT", f"{path}/{content.BUILD}", content.build_workflow())
        deploy = content.deploy_workflow(f"{self._world.url}/target")
        await cast.as_("ada", "PUT", f"{path}/{content.DEPLOY}", deploy)

    async def _import(self, checklist: Path, step: Step) -> None:
        text = await asyncio.to_thread(checklist.read_bytes)
        done = await self._cast.as_(
            "olivia",
            "POST",
            "/plans/import",
            text,
            content_type="text/markdown",
            project=content.PROJECT,
            source=checklist.name[:200],
        )
        self._cast.follow(done.json()["id"])
        plan = await self._cast.read()
        boxes = sum(1 + len(item["spec"].get("sub_steps", ())) for item in items.texts(plan))
        step.say(f"{len(plan['items'])} items, {boxes} boxes, plan {self._cast.plan}")

    async def _edit(self, step: Step) -> None:
        cast = self._cast
        plan = await cast.read()
        wanted = [*plan["content"]["items"], *content.workflow_items(self._folder)]
        path = f"/plans/{cast.plan}"
        done = await cast.as_("olivia", "PUT", f"{path}/sections/items", wanted, if_match=await cast.etag())
        others = content.other_sections(moment(self._clock.now()))
        await cast.as_("olivia", "PATCH", path, others, if_match=done.etag)
        step.say(f"{len(wanted)} items")

    async def _seal(self, step: Step) -> None:
        await self._cast.order("olivia", "seal", if_match=await self._cast.etag())
        plan = await self._cast.until_status("finish_planning")
        step.say(f"seal {plan['seal']['value'][:12]}, code {plan['gates']['finish_planning']['instance_code']}")

    async def _submit(self, step: Step) -> None:
        cast = self._cast
        await cast.order("olivia", "submit", if_match=await cast.etag())
        plan = await cast.until_status("wait_for_approval")
        try:
            await cast.order("olivia", "vote", {"vote": "approve", "seal": plan["seal"]["value"]})
        except Problem as problem:
            expect(problem.code == "self_approval", f"Her vote was refused for another reason: {problem.sentence}")
            step.say(problem.sentence)
        else:
            expect(False, "The owner could approve her own plan.")

    async def _approve(self, step: Step) -> None:
        cast = self._cast
        seal = (await cast.read())["seal"]["value"]
        await cast.order("ana", "vote", {"vote": "approve", "seal": seal, "comment": "read every item"})
        plan = await cast.read()
        expect(plan["status"] == "wait_for_approval", "One vote of two was enough to approve.")
        await cast.order("ben", "vote", {"vote": "approve", "seal": seal})
        plan = await cast.until_status("executing")
        step.say(f"code {plan['gates']['start_execute']['instance_code']}")

    async def _skip(self, step: Step) -> str:
        plan = await self._cast.read()
        item = items.skipped_one(plan)
        if item:
            await items.skip(self._cast, item)
            name = items.item_of(plan, item)["item"]["name"]
            step.say(f"{name!r}: {content.SKIP_REASON}")
        else:
            step.say("there is only one, so none")
        return item

    async def _build(self, step: Step) -> None:
        failed = await items.run_until_settled(self._cast, "run-build")
        expect(failed["status"] == "failed", "The build went through although nobody had signed it off.")
        story = f"attempt 1 failed ({failed['attempts'][-1]['error']})"
        step.say(story)
        items.sign_off(self._folder)
        done = await items.retry_until_done(self._cast, "run-build")
        step.say(f"{story}, attempt {len(done['attempts'])} is done")

    async def _deploy(self, step: Step) -> None:
        for item in ("run-staging", "run-production"):
            view = await items.run_until_settled(self._cast, item)
            if view["status"] == "failed":
                await items.retry_until_done(self._cast, item)
        step.say(", ".join(f"{name} has {version}" for name, version in sorted(self._world.deployed.items())))

    async def _succeed(self, step: Step) -> dict[str, Any]:
        plan = await self._cast.until_status("success")
        step.say(f"code {plan['gates']['all_job_done']['instance_code']}")
        return plan

    async def _check(self, plan: dict[str, Any], boxes: int, skipped: str, step: Step) -> Outcome:
        cast = self._cast
        await cast.until_fed(plan["position"])
        reader = cast.people["olivia"]
        entries = [one async for one in entries_of(reader, cast.plan, min_position=plan["position"])]
        runs = [(await reader.get(f"/api/v1/runs/{run}")).json() for run in checks.runs_of(plan)]
        checks.check_plan(plan, skipped)
        checks.check_feed(cast.seen, plan)
        checks.check_record(entries, plan)
        checks.check_hooks(self._world, plan)
        steps_run = checks.check_steps(self._folder, self._world, runs)
        step.say(f"{len(self._world.hooks)} hooks, {len(entries)} entries in the record, {len(cast.seen)} in the feed")
        return Outcome(
            plan=cast.plan,
            position=plan["position"],
            version=plan["version"],
            boxes=boxes,
            skipped=skipped,
            hooks=len(self._world.hooks),
            fed=len(cast.seen),
            steps_run=steps_run,
            entries=entries,
        )
