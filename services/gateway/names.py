"""Names in addresses: what does not look like one of ours cannot exist, so it is refused as not found."""

import re

from contracts.refusals import Refused
from contracts.values import GATES, SECTIONS, GateName
from services.gateway.route import Call

_PLAN = re.compile(r"[0-9a-f]{24}")
_HEX = re.compile(r"[0-9a-f]{1,64}")
_ITEM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,99}")


def plan_of(call: Call) -> str:
    """The plan's id. Raises Refused(plan_not_found)."""
    plan = call.part("plan")
    if not _PLAN.fullmatch(plan):
        raise no_plan(plan)
    return plan


def no_plan(plan: str) -> Refused:
    return Refused("plan_not_found", f"There is no plan {plan[:100]!r}.")


def item_of(call: Call) -> str:
    """The item's id. Raises Refused(item_not_found)."""
    item = call.part("item")
    if not _ITEM.fullmatch(item):
        detail = f"{item[:100]!r} cannot be the id of an item: letters, digits, dot, _ and - only, 64 at most."
        raise Refused("item_not_found", detail)
    return item


def gate_of(call: Call) -> GateName:
    """The gate. Raises Refused(not_found)."""
    gate = call.part("gate")
    if gate not in GATES:
        raise Refused("not_found", f"There is no gate {gate[:100]!r}; the gates are {', '.join(GATES)}.")
    return gate


def section_of(call: Call) -> str:
    """The section. Raises Refused(not_found)."""
    section = call.part("section")
    if section not in SECTIONS:
        raise Refused("not_found", f"A plan has no section {section[:100]!r}; it has {', '.join(SECTIONS)}.")
    return section


def run_of(call: Call) -> str:
    """The run's id. Raises Refused(run_not_found)."""
    run = call.part("run")
    if not _HEX.fullmatch(run):
        raise Refused("run_not_found", f"There is no run {run[:100]!r}.")
    return run


def delivery_of(call: Call) -> str:
    """The delivery's id. Raises Refused(delivery_not_found)."""
    delivery = call.part("delivery")
    if not _PLAN.fullmatch(delivery):
        raise Refused("delivery_not_found", f"There is no delivery {delivery[:100]!r}.")
    return delivery


def slug_of(call: Call, part: str) -> str:
    """A name of a project, workflow, endpoint or secret. Raises Refused(not_found)."""
    slug = call.part(part)
    if not _SLUG.fullmatch(slug):
        whose = "a name here" if part == "name" else f"the name of a {part}"
        raise Refused(
            "not_found", f"{slug[:100]!r} cannot be {whose}: letters, digits, dot, _ and - only, 100 at most."
        )
    return slug


def user_of(call: Call) -> str:
    """A user's name, without `user:`. Raises Refused(user_not_found)."""
    user = call.part("user").removeprefix("user:")
    if not _USER.fullmatch(user):
        detail = f"{user[:100]!r} cannot be the name of a user: letters, digits, dot, _, @ and - only, 100 at most."
        raise Refused("user_not_found", detail)
    return user
