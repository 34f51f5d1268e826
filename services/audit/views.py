"""From a fact to an entry of the operation record. Pure.

The entry says what changed by comparing the plan before and after the fact, so nothing that the fold does can be left
out; and it says whatever else the event says. Facts of runs, deliveries and callbacks have no state to compare; a freeze, an
endpoint, a workflow and a template are compared with what was said of them the time before. Of many items at
once it tells a limited number and how many there are: the versions of the plan tell all. Only lease renewals, which are
work in progress, and the digests that come before a large seal make no entry.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from contracts.difference import moved
from contracts.envelope import Fact, category, stream_id
from contracts.moments import rfc3339
from contracts.plan import Plan
from contracts.public import public_form
from contracts.record import Entry
from contracts.values import SECTIONS

VERBS: Mapping[str, str] = {
    "plan.created.v1": "create",
    "plan.edited.v1": "edit",
    "plan.items_put.v1": "put items",
    "plan.items_removed.v1": "remove items",
    "plan.items_placed.v1": "move items",
    "plan.sealed.v1": "seal",
    "plan.reopened.v1": "reopen",
    "plan.cancelled.v1": "cancel",
    "plan.submitted.v1": "submit",
    "plan.vote_cast.v1": "vote",
    "plan.vote_withdrawn.v1": "withdraw vote",
    "plan.approved.v1": "approve",
    "plan.denied.v1": "deny",
    "plan.approval_expired.v1": "expire approval",
    "plan.vote_delegated.v1": "delegate vote",
    "plan.vote_delegation_ended.v1": "end delegation",
    "plan.approval_reminded.v1": "remind approvers",
    "plan.emergency_approved.v1": "approve in emergency",
    "plan.emergency_reviewed.v1": "review emergency",
    "person.identities_linked.v1": "link identities",
    "person.identity_unlinked.v1": "unlink identity",
    "user.put.v1": "put user",
    "token.created.v1": "create token",
    "token.revoked.v1": "revoke token",
    "secret.put.v1": "put secret",
    "delegation.given.v1": "delegate vote",
    "delegation.ended.v1": "end delegation",
    "letter.written.v1": "write letter",
    "letter.attempted.v1": "send letter",
    "letter.sent.v1": "hand over letter",
    "letter.failed.v1": "fail letter",
    "letter.given_up.v1": "give up letter",
    "letter.resent.v1": "resend letter",
    "plan.start_requested.v1": "request start",
    "plan.execution_started.v1": "start",
    "plan.schedule_missed.v1": "miss schedule",
    "plan.drifted.v1": "stop for drift",
    "plan.items_settled.v1": "settle items",
    "plan.succeeded.v1": "succeed",
    "plan.timed_out.v1": "time out",
    "item.started.v1": "execute",
    "item.finished.v1": "finish",
    "item.completed.v1": "complete",
    "item.sub_step_ticked.v1": "tick",
    "item.skipped.v1": "skip",
    "item.waived.v1": "waive",
    "item.held.v1": "hold",
    "item.cancel_requested.v1": "cancel",
    "plan.start_overridden.v1": "override start",
    "plan.held.v1": "hold for freeze",
    "plan.freeze_overridden.v1": "override freeze",
    "list.saved.v1": "save list",
    "list.dropped.v1": "drop list",
    "freeze.put.v1": "put freeze",
    "freeze.deleted.v1": "delete freeze",
    "gate.opened.v1": "open gate",
    "gate.progressed.v1": "report progress",
    "gate.passed.v1": "pass gate",
    "gate.system_answered.v1": "answer for a system",
    "gate.failed.v1": "fail gate",
    "gate.expired.v1": "expire gate",
    "gate.overridden.v1": "override gate",
    "run.created.v1": "create run",
    "run.step_started.v1": "start step",
    "run.step_finished.v1": "finish step",
    "run.cancel_requested.v1": "cancel run",
    "run.finished.v1": "finish run",
    "delivery.created.v1": "raise hook",
    "delivery.attempted.v1": "send hook",
    "delivery.succeeded.v1": "deliver hook",
    "delivery.failed.v1": "fail delivery",
    "delivery.died.v1": "give up delivery",
    "delivery.resent.v1": "resend hook",
    "callback.refused.v1": "refuse callback",
    "callback.repeated.v1": "repeat callback",
    "endpoint.put.v1": "put endpoint",
    "endpoint.rotated.v1": "rotate secret of endpoint",
    "endpoint.enabled.v1": "enable endpoint",
    "endpoint.disabled.v1": "disable endpoint",
    "endpoint.tested.v1": "test endpoint",
    "endpoint.challenged.v1": "challenge endpoint",
    "endpoint.verified.v1": "verify endpoint",
    "template.revised.v1": "revise template",
    "template.deleted.v1": "delete template",
    "workflow.revised.v1": "revise workflow",
}
SILENT = frozenset({"run.claimed.v1", "plan.items_digested.v1"})
"""Event types that make no entry. A test demands every known type in `VERBS` or here."""

NAMED = frozenset({"freeze", "template", "workflow", "endpoint", "list"})
"""Categories of streams that people know by a name."""

_MOST_ITEMS = 20
"""How many items of one fact are told whole."""

_DETAILS = (
    "reason",
    "comment",
    "remark",
    "error",
    "text",
    "code",
    "outcome",
    "vote",
    "fields",
    "detail",
    "status",
    "finding",
)


_NAMED_BY: Mapping[str, str] = {"user": "user", "token": "token", "secret": "name"}
"""Streams whose every event names what it is about."""
_TOLD = frozenset({*_DETAILS, "next", "restored"})
_BY_STATE = frozenset({"content", "changes", "items", "sections", "workflows", "runs"})
"""Fields of a plan's events that the comparison tells, or the versions of the plan."""
_BY_REVISION = frozenset({"definition", "template"})
"""What is kept by revision and can be asked for by it."""
_ELSEWHERE: Mapping[str, frozenset[str]] = {
    "plan": _TOLD | _BY_STATE | {"item", "gate"},
    "callback": _TOLD | {"gate"},
    "letter": _TOLD | {"person", "kind"},
}
"""By category of stream, the fields that stand in other parts of the entry."""
_ELSEWHERE_ELSE = _TOLD | _BY_REVISION
DEFINED = frozenset({"freeze.put.v1", "endpoint.put.v1", "workflow.revised.v1", "template.revised.v1"})
"""Events that say a thing anew, whole: told by comparing them with the one before."""


