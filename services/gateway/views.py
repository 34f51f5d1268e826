"""Pure: from what the log folds to, to what is answered. No clock, no rights: everybody who may ask sees the same."""

from datetime import datetime
from typing import Any

from contracts import http as h
from contracts.http_approval import DelegationView, EmergencyView
from contracts.moments import moment
from contracts.plan import (
    Attempt,
    Delegation,
    Emergency,
    FreezeOverride,
    GateState,
    ItemState,
    Plan,
    StartOverride,
)
from contracts.plan_events import Frozen
from contracts.run_state import Run
from contracts.slots import counted, standing
from contracts.values import GATES, ApprovalLevel, Item
from contracts.waiting import settled_items
from contracts.workflow import WorkflowDefinition, steps_of
from services.gateway.next_steps import next_steps


def when(at: int) -> datetime | None:
    """Unix microseconds as a time; 0 stands for "not yet"."""
    return moment(at) if at else None


def plan_view(plan: Plan) -> h.PlanView:
    """Everything about a plan."""
    done = settled_items(plan)
    return h.PlanView(
        id=plan.id,
        index=plan.index,
        project=plan.project,
        status=plan.status,
        reason=plan.reason,
        version=plan.version,
        position=plan.position,
        content=plan.content,
        items=tuple(_item(plan, item, ready=done.issuperset(item.needs)) for item in plan.content.items),
        seal=_seal(plan),
        approval=_approval(plan),
        gates={gate: _gate(plan.gates[gate], plan.content.gates.rule(gate) is not None) for gate in GATES},
        times=_times(plan),
        drift=h.DriftView(item=plan.drift.item, fields=plan.drift.fields, at=moment(plan.drift.at))
        if plan.drift
        else None,
        review_owed=plan.review_owed,
        start_override=_start_override(plan.start_override),
        start_requested=plan.start_requested,
        schedule_missed=plan.schedule_missed,
        held=h.HoldView(
            freeze=plan.held.freeze,
            name=plan.held.name,
            until=moment(plan.held.until),
            since=moment(plan.held.since),
        )
        if plan.held
        else None,
        freeze_overrides=tuple(_override(one) for one in plan.overrides),
        settled=plan.settled,
        source=plan.source,
        created_by=plan.created_by,
        created_at=moment(plan.created_at),
        updated_by=plan.updated_by,
        updated_at=moment(plan.updated_at),
        next=next_steps(plan),
    )


def _override(one: FreezeOverride) -> h.FreezeOverrideView:
    freezes = tuple(frozen_view(frozen) for frozen in one.freezes)
    return h.FreezeOverrideView(freezes=freezes, reason=one.reason, by=one.by, at=moment(one.at))


def frozen_view(frozen: Frozen) -> h.FrozenView:
    """One occurrence of a freeze."""
    return h.FrozenView(freeze=frozen.freeze, name=frozen.name, start=moment(frozen.start), end=moment(frozen.end))


def _start_override(override: StartOverride | None) -> h.StartOverrideView | None:
    if override is None:
        return None
    return h.StartOverrideView(rules=override.rules, reason=override.reason, by=override.by, at=moment(override.at))


def _times(plan: Plan) -> h.TimesView:
    times = plan.times
    return h.TimesView(
        planning=when(times.planning),
        finish_planning=when(times.finish_planning),
        approval=when(times.approval),
        executing=when(times.executing),
        success=when(times.success),
        ended=when(times.ended),
    )


def _item(plan: Plan, item: Item, *, ready: bool) -> h.ItemView:
    state: ItemState = plan.state_of(item.id)
    return h.ItemView(
        item=item,
        status=state.status,
        ready=ready,
        attempts=tuple(_attempt(attempt) for attempt in state.attempts),
        ticked=state.ticked,
        remark=state.remark,
        reason=state.reason,
        held=state.held,
        stopping=state.stopping,
        by=state.by,
        at=when(state.at),
    )


def _attempt(attempt: Attempt) -> h.AttemptView:
    return h.AttemptView(
        number=attempt.number,
        by=attempt.by,
        started_at=when(attempt.started_at),
        ended_at=when(attempt.ended_at),
        outcome=attempt.outcome,
        error=attempt.error,
        run=attempt.run,
        log=attempt.log,
        outputs=attempt.outputs,
    )


def _seal(plan: Plan) -> h.SealView | None:
    seal = plan.seal
    if seal is None:
        return None
    return h.SealView(
        value=seal.value,
        sections=seal.sections,
        items=seal.items,
        workflows=seal.workflows,
        by=seal.by,
        at=moment(seal.at),
    )


