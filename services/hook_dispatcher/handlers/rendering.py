"""The body of a hook, read from the log: the plan up to the fact that raised it, and the workflow revisions it sealed."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from contracts.envelope import Fact
from contracts.evolve import fold
from contracts.plan import Plan
from contracts.registry import DECODERS
from contracts.values import GateName, WorkflowSpec
from contracts.workflow import WorkflowRevised, workflow_stream
from infra.errors import Corrupt
from services.hook_dispatcher.views.body import Revision, hook_body, instance_code

ReadStream = Callable[[str], Awaitable[list[Fact]]]

_REMEMBERED = 32


class Hooked(NamedTuple):
    """A hook that was raised: which event of which plan, by the fact at which position."""

    plan: str
    event: GateName
    raised_by: int


class Rendering:
    """Makes bodies. The last few are remembered: they go to several endpoints, and again after a failure."""

    def __init__(self, read_stream: ReadStream) -> None:
        self._read_stream = read_stream
        self._bodies: OrderedDict[Hooked, bytes] = OrderedDict()

    async def body(self, hook: Hooked) -> bytes:
        """The exact bytes of the hook. Raises Corrupt when the log does not have what raised it."""
        body = self._bodies.get(hook)
        if body is None:
            body = await self._made(hook)
            self._bodies[hook] = body
            while len(self._bodies) > _REMEMBERED:
                self._bodies.popitem(last=False)
        return body

    async def _made(self, hook: Hooked) -> bytes:
        facts = [fact for fact in await self._read_stream(f"plan-{hook.plan}") if fact.position <= hook.raised_by]
        plan = fold(facts)
        if plan is None or facts[-1].position != hook.raised_by:
            raise Corrupt(f"plan {hook.plan} has no fact at position {hook.raised_by}, which raised a hook")
        code = instance_code(plan, hook.event, hook.raised_by, gated=facts[-1].type == "gate.opened.v1")
        return hook_body(plan, hook.event, code, await self._revisions(plan))

    async def _revisions(self, plan: Plan) -> dict[str, Revision]:
        """What each workflow item was sealed to run. A workflow or revision that is gone is left out."""
        found: dict[str, Revision] = {}
        sealed = plan.seal.workflows if plan.seal else {}
        for item in plan.content.items:
            if isinstance(item.spec, WorkflowSpec) and item.id in sealed:
                facts = await self._read_stream(workflow_stream(item.spec.project, item.spec.workflow))
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
