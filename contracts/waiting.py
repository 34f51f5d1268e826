"""What a plan waits for from people: which people, why, since when, until when. Derived from the plan's state alone.

Pure; the list of plans keeps whom it asks, to find it by, and the inbox says this of the plan as the log has it. It names
those who are asked, not all who may: an item with owners of its own waits for them, and not for the owners of the plan.
A draft waits for nobody but its own people, and is not in it.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from contracts.commands import Actor
from contracts.guidance import ADMINISTRATORS, held_because
from contracts.moments import micros
from contracts.people_state import People
from contracts.plan import GATE_FAILED_STATUS, GATE_STATUS, Plan
from contracts.rights import owners
from contracts.slots import counted, standing
from contracts.values import Item, TextSpec

Kind = Literal["vote", "review", "item", "failed_item", "gate", "failed_gate", "submit", "start", "denied", "drift"]
"""A vote that is asked; the review that an emergency approval owes; an item to be done, or that failed; a gate that waits
for an outside answer (its owners may act for it), or that failed; an approval to be asked for; a start that is the owner's;
a denied plan to be amended; a plan that would not run as it was approved."""

_SETTLED = frozenset({"done", "skipped", "waived"})


class Waiting(msgspec.Struct, frozen=True):
    """`by` are asked (`administrators`: all of them). `since` and `until` in Unix microseconds; `until` 0: without end."""

    kind: Kind
    by: tuple[str, ...]
    since: int
    until: int = 0
    item: str = ""
    gate: str = ""


def waiting(plan: Plan) -> tuple[Waiting, ...]:
    """All that this plan waits for from people now."""
    return (*_moving(plan), *_reviews(plan))


def _moving(plan: Plan) -> Iterator[Waiting]:
    status, by, closes = plan.status, owners(plan), _closes(plan)
    if plan.drift is not None and status in {"finish_planning", "executing", "wait_for_execute_external_check"}:
        yield Waiting("drift", by, plan.drift.at, closes)
    elif status == "finish_planning":
        yield from _planned(plan, by, closes)
    elif status == "wait_for_approval":
        round_ = plan.approval
        asked = standing(plan).asked
        delegates = (one.to for one in plan.delegations)  # who gave it may be asked through a group
        yield Waiting(
            "vote", tuple(dict.fromkeys((*asked, *delegates))), round_.submitted_at, _first(round_.deadline, closes)
        )
    elif status == "denied":
        yield Waiting("denied", by, plan.approval.decided_at)
    elif status == "executing":
        yield from _items(plan, closes)
    else:
        yield from _gates(plan, by, closes)


def _closes(plan: Plan) -> int:
    return micros(plan.content.window.end) if plan.content.window is not None else 0


def _first(*moments: int) -> int:
    return min((at for at in moments if at), default=0)


def _planned(plan: Plan, by: tuple[str, ...], closes: int) -> Iterator[Waiting]:
    if not plan.approved:
        yield Waiting("submit", by, plan.times.finish_planning, closes)
        return
    schedule, levels = plan.content.schedule, plan.content.approval.levels
    scheduled = schedule is not None and not plan.schedule_missed
    by_itself = schedule is None and plan.content.rules.start == "on_approval" and levels
    if not (scheduled or by_itself or plan.start_requested):
        yield Waiting("start", by, max(plan.times.approval, plan.times.finish_planning), closes)


def _gates(plan: Plan, by: tuple[str, ...], closes: int) -> Iterator[Waiting]:
    for name, state in plan.gates.items():
        if plan.status == GATE_FAILED_STATUS[name]:
            yield Waiting("failed_gate", by, state.answered_at, closes, gate=name)
        elif plan.status == GATE_STATUS[name] and state.state == "open":
            yield Waiting("gate", by, state.opened_at, _first(state.deadline, closes), gate=name)


def _reviews(plan: Plan) -> Iterator[Waiting]:
    approvers = [ref for level in plan.content.approval.levels for rule in level.rules for ref in rule.approvers]
    for one in plan.emergencies:
        if one.owed:
            yield Waiting("review", (*dict.fromkeys(approvers), ADMINISTRATORS), one.at)


def _items(plan: Plan, closes: int) -> Iterator[Waiting]:
    done = settled_items(plan)
    for item in plan.content.items:
        state = plan.state_of(item.id)
        by = item.owner or owners(plan)
        if state.status == "failed" and not plan.settled:
            yield Waiting("failed_item", tuple(dict.fromkeys((*item.owner, *owners(plan)))), state.at, closes, item.id)
        elif state.status == "todo" and done.issuperset(item.needs) and _for_people(plan, item):
            needed = (plan.state_of(need).at for need in item.needs)
            yield Waiting("item", by, max((plan.times.executing, *needed)), closes, item.id)
        if plan.content.rules.run == "in_order" and item.id not in done:
            return  # what stands behind it waits for its turn


def settled(plan: Plan, item: Item) -> bool:
    """Whether nothing is left to do for the item. One that may fail counts as settled when it failed."""
    status = plan.state_of(item.id).status
    return status in _SETTLED or (status == "failed" and item.may_fail)


def settled_items(plan: Plan) -> frozenset[str]:
    """The ids of all items for which nothing is left to do."""
    return frozenset(item.id for item in plan.content.items if settled(plan, item))


def _for_people(plan: Plan, item: Item) -> bool:
    """Whether a person does it, or the system has left it to people."""
    by_hand = isinstance(item.spec, TextSpec) or plan.content.rules.run == "by_hand"
    return by_hand or bool(held_because(plan, plan.state_of(item.id)))


class Reader(msgspec.Struct, frozen=True):
    """Who looks at what waits, and what holds about them at this moment (`at`, Unix microseconds).

    `principals` gave them their vote on all plans. `groups` has the groups of everybody active who gave them a vote at all.
    """

    actor: Actor
    at: int
    people: People = People()
    principals: frozenset[str] = frozenset()
    groups: Mapping[str, tuple[str, ...]] = {}


def asked_through(plan: Plan, one: Waiting, reader: Reader) -> tuple[str, ...]:
    """The references by which it waits for this reader: themselves, their groups, or whom they vote for. Empty: it does not.

    Who may not vote or review, or has voted, is not asked.
    """
    mine = {reader.actor.id, *reader.actor.groups, *((ADMINISTRATORS,) if reader.actor.administrator else ())}
    own = tuple(ref for ref in dict.fromkeys(one.by) if ref in mine)
    match one.kind:
        case "vote":
            return _voting_through(plan, reader)
        case "review":
            return () if _separated(plan, reader) or _approved_it(plan, one, reader) else own
        case _:
            return own


def _voting_through(plan: Plan, reader: Reader) -> tuple[str, ...]:
    people, votes = reader.people, counted(plan)
    if _separated(plan, reader) or any(_same(people, vote.by, reader.actor.id) for vote in votes):
        return ()
    asked, filled = standing(plan).asked, {people.person(vote.fills_for) for vote in votes}
    mine = {reader.actor.id, *reader.actor.groups} if people.person(reader.actor.id) not in filled else set()
    given = principals_on(plan, reader) | reader.principals
    principals = (
        one
        for one in sorted(given & reader.groups.keys())
        if people.person(one) not in filled and {one, *reader.groups[one]} & set(asked)
    )
    return (*(ref for ref in asked if ref in mine), *principals)


def principals_on(plan: Plan, reader: Reader) -> frozenset[str]:
    """Who has given the reader their vote on this plan."""
    mine = (one for one in plan.delegations if _same(reader.people, one.to, reader.actor.id) and one.until > reader.at)
    return frozenset(one.by for one in mine)


def _approved_it(plan: Plan, one: Waiting, reader: Reader) -> bool:
    debts = (debt for debt in plan.emergencies if debt.owed and debt.at == one.since)
    return any(_same(reader.people, debt.by, reader.actor.id) for debt in debts)


def _separated(plan: Plan, reader: Reader) -> bool:
    separation, me = plan.content.rules.separation, reader.actor
    edited = "editors" in separation and any(_same(reader.people, one, me.id) for one in plan.editors)
    owns = me.among(owners(plan)) or any(_same(reader.people, one, me.id) for one in owners(plan))
    return edited or ("owner" in separation and owns)


def _same(people: People, one: str, other: str) -> bool:
    return people.person(one) == people.person(other)


def asked_of(plan: Plan) -> tuple[tuple[str, ...], int]:
    """Everybody that the plan waits for, once each, and when the first of that is over (Unix µs, 0: never)."""
    found = waiting(plan)
    return tuple(sorted({ref for one in found for ref in one.by})), _first(*(one.until for one in found))