def entry(
    fact: Fact,
    before: Plan | None = None,
    after: Plan | None = None,
    earlier: bytes | None = None,
    name: str = "",
) -> Entry | None:
    """The entry of a fact; `before` and `after` are the plan around it, for facts of a plan's stream.

    `earlier`: for one of `DEFINED`, the payload of the one before it in its stream. `name`: what the stream's first event
    calls it, for a stream of `NAMED` whose fact does not say.
    """
    if fact.type in SILENT:
        return None
    data = _public(fact.type, fact.payload)
    old, new = _changes(before, after, data["item"] if fact.type.startswith("item.") else None)
    said = _said(fact, data)
    if fact.type == "user.put.v1":  # the directory was there before the log told of it, so the event itself says
        old, new = said.pop("before", {}), said.pop("rights")
    if earlier is not None:
        was = _said(fact, _public(fact.type, earlier))
        names = [one for one in was | said if was.get(one) != said.get(one)]
        old, new = ({one: side[one] for one in names if one in side} for side in (was, said))
    return Entry(
        position=fact.position,
        at=rfc3339(fact.at) or "",
        actor=fact.actor,
        channel=fact.channel,
        verb="restore" if data.get("restored") else VERBS.get(fact.type, fact.type),
        target=_target(fact, data, name),
        detail=_detail(data),
        before=old,
        after=new,
        cause=fact.cause,
        type=fact.type,
        stream=fact.stream,
        said=said,
    )


def _public(type_name: str, payload: bytes) -> dict[str, Any]:
    return msgspec.json.decode(public_form(type_name, payload), type=dict[str, Any])


def _said(fact: Fact, data: dict[str, Any]) -> dict[str, Any]:
    """What the event says beside the target, the detail and what the comparison of states tells. Of long lists the beginning."""
    elsewhere = _ELSEWHERE.get(category(fact.stream), _ELSEWHERE_ELSE)
    said = {name: value for name, value in data.items() if name not in elsewhere}
    long = [name for name, value in said.items() if type(value) is list and len(value) > _MOST_ITEMS]
    for name in long:
        said[f"{name} in all"] = len(said[name])
        said[name] = said[name][:_MOST_ITEMS]
    return said


