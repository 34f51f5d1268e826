"""Commands on the gates of a plan after a failed or expired check: ask again, or go on with a reason."""

from typing import Any, Literal

from services.cli.options import WRITE, Writing, asking, match_of, segment, show_done

Gate = Literal["finish_planning", "start_execute", "all_job_done"]


async def recheck(plan: str, gate: Gate, /, *, writing: Writing = WRITE) -> None:
    """Asks the outside system again, in a new round.

    Parameters
    ----------
    plan
        Id of the plan.
    gate
        Which gate.
    """
    await _order(plan, gate, "recheck", {}, writing, "Asked again")


async def override(plan: str, gate: Gate, /, *, reason: str, writing: Writing = WRITE) -> None:
    """Goes on without the outside system's yes.

    Parameters
    ----------
    plan
        Id of the plan.
    gate
        Which gate.
    reason
        Why.
    """
    await _order(plan, gate, "override", {"reason": reason}, writing, "Overridden")


async def _order(plan: str, gate: str, verb: str, body: dict[str, Any], writing: Writing, sentence: str) -> None:
    async with asking(writing) as (gateway, output):
        path = f"/api/v1/plans/{segment(plan)}/gates/{segment(gate)}/{verb}"
        answer = await gateway.send("POST", path, body, key=writing.key, if_match=match_of(writing))
        show_done(output, answer, sentence)
