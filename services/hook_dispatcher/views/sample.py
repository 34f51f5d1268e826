"""What a test sends to an endpoint of the reference's format: a hook of a plan that does not exist. Pure.

It can be told from a real one by its id of zeros and its code of zeros; an answer to it is refused, for want of a plan.
"""

import msgspec

from contracts.envelope import Fact
from contracts.hooks import HookBody, HookPlan

NO_PLAN = "0" * 24


def sample_body(fact: Fact) -> bytes:
    """The body of the test that this fact asks for."""
    plan = HookPlan(
        id=NO_PLAN,
        index=0,
        name="Test of the endpoint",
        event_name="finish_planning",
        manager="",
        manager_id="",
        instance_code="0" * 16,
        description="Nothing is released. Somebody asked whether hooks arrive.",
        status="planning",
        create_time=fact.at // 1_000_000,
        update_time=fact.at // 1_000_000,
    )
    return msgspec.json.encode(
        HookBody(object_kind="release_plan", event="release_plan", workflow=None, release_plan=plan)
    )