def name_in(type_name: str, payload: bytes) -> str:
    """What an event of a stream of `NAMED` calls its stream; "" where it does not say."""
    return _name(_public(type_name, payload))


def _name(data: dict[str, Any]) -> str:
    if definition := data.get("definition"):
        return f"{definition['project']}/{definition['name']}"
    return str(data.get("freeze", data).get("name", ""))


def _target(fact: Fact, data: dict[str, Any], name: str) -> str:
    kind = category(fact.stream)
    if kind in NAMED:
        name = _name(data) or name
        return f"{kind} {name}" if name else fact.stream
    if kind == "delegation":
        return str(data["to"])
    if kind == "plan":
        if "item" in data:
            return f"item {data['item']}"
        if names := [one["name"] for one in (data, *data.get("freezes", ())) if "freeze" in one]:
            return f"freeze {', '.join(names)}"
        return f"gate {data['gate']}" if "gate" in data else "plan"
    if kind == "run":
        return f"run {stream_id(fact.stream)}" + (f" step {data['name']}" if "name" in data else "")
    if kind == "delivery":
        return f"delivery {stream_id(fact.stream)}"
    if kind == "letter":
        return f"letter to {data['person']} ({data['kind']})"
    if kind in _NAMED_BY:
        return f"{kind} {data[_NAMED_BY[kind]]}"
    return f"gate {data['gate']}" if kind == "callback" else fact.stream


def _detail(data: dict[str, Any]) -> str:
    if "restored" in data:
        return f"version {data['restored']}"
    parts = (data[name] for name in _DETAILS if data.get(name))
    texts = [", ".join(part) if isinstance(part, list) else str(part) for part in parts]
    texts += [f"{move['verb']} by {' or '.join(move['by'])}" for move in data.get("next", ())]
    return "; ".join(texts)


def _changes(before: Plan | None, after: Plan | None, item: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """`item`: the only one whose state the fact can have changed; `None` where it may be any."""
    if after is None:
        return {}, {}
    old, new = _facets(before, after, item), _facets(after, before, item)
    names = [name for name in new if old.get(name) != new[name]]
    was, now = {name: old[name] for name in names if name in old}, {name: new[name] for name in names}
    if before is not None and before.content.items is not after.content.items:
        _tell_items(before, after, was, now)
    return was, now


def _facets(plan: Plan | None, other: Plan | None, item: str | None) -> dict[str, Any]:
    """What can change about a plan, by name. Items and sections that are the very same on both sides are left out."""
    if plan is None:
        return {}
    facets: dict[str, Any] = {"status": plan.status, "seal": plan.seal.value if plan.seal else None}
    for name in SECTIONS:
        value = getattr(plan.content, name)
        if other is None or (name != "items" and getattr(other.content, name) is not value):
            facets[name] = msgspec.to_builtins(value)
    candidates = plan.items if item is None else [item] if item in plan.items else []
    states = [
        (one, plan.items[one]) for one in candidates if other is None or other.items.get(one) is not plan.items[one]
    ]
    for one, state in states[:_MOST_ITEMS]:
        facets[f"item {one}"] = {"status": state.status, "attempts": len(state.attempts)}
    if len(states) > _MOST_ITEMS:
        facets["items in all"] = len(states)
    facets["held"] = plan.held.name if plan.held else None
    facets["freezes overridden"] = [one.name for override in plan.overrides for one in override.freezes]
    for gate, gate_state in plan.gates.items():
        facets[f"gate {gate}"] = f"{gate_state.state} (round {gate_state.round})" if gate_state.round else "none"
    return facets


def _tell_items(before: Plan, after: Plan, was: dict[str, Any], now: dict[str, Any]) -> None:
    """Add the items that differ, by id, and which ones moved."""
    was_there, is_there = ({item.id: item for item in plan.content.items} for plan in (before, after))
    differing = [one for one in was_there | is_there if was_there.get(one) != is_there.get(one)]
    for side, items in ((was, was_there), (now, is_there)):
        side["items"] = {one: msgspec.to_builtins(items[one]) for one in differing[:_MOST_ITEMS] if one in items}
    if len(differing) > _MOST_ITEMS:
        now["items in all"] = len(differing)
    if going := moved([one for one in is_there if one in was_there], {one: i for i, one in enumerate(was_there)}):
        now["moved"] = going[:_MOST_ITEMS]
    for side in (was, now):
        if not side["items"]:
            del side["items"]
