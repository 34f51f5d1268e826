"""A rehearsal: how a plan would go from now on, by the rules that will run it, with no effect.

It plays the plan on a stage of its own (`stage`): everybody who moves a plan is asked what they decide (`company`,
`working`), what they decide is folded as the real log is, and when nobody can do anything the clock goes on to what comes
next. There is no second set of rules here: each decision is made by the decider that makes it in earnest, which is why
this package alone may import the deciders of other services.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from contracts.foresight import MOST_TOLD, HookForeseen, ItemForeseen, Rehearsal, RehearsedStep
from contracts.moments import micros, moment
from contracts.plan import ENDED, Plan
from contracts.plan_events import GateOpened
from contracts.refusals import Refused
from contracts.values import Item, WorkflowSpec
from services.executor.decider.rules import is_settled
from services.hook_dispatcher.views.hooks import RAISING, Subject, deliveries_of, raised_by
from services.planner.decider.rehearsing.company import Company
from services.planner.decider.rehearsing.stage import FrozenAt, Happened, Stage, Surroundings, Usual, World
from services.planner.decider.rehearsing.working import Length, Work
from services.planner.views import timer_rows

__all__ = ["MOST_PARTS", "Surroundings", "Usual", "rehearse"]

MOST_PARTS = 1_000
"""Items and their sub-steps. Larger plans are not rehearsed: the time it takes grows with the square of their size."""

_MOST_MOVES = 20_000
_WAITS_FOR_TIME = frozenset({"outside_window", "before_schedule", "frozen"})
_SECOND = 1_000_000

ASSUMPTIONS = (
    "Owners and approvers do what they may as soon as they may, and nobody rejects.",
    "Outside systems answer each gate at once, and yes.",
    "Every item ends well at its first attempt.",
    "A workflow takes the median of its earlier whole and successful runs; what has none, and what people do, takes no time.",
    "Groups, workflows and freezes stay as they are now.",
)


class _Played(NamedTuple):
    stage: Stage
    company: Company
    work: Work


def rehearse(plan: Plan | None, plan_id: str, around: Surroundings, at: int, frozen_at: FrozenAt) -> Rehearsal:
    """How it would go, begun at this moment (Unix µs). Raises Refused for a plan that is not there, over, or too large."""
    if plan is None:
        raise Refused("plan_not_found", f"There is no plan {plan_id}.")
    if plan.status in ENDED or plan.status == "denied":
        detail = f"The plan is in {plan.status}; there is nothing left to rehearse."
        raise Refused("final", detail, status=plan.status)
    parts = sum(1 + len(getattr(item.spec, "sub_steps", ())) for item in plan.content.items)
    if parts > MOST_PARTS:
        detail = f"Plans of up to {MOST_PARTS} items, sub-steps counted in, are rehearsed; this one has {parts}."
        raise Refused("rehearsal_too_large", detail, most_parts=MOST_PARTS)
    world = World(around, frozen_at)
    played = _play(plan, world, at, lambda item: usual.median if (usual := world.usual_of(item)) else 0)
    stages = _stages(_play(plan, world, at, lambda item: 1))  # each item a microsecond: the stages alone count
    return _told(plan, world, at, played, stages)


def _play(plan: Plan, world: World, at: int, length: Length) -> _Played:
    stage = Stage(plan, at)
    company, work = Company(stage, world), Work(stage, world, length)
    for _ in range(_MOST_MOVES):
        if stage.plan.status in ENDED:
            break
        if company.move() or work.begin() or work.end():
            continue
        later = _later(stage, world, company, work)
        if later is None:
            break
        stage.at = later
    return _Played(stage, company, work)


def _later(stage: Stage, world: World, company: Company, work: Work) -> int | None:
    """When something may happen again; `None` where the plan waits for something that time does not bring."""
    plan = stage.plan
    ends, frozen = work.next_end(), world.frozen_at(plan, stage.at)
    if plan.status == "executing":
        stuck = ends is None and frozen is None
    else:
        stuck = plan.status != "finish_planning" and not plan.gates["start_execute"].passable
        stuck = stuck or (company.stopped is not None and company.stopped.code not in _WAITS_FOR_TIME)
    if stuck:
        return None
    times = [row.due_at for row in timer_rows(plan) if row.service == "executor"]
    times += [ends] if ends is not None else []
    times += [frozen.end] if frozen is not None else []
    return min((time for time in times if time > stage.at), default=None)


def _stages(played: _Played) -> tuple[tuple[str, ...], ...]:
    started = played.work.started
    order = {item.id: i for i, item in enumerate(played.stage.plan.content.items)}
    stages: dict[int, list[str]] = {}
    for item in sorted(started, key=lambda one: order[one]):
        stages.setdefault(started[item], []).append(item)
    return tuple(tuple(stages[time]) for time in sorted(stages))


def _told(plan: Plan, world: World, at: int, played: _Played, stages: tuple[tuple[str, ...], ...]) -> Rehearsal:
    stage, work, after = played.stage, played.work, played.stage.plan
    begun = min(work.started.values(), default=None)
    over = after.times.ended if after.status in ENDED else None
    unknown = any(world.usual_of(item) is None for item in plan.content.items if item.id in work.started)
    lasts = (over - begun) / _SECOND if over is not None and begun is not None else None
    stopped = _stopped(after, played)
    window = after.content.window
    fits = None if unknown and after.status == "success" else after.status == "success"
    return Rehearsal(
        plan=plan.id,
        version=plan.version,
        at=moment(at),
        outcome=_outcome(after),
        code=stopped.code if stopped else "",
        detail=stopped.detail if stopped else "",
        faults=stopped.faults[:MOST_TOLD] if stopped else (),
        steps=tuple(_step(one) for one in stage.happened),
        approval=tuple(played.company.levels),
        hooks=tuple(_hooks(after, world, stage.happened)),
        stages=stages,
        items=tuple(_item(plan, item, world, work, stages) for item in plan.content.items),
        starts_at=moment(begun) if begun is not None else None,
        ends_at=moment(over) if over is not None else None,
        expected_seconds=None if unknown else lasts,
        at_least_seconds=lasts,
        window_suffices=fits if window is not None and over is not None else None,
        spare_seconds=(micros(window.end) - over) / _SECOND if window and over and after.status == "success" else None,
        assumptions=ASSUMPTIONS,
    )


def _outcome(after: Plan) -> Literal["success", "timeout", "waits", "refused"]:
    match after.status:
        case "success" | "timeout":
            return after.status
        case "planning":
            return "refused"
        case _:
            return "waits"


def _stopped(after: Plan, played: _Played) -> Refused | None:
    """Why it goes no further."""
    if after.status in ENDED:
        return None
    refused = played.company.stopped or played.work.stopped
    if refused is not None:
        return refused
    failed = [item.id for item in after.content.items if after.state_of(item.id).status == "failed"]
    if failed:
        return Refused("item_not_todo", f"It waits for people: {', '.join(failed)} failed.", items=failed)
    return Refused("not_waiting", f"It stays in {after.status}; nobody can say what comes next.")


def _step(one: Happened) -> RehearsedStep:
    item, gate = getattr(one.event, "item", ""), getattr(one.event, "gate", "")
    return RehearsedStep(at=moment(one.fact.at), type=one.fact.type, by=one.fact.actor, item=item, gate=gate)


def _hooks(plan: Plan, world: World, happened: list[Happened]) -> Iterator[HookForeseen]:
    subject = Subject(plan.id, plan.project, plan.content.gates)
    for fact, event in happened:
        raised = raised_by(fact, subject.gates) if fact.type in RAISING else None
        if raised is None:
            continue
        told = [
            one.name
            for one in world.endpoints
            if any(d.event == raised.event for d in deliveries_of(one, fact, subject))
        ]
        deadline = moment(event.deadline) if isinstance(event, GateOpened) else None
        yield HookForeseen(
            event=raised.event,  # type: ignore[arg-type]  # the hook of a gate
            at=moment(fact.at),
            waits=deadline is not None,
            deadline=deadline,
            endpoints=tuple(sorted(told)),
            systems=event.systems if isinstance(event, GateOpened) else (),
        )


def _item(plan: Plan, item: Item, world: World, work: Work, stages: tuple[tuple[str, ...], ...]) -> ItemForeseen:
    usual = world.usual_of(item)
    started, ended = work.started.get(item.id), work.ended.get(item.id)
    return ItemForeseen(
        item=item.id,
        name=item.name,
        stage=next((i for i, stage in enumerate(stages, 1) if item.id in stage), 0),
        starts_at=moment(started) if started is not None else None,
        ends_at=moment(ended) if ended is not None else None,
        expected_seconds=usual.median / _SECOND if usual else None,
        basis=_basis(plan, item, usual),
    )


def _basis(plan: Plan, item: Item, usual: Usual | None) -> str:
    spec = item.spec
    if is_settled(item, plan.state_of(item.id).status):
        return f"is {plan.state_of(item.id).status} already"
    if not isinstance(spec, WorkflowSpec):
        return "unknown: done by people"
    if usual is None:
        return f"unknown: {spec.project}/{spec.workflow} never ran to its end"
    return f"median of {usual.runs} earlier runs of {spec.project}/{spec.workflow}"
