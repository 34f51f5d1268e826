"""Given: plans as the fold of events, for the executor's deciders. Times are Unix microseconds."""

from typing import Any

from contracts.commands import Actor
from contracts.envelope import Fact
from contracts.evolve import fold
from contracts.moments import moment
from contracts.plan import Plan
from contracts.plan_events import (
    Event,
    ExecutionStarted,
    PlanApproved,
    PlanCreated,
    PlanSubmitted,
    ResolvedWorkflow,
    StartRequested,
)
from contracts.registry import encode
from contracts.seal import seal_of
from contracts.values import Content, Item, SubStep, TextSpec, Window, WorkflowSpec
from contracts.workflow import ScriptStep, Stage, WorkflowDefinition, WorkflowInput, workflow_digest
from services.executor.views import Found

HOUR = 3_600_000_000
NOON = 1_795_000_000_000_000
PLAN = "68b7ec363306e52e21b2dbe6"
OLIVIA = Actor("user:olivia")
IVAN = Actor("user:ivan")
EVE = Actor("user:eve")
ADMIN = Actor("user:root", administrator=True)
SYSTEM = Actor("service:executor", administrator=True)
OPEN = Window(start=moment(NOON - HOUR), end=moment(NOON + HOUR))

DEPLOY = WorkflowDefinition(
    project="shop",
    name="deploy",
    inputs=(WorkflowInput(name="version"), WorkflowInput(name="token", default="secret:registry", credential=True)),
    stages=(Stage(name="all", steps=(ScriptStep(name="one", script="true"), ScriptStep(name="two", script="true"))),),
)


def text(item: str = "notes", **fields: Any) -> Item:
    steps = tuple(SubStep(id=one, text=one) for one in fields.pop("sub_steps", ()))
    return Item(id=item, name=item, spec=TextSpec(sub_steps=steps), **fields)


def workflow(item: str = "deploy", inputs: dict[str, str] | None = None, **fields: Any) -> Item:
    spec = WorkflowSpec(project="shop", workflow="deploy", inputs={"version": "1.2"} if inputs is None else inputs)
    return Item(id=item, name=item, spec=spec, **fields)


def found(definition: WorkflowDefinition = DEPLOY, revision: int = 1) -> Found:
    digest = workflow_digest(definition)
    resolved = ResolvedWorkflow(project=definition.project, workflow=definition.name, revision=revision, digest=digest)
    return Found(resolved, definition)


def content(*items: Item, **fields: Any) -> Content:
    return Content(name="1.2", owner=fields.pop("owner", ("user:olivia",)), items=items, **fields)


class Given:
    """A plan and its history. `then` appends events; the fold gives the state."""

    def __init__(self, plan_content: Content) -> None:
        self._version = 0
        self._state: Plan | None = None
        self.then(PlanCreated(index=1, project="shop", content=plan_content))

    @property
    def plan(self) -> Plan:
        assert self._state is not None
        return self._state

    def then(self, *events: Event, at: int = NOON - HOUR // 2, by: str = "user:olivia") -> "Given":
        for event in events:
            self._version += 1
            name, payload = encode(event)
            fact = Fact(
                self._version, f"plan-{PLAN}", self._version, name, at, at, by, "http", "k", 0, None, "", payload, b""
            )
            self._state = fold((fact,), self._state)
        return self

    def sealed(self) -> "Given":
        items = self.plan.content.items
        workflows = {item.id: found().resolved for item in items if isinstance(item.spec, WorkflowSpec)}
        return self.then(seal_of(self.plan.content, workflows))

    def approved(self) -> "Given":
        seal = self.sealed().plan.seal
        assert seal is not None
        return self.then(PlanSubmitted(round=1, seal=seal.value), PlanApproved(round=1, seal=seal.value))

    def executing(self) -> "Given":
        seal = self.sealed().plan.seal
        assert seal is not None
        return self.then(StartRequested(by="owner"), ExecutionStarted(seal=seal.value))


def all_found(plan: Plan) -> dict[str, Found]:
    return {item.id: found() for item in plan.content.items if isinstance(item.spec, WorkflowSpec)}
