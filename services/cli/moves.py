"""Commands that move a plan on: seal, submit, start, reopen, cancel. What approvers do stands in `approval.py`."""

from typing import Any

from services.cli.exits import Exit
from services.cli.foresight import check_seal
from services.cli.options import WRITE, Writing, asking, current_match, match_of, segment, show_done


async def seal(plan: str, /, *, check: bool = False, writing: Writing = WRITE) -> int:
    """Finishes planning: checks everything and seals what will run.

    Parameters
    ----------
    plan
        Id of the plan.
    check
        Only say what sealing would say, all problems at once, and the seal that the plan would get.
    """
    if check:
        return await check_seal(plan, writing)
    await _move(plan, "seal", {}, writing, "Sealed", must_match=True)
    return Exit.OK


async def submit(plan: str, /, *, writing: Writing = WRITE) -> None:
    """Asks the approvers.

    Parameters
    ----------
    plan
        Id of the plan.
    """
    await _move(plan, "submit", {}, writing, "Submitted", must_match=True)


async def start(plan: str, /, *, writing: Writing = WRITE) -> None:
    """Starts a plan that its owner starts by hand.

    Parameters
    ----------
    plan
        Id of the plan.
    """
    await _move(plan, "start", {}, writing, "Start asked for")


async def start_now(plan: str, /, *, reason: str, writing: Writing = WRITE) -> None:
    """Starts an approved plan before its window opens or its schedule's time comes. For administrators.

    Parameters
    ----------
    plan
        Id of the plan.
    reason
        Why it cannot wait.
    """
    await _move(plan, "start/override", {"reason": reason}, writing, "Started before its time")


async def reopen(plan: str, /, *, reason: str = "", writing: Writing = WRITE) -> None:
    """Back to planning; running work is cancelled, done items whose content stays the same are kept.

    Parameters
    ----------
    plan
        Id of the plan.
    reason
        Why.
    """
    await _move(plan, "reopen", {"reason": reason}, writing, "Reopened", must_match=True)


async def cancel(plan: str, /, *, reason: str, writing: Writing = WRITE) -> None:
    """Ends a plan for good.

    Parameters
    ----------
    plan
        Id of the plan.
    reason
        Why.
    """
    await _move(plan, "cancel", {"reason": reason}, writing, "Cancelled", must_match=True)


async def _move(
    plan: str, verb: str, body: dict[str, Any], writing: Writing, sentence: str, *, must_match: bool = False
) -> None:
    async with asking(writing) as (gateway, output):
        match = await current_match(gateway, plan, writing) if must_match else match_of(writing)
        path = f"/api/v1/plans/{segment(plan)}/{verb}"
        show_done(output, await gateway.send("POST", path, body, key=writing.key, if_match=match), sentence)
