"""Reads what the deciders must know: the workflows that a plan was sealed to as the log holds them, who sealed it."""

from collections.abc import Iterable

from contracts.commands import Actor
from contracts.plan import Plan
from contracts.workflow import workflow_stream
from infra.commands import Desk
from infra.identity import Identities
from services.executor.views import Found, Workflow, found


class Shelf:
    """The workflows. Revisions are only ever added, so a remembered one that is found is right; a missing one is read."""

    def __init__(self, desk: Desk[Workflow], people: Identities) -> None:
        self._desk = desk
        self._people = people

    async def runner(self, plan: Plan) -> Actor | None:
        """The person who sealed the plan, with the groups that they have now; `None` for one who is not let in any more.

        Whom the directory does not know has no groups: the token of another house may have brought them here.
        """
        if plan.seal is None or not plan.seal.by.startswith("user:"):
            return None
        user = await self._people.user(plan.seal.by.removeprefix("user:"))
        if user is None:
            return Actor(plan.seal.by, channel="system")
        return Actor(plan.seal.by, user.groups, user.administrator, "system") if user.active else None

    async def sealed(self, plan: Plan, items: Iterable[str] | None = None) -> dict[str, Found]:
        """By item id, what would really run; of these items, or of all. What is gone is absent."""
        sealed = plan.seal.workflows if plan.seal is not None else {}
        wanted = sealed if items is None else {item: sealed[item] for item in items if item in sealed}
        answers: dict[str, Found] = {}
        streams: dict[str, Workflow | None] = {}
        for item, resolved in wanted.items():
            stream = workflow_stream(resolved.project, resolved.workflow)
            if stream not in streams:
                streams[stream] = await self._desk.read(stream)
            one = found(streams[stream], resolved)
            if one is not None:
                answers[item] = one
        return answers
