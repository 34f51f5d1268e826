"""The body of a hook, read from the log: the fact that raised it, the plan up to it, the workflow revisions it sealed."""

import hashlib
from collections import OrderedDict
from functools import cached_property
from typing import Literal, NamedTuple, Protocol, cast

from contracts.endpoint import EndpointChallenged
from contracts.envelope import Fact, category
from contracts.evolve import fold
from contracts.plan import Plan
from contracts.plan_events import Event
from contracts.registry import DECODERS
from contracts.values import GATES, GateName, WorkflowSpec
from contracts.workflow import WorkflowRevised, workflow_stream
from infra.asked_once import AskedOnce
from infra.errors import Corrupt
from infra.eventlog.model import Head
from services.hook_dispatcher.views.body import Revision, hook_body, instance_code
from services.hook_dispatcher.views.cloud_event import challenge_body, event_body, hook_event_body
from services.hook_dispatcher.views.sample import sample_body

_REMEMBERED = 256
_REMEMBERED_BYTES = 2 * 1024 * 1024


class Readable(Protocol):
    """The part of the log that is needed."""

    async def read_stream(self, stream: str, after_version: int = 0) -> list[Fact]: ...

    async def read_after(self, position: int, limit: int = 500) -> list[Fact]: ...

    async def head(self) -> Head: ...


class Hooked(NamedTuple):
    """A hook that was raised: which event of which plan, by the fact at which position, in which form."""

    plan: str
    event: str
    raised_by: int
    format: Literal["zadig", "standard"] = "zadig"


class Body:
    """The exact bytes of a hook, and their SHA-256 in hex, which is reckoned once for all who get them."""

    def __init__(self, text: bytes) -> None:
        self.text = text

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.text).hexdigest()


class Rendering:
    """Makes bodies. The last ones are remembered: they go to several endpoints, and again after a failure. Who asks for one
    that is being made waits for it."""

    def __init__(self, log: Readable) -> None:
        self._log = log
        self._bodies: OrderedDict[Hooked, Body] = OrderedDict()
        self._size = 0
        self._making = AskedOnce(self._make)

    async def body(self, hook: Hooked) -> Body:
        """What the hook says. Raises Corrupt when the log does not have what raised it."""
        return self._bodies.get(hook) or await self._making.get(hook)

    async def _make(self, hook: Hooked) -> Body:
        body = self._bodies[hook] = Body(await self._made(hook))
        self._size += len(body.text)
        while len(self._bodies) > _REMEMBERED or (self._size > _REMEMBERED_BYTES and len(self._bodies) > 1):
            self._size -= len(self._bodies.popitem(last=False)[1].text)
        return body

    async def event(self, position: int) -> Event | None:
        """The event at this position; None for a type that this release does not know. Raises Corrupt."""
        fact = await self._fact(position)
        return DECODERS[fact.type](fact.payload) if fact.type in DECODERS else None

    async def _made(self, hook: Hooked) -> bytes:
        if hook.event in GATES and hook.format == "zadig":
            return await self._of_plan(hook)
        fact = await self._fact(hook.raised_by)
        if hook.format == "zadig":
            return sample_body(fact)
        epoch = (await self._log.head()).epoch
        if hook.event in GATES:
            return hook_event_body(
                fact, epoch, hook.plan, hook.event, (await self.body(hook._replace(format="zadig"))).text
            )
        event = DECODERS[fact.type](fact.payload) if category(fact.stream) == "endpoint" else None
        if isinstance(event, EndpointChallenged):
            return challenge_body(fact, epoch, event.challenge)
        return event_body(fact, epoch, hook.plan)

    async def _fact(self, position: int) -> Fact:
        facts = await self._log.read_after(position - 1, 1)
        if not facts:
            raise Corrupt(f"the log has no fact at position {position}, which raised a hook")
        return facts[0]

    async def _of_plan(self, hook: Hooked) -> bytes:
        facts = [fact for fact in await self._log.read_stream(f"plan-{hook.plan}") if fact.position <= hook.raised_by]
        plan = fold(facts)
        if plan is None or facts[-1].position != hook.raised_by:
            raise Corrupt(f"plan {hook.plan} has no fact at position {hook.raised_by}, which raised a hook")
        event = cast(GateName, hook.event)
        code = instance_code(plan, event, hook.raised_by, gated=facts[-1].type == "gate.opened.v1")
        return hook_body(plan, event, code, await self._revisions(plan))

    async def _revisions(self, plan: Plan) -> dict[str, Revision]:
        """What each workflow item was sealed to run. A workflow or revision that is gone is left out."""
        found: dict[str, Revision] = {}
        sealed = plan.seal.workflows if plan.seal else {}
        for item in plan.content.items:
            if isinstance(item.spec, WorkflowSpec) and item.id in sealed:
                facts = await self._log.read_stream(workflow_stream(item.spec.project, item.spec.workflow))
                revision = _revision(facts, sealed[item.id].revision)
                if revision is not None:
                    found[item.id] = revision
        return found


def _revision(facts: list[Fact], number: int) -> Revision | None:
    for fact in facts:
        event = DECODERS[fact.type](fact.payload) if fact.type in DECODERS else None
        if isinstance(event, WorkflowRevised) and event.revision == number:
            return Revision(event.definition, facts[0].actor, facts[0].at, fact.actor, fact.at)
    return None
