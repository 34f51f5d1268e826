"""Commands of approvers: look at what is to be voted on, vote, withdraw, delegate; the emergency and its review.

A vote is for a seal that somebody looked at: on a terminal the seal and what differs are shown before the question, and
without a terminal the seal must be named.
"""

import sys
from typing import Any, Literal

from services.cli.client import Gateway
from services.cli.exits import Exit
from services.cli.options import READ, WRITE, Reading, Writing, asking, match_of, segment, show_done, user_reference
from services.cli.output import Output, when
from services.cli.problems import Problem, usage
from services.cli.review_view import show_review


async def review(plan: str, /, *, reading: Reading = READ) -> None:
    """Shows what to look at before voting: the seal, and what differs from what you and the approvers saw.

    Parameters
    ----------
    plan
        Id of the plan.
    """
    async with asking(reading) as (gateway, output):
        answer = await gateway.get(f"/api/v1/plans/{segment(plan)}/review")
        if output.as_json:
            output.json(answer.body)
        else:
            show_review(output, answer.json())


async def vote(
    plan: str,
    choice: Literal["approve", "reject"],
    /,
    *,
    seal: str = "",
    comment: str = "",
    on_behalf_of: str = "",
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
        The seal that you looked at. Without it, on a terminal, it is shown with what differs, and you are asked.
    comment
        A comment for the record.
    on_behalf_of
        Whose vote it is, where they delegated it to you, such as user:ana.
    """
    async with asking(writing) as (gateway, output):
        looked_at = seal or await _looked_at(gateway, output, plan, choice)
        body = {"vote": choice, "seal": looked_at, "comment": comment}
        if on_behalf_of:
            body["on_behalf_of"] = user_reference(on_behalf_of)
        await _post(gateway, output, plan, "vote", body, writing, f"Voted {choice} for seal {looked_at[:12]}")


async def _looked_at(gateway: Gateway, output: Output, plan: str, choice: str) -> str:
    """The seal that the person has been shown and said yes to."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise usage("Name the seal that you looked at with --seal; `gonogo plan review PLAN` shows it.")
    view = (await gateway.get(f"/api/v1/plans/{segment(plan)}/review")).json()
    seal = str(view["seal"])
    if not seal:
        raise Problem(f"The plan is in {view['status']} and has no seal to vote for.", Exit.REFUSED, code="not_sealed")
    show_review(output if not output.as_json else Output(as_json=False, out=sys.stderr), view)
    output.note(f"\nDo you {choice} seal {seal}? Type yes: ")
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise Problem("Nothing was voted.", Exit.REFUSED)
    return seal


async def withdraw(plan: str, /, *, reason: str = "", writing: Writing = WRITE) -> None:
    """Takes your own vote back while the round is open.

    Parameters
    ----------
    plan
        Id of the plan.
    reason
        Why.
    """
    async with asking(writing) as (gateway, output):
        await _post(gateway, output, plan, "withdraw", {"reason": reason}, writing, "Vote withdrawn")


async def delegate(plan: str, to: str, /, *, until: str, reason: str = "", writing: Writing = WRITE) -> None:
    """Lets another vote in your place on a plan. For all plans: `gonogo delegation give`.

    Parameters
    ----------
    plan
        Id of the plan.
    to
        Who votes for you, such as user:ben.
    until
        Until when (RFC 3339).
    reason
        Why.
    """
    body = {"to": user_reference(to), "until": until, "reason": reason}
    async with asking(writing) as (gateway, output):
        await _post(
            gateway, output, plan, "delegate", body, writing, f"Delegated to {user_reference(to)} until {when(until)}"
        )


async def end_delegation(plan: str, to: str, /, *, writing: Writing = WRITE) -> None:
    """Takes your delegation on a plan back; what was voted under it stands.

    Parameters
    ----------
    plan
        Id of the plan.
    to
        To whom it was given.
    """
    async with asking(writing) as (gateway, output):
        await _post(
            gateway, output, plan, "end-delegation", {"to": user_reference(to)}, writing, "Delegation taken back"
        )


async def emergency_approve(plan: str, /, *, seal: str = "", reason: str, writing: Writing = WRITE) -> None:
    """Approves without the approvers, for administrators; another person then owes a review.

    Parameters
    ----------
    plan
        Id of the plan.
    seal
        The seal that you looked at. Without it, on a terminal, it is shown with what differs, and you are asked.
    reason
        What the emergency is.
    """
    async with asking(writing) as (gateway, output):
        looked_at = seal or await _looked_at(gateway, output, plan, "approve")
        body = {"seal": looked_at, "reason": reason}
        await _post(
            gateway, output, plan, "emergency-approve", body, writing, "Approved; a second person's review is owed"
        )


async def emergency_review(
    plan: str, finding: Literal["accept", "object"], /, *, comment: str, seal: str = "", writing: Writing = WRITE
) -> None:
    """Reviews an emergency approval, as another person.

    Parameters
    ----------
    plan
        Id of the plan.
    finding
        What you find.
    comment
        What you found, in words.
    seal
        Which one, where the plan owes several reviews. Default: the newest.
    """
    body = {"finding": finding, "comment": comment} | ({"seal": seal} if seal else {})
    async with asking(writing) as (gateway, output):
        await _post(gateway, output, plan, "emergency-review", body, writing, "Reviewed")


async def give(to: str, /, *, until: str, reason: str = "", writing: Writing = WRITE) -> None:
    """Lets another vote in your place on all plans.

    Parameters
    ----------
    to
        Who votes for you, such as user:ben.
    until
        Until when (RFC 3339).
    reason
        Why.
    """
    async with asking(writing) as (gateway, output):
        path = f"/api/v1/delegations/{segment(user_reference(to))}"
        answer = await gateway.send("PUT", path, {"until": until, "reason": reason}, key=writing.key)
        show_done(output, answer, f"Delegated to {user_reference(to)} until {when(until)}")


async def end(to: str, /, *, writing: Writing = WRITE) -> None:
    """Takes your delegation on all plans back; what was voted under it stands.

    Parameters
    ----------
    to
        To whom it was given.
    """
    async with asking(writing) as (gateway, output):
        path = f"/api/v1/delegations/{segment(user_reference(to))}"
        show_done(output, await gateway.send("DELETE", path, None, key=writing.key), "Delegation taken back")


async def list_delegations(*, reading: Reading = READ) -> None:
    """Lists the delegations on all plans that you gave and were given."""
    async with asking(reading) as (gateway, output):
        answer = await gateway.get("/api/v1/delegations")
        if output.as_json:
            output.json(answer.body)
            return
        view = answer.json()
        rows = [
            (one["by"], one["to"], when(one["until"]), one["reason"]) for one in (*view["given"], *view["received"])
        ]
        output.table(("by", "to", "until", "reason"), rows, empty="No delegations.")


async def list_letters(plan: str, /, *, reading: Reading = READ) -> None:
    """Lists the letters about a plan's approval, and how they fared.

    Parameters
    ----------
    plan
        Id of the plan.
    """
    async with asking(reading) as (gateway, output):
        answer = await gateway.get(f"/api/v1/plans/{segment(plan)}/letters")
        if output.as_json:
            output.json(answer.body)
            return
        rows = [
            (
                one["round"],
                one["person"],
                one["kind"],
                one["state"],
                one["attempts"],
                when(one["next_at"]),
                one["error"],
            )
            for one in answer.json()["letters"]
        ]
        columns = ("round", "to", "about", "state", "attempts", "next", "error")
        output.table(columns, rows, empty="No letters.")


async def resend_letters(plan: str, /, *, writing: Writing = WRITE) -> None:
    """Tries the letters of the newest round again that were given up.

    Parameters
    ----------
    plan
        Id of the plan.
    """
    async with asking(writing) as (gateway, output):
        path = f"/api/v1/plans/{segment(plan)}/letters/resend"
        show_done(output, await gateway.send("POST", path, None, key=writing.key), "They are tried again")


async def _post(
    gateway: Gateway, output: Output, plan: str, verb: str, body: dict[str, Any], writing: Writing, sentence: str
) -> None:
    path = f"/api/v1/plans/{segment(plan)}/{verb}"
    show_done(output, await gateway.send("POST", path, body, key=writing.key, if_match=match_of(writing)), sentence)
