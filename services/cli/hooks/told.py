"""What a hook says, whichever format it has: the reference's body, or a CloudEvent. Pure.

It refuses to guess: a body that is neither is told as such, and answered by nobody.
"""

from typing import Any

import msgspec

from contracts.hooks import HookBody, HookPlan
from contracts.http import Callback
from contracts.values import GATES

_HOOK_TYPES = {f"hook.{gate}.v1" for gate in GATES}


class Told(msgspec.Struct, frozen=True):
    """`event` is one of the three, or the type of an event. With a `code` an answer can be given."""

    format: str
    event: str = ""
    plan: str = ""
    name: str = ""
    status: str = ""
    code: str = ""
    jobs: tuple[tuple[str, str], ...] = ()
    challenge: str = ""

    @property
    def awaited(self) -> bool:
        """Whether the plan waits for an answer to this hook: the code of one that nobody waits for is of no use."""
        return self.event in GATES and self.status.endswith("_external_check") and bool(self.code)


def told_of(body: bytes) -> Told:
    """What it says. Never fails: `format` is "" for what is neither."""
    try:
        fields = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return Told("")
    if not isinstance(fields, dict):
        return Told("")
    if fields.get("object_kind") == "release_plan":
        return _of_plan("zadig", fields)
    if fields.get("specversion") == "1.0":
        return _of_event(fields)
    return Told("")


def _of_plan(kind: str, fields: Any) -> Told:
    try:
        plan: HookPlan = msgspec.convert(fields, HookBody).release_plan
    except msgspec.ValidationError:
        return Told("")
    return Told(
        kind,
        event=plan.event_name,
        plan=plan.id,
        name=plan.name,
        status=plan.status,
        code=plan.instance_code or "",
        jobs=tuple((job.name, job.status) for job in plan.jobs),
    )


def _of_event(fields: dict[str, Any]) -> Told:
    kind, data = str(fields.get("type", "")), fields.get("data")
    if kind in _HOOK_TYPES:
        return _of_plan("standard", data)
    challenge = data.get("challenge") if isinstance(data, dict) and kind.startswith("endpoint.challenged.") else ""
    return Told("standard", event=kind, plan=str(fields.get("plan", "")), challenge=str(challenge or ""))


def callback_of(told: Told, result: str, text: str) -> Callback:
    """The answer, field for field as the reference has it. Raises msgspec.ValidationError for a result that is none."""
    return msgspec.convert(
        {
            "hook_event": told.event,
            "release_plan_id": told.plan,
            "instance_code": told.code,
            "result": result,
            "failed_reason": text if result == "failed" else "",
            "description": text if result != "failed" else "",
        },
        Callback,
    )
