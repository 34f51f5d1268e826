"""Commands that move a plan on: seal, submit, vote, withdraw, start, reopen, cancel."""

from typing import Any, Literal

from services.cli.exits import Exit
from services.cli.foresight import check_seal
from services.cli.options import WRITE, Writing, asking, current_match, match_of, segment, show_done
from services.cli.problems import Problem


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


async def vote(
    plan: str,
    choice: Literal["approve", "reject"],
    /,
    *,
    seal: str = "",
    comment: str = "",
    writing: Writing = WRITE,
) -> None:
    """Approves or rejects what was sealed.

    Parameters
    ----------
    plan
        Id of the plan.
    choice
        What you say to it.
    seal
        The seal that you looked at. Default: the one that the plan has now.
    comment
        A comment for the record.
    """
    async with asking(writing) as (gateway, output):
        looked_at = seal or _seal_of((await gateway.get(f"/api/v1/plans/{segment(plan)}")).json())
        body = {"vote": choice, "seal": looked_at, "comment": comment}
        path = f"/api/v1/plans/{segment(plan)}/vote"
        answer = await gateway.send("POST", path, body, key=writing.key, if_match=match_of(writing))
        show_done(output, answer, f"Voted {choice} for seal {looked_at[:12]}")


def _seal_of(plan: dict[str, Any]) -> str:
    sealed = plan["seal"]
    if sealed is None:
        raise Problem(f"The plan is in {plan['status']} and has no seal to vote for.", Exit.REFUSED, code="not_sealed")
    return str(sealed["value"])


async def withdraw(plan: str, /, *, reason: str = "", writing: Writing = WRITE) -> None:
    """Takes your own vote back while the round is open.

    Parameters
    ----------
    plan
        Id of the plan.
    reason
        Why.
    """
    await _move(plan, "withdraw", {"reason": reason}, writing, "Vote withdrawn")


async def _move(
    plan: str, verb: str, body: dict[str, Any], writing: Writing, sentence: str, *, must_match: bool = False
) -> None:
    async with asking(writing) as (gateway, output):
        match = await current_match(gateway, plan, writing) if must_match else match_of(writing)
        path = f"/api/v1/plans/{segment(plan)}/{verb}"
        show_done(output, await gateway.send("POST", path, body, key=writing.key, if_match=match), sentence)
