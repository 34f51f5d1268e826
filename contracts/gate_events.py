"""What several systems say at one gate. The verdict of the round stays in the events of `contracts.plan_events`."""

from typing import Literal

from contracts.plan_events import Event
from contracts.values import GateName


class GateSystemAnswered(Event, frozen=True, gc=False):
    """One of the systems that the round asks has answered; `executing` is progress.

    The last success is followed by `gate.passed.v1`, the first failure by `gate.failed.v1`, in the same append.
    """

    gate: GateName
    round: int
    system: str
    result: Literal["success", "failed", "executing"]
    text: str = ""


EVENTS: dict[str, type[Event]] = {"gate.system_answered.v1": GateSystemAnswered}
OWNERS: dict[str, tuple[str, ...]] = {"hook_dispatcher": tuple(EVENTS)}