def _approval(plan: Plan) -> h.ApprovalView:
    round_ = plan.approval
    votes = counted(plan)
    far = standing(plan, votes)
    levels = plan.content.approval.levels
    reached = len(levels) if far.level is None else far.level
    return h.ApprovalView(
        round=round_.round,
        state=round_.state,
        seal=round_.seal,
        submitted_at=when(round_.submitted_at),
        submitted_by=round_.submitted_by,
        deadline=when(round_.deadline),
        decided_at=when(round_.decided_at),
        reason=round_.reason,
        votes=tuple(
            h.VoteView(
                by=vote.by,
                person=vote.fills_for,
                on_behalf_of=vote.on_behalf_of,
                groups=vote.groups,
                vote=vote.vote,
                seal=vote.seal,
                at=moment(vote.at),
                channel=vote.channel,
                comment=vote.comment,
                counts=vote in votes,
            )
            for vote in round_.votes
        ),
        levels=tuple(_level(level, index, reached, far.missing) for index, level in enumerate(levels)),
        waiting_for=far.asked if round_.state == "open" else (),
        reminded_at=when(round_.reminded_at),
        remind_at=when(plan.remind_at),
        delegations=tuple(delegation_view(one, plan.id) for one in plan.delegations),
        emergencies=tuple(_emergency(one) for one in plan.emergencies),
    )


def delegation_view(one: Delegation, plan: str = "") -> DelegationView:
    """A delegation; without a plan it holds for all."""
    return DelegationView(
        by=one.by,
        to=one.to,
        plan=plan,
        until=moment(one.until),
        since=moment(one.at),
        reason=one.reason,
    )


def _emergency(one: Emergency) -> EmergencyView:
    return EmergencyView(
        round=one.round,
        seal=one.seal,
        by=one.by,
        at=moment(one.at),
        reason=one.reason,
        owed=one.owed,
        reviewed_by=one.reviewed_by,
        reviewed_at=when(one.reviewed_at),
        finding=one.finding,
        comment=one.comment,
    )


def _level(level: ApprovalLevel, index: int, reached: int, missing: tuple[int, ...]) -> h.LevelView:
    if index < reached:
        needs = [0] * len(level.rules)
    else:
        needs = list(missing) if index == reached else [rule.needed for rule in level.rules]
    return h.LevelView(
        state="met" if index < reached else "asked" if index == reached else "later",
        rules=tuple(
            h.RuleView(
                approvers=rule.approvers,
                needed=rule.needed,
                missing=need,
                on_reject=rule.on_reject,
                keep_votes=rule.keep_votes,
                signs=rule.signs,
            )
            for rule, need in zip(level.rules, needs, strict=True)
        ),
    )


def system_views(state: GateState) -> tuple[h.SystemView, ...]:
    """The systems that a round asks, and what each has said."""
    views = []
    for system in state.systems:
        said = state.answer_of(system)
        result: Any = said.result if said else "waiting"
        views.append(
            h.SystemView(
                system=system, result=result, text=said.text if said else "", at=when(said.at) if said else None
            )
        )
    return tuple(views)


def _gate(state: GateState, waits: bool) -> h.GateView:
    return h.GateView(
        waits=waits,
        systems=system_views(state),
        round=state.round,
        state=state.state,
        instance_code=state.instance_code,
        deadline=when(state.deadline),
        opened_at=when(state.opened_at),
        answered_at=when(state.answered_at),
        text=state.text,
    )


def run_view(run: Run) -> h.RunView:
    """A workflow run with its steps."""
    definition: WorkflowDefinition = run.created.definition
    started = any(step.attempt for step in run.steps)
    return h.RunView(
        id=run.id,
        plan=run.created.plan,
        item=run.created.item,
        attempt=run.created.attempt,
        project=definition.project,
        workflow=definition.name,
        revision=run.created.revision,
        digest=run.created.digest,
        state=run.outcome or ("running" if started else "waiting"),
        inputs=tuple(run.created.inputs),
        steps=tuple(
            h.StepView(
                stage=stage.name,
                name=step.name,
                type="script" if step.__struct_config__.tag == "script" else "http",
                state=state.state,
                attempt=state.attempt,
                started_at=when(state.started_at),
                ended_at=when(state.ended_at),
                exit_code=state.exit_code,
                error=state.error,
                output_bytes=state.output.size if state.output else 0,
                output_sha256=state.output.sha256 if state.output else "",
                outputs=state.outputs,
            )
            for (stage, step), state in zip(steps_of(definition), run.steps, strict=True)
        ),
        owner=run.owner,
        cancel_reason=run.cancel_reason,
        error=run.error,
        created_at=moment(run.created_at),
        created_by=run.created_by,
        ended_at=when(run.ended_at),
        version=run.version,
    )
