"""Commands on the items of a plan: complete, tick, execute, cancel, retry, skip, waive, and the log of a run."""

from typing import Any

from services.cli.client import Gateway
from services.cli.exits import Exit
from services.cli.options import READ, WRITE, Reading, Writing, asking, match_of, segment, show_done
from services.cli.output import Output
from services.cli.problems import Problem


async def complete(plan: str, item: str, /, *, remark: str = "", writing: Writing = WRITE) -> None:
    """Confirms that a text item is done.

    Parameters
    ----------
    plan
        Id of the plan.
    item
        Id of the item.
    remark
        What to note about it.
    """
    await _order(plan, item, "complete", {"remark": remark}, writing, "Completed")


async def tick(plan: str, item: str, step: str, /, *, undo: bool = False, writing: Writing = WRITE) -> None:
    """Ticks one sub-step of a text item.

    Parameters
    ----------
    plan
        Id of the plan.
    item
        Id of the item.
    step
        Id of the sub-step.
    undo
        Take the tick away.
    """
    body = {"step": step, "ticked": not undo}
    await _order(plan, item, "tick", body, writing, "Tick taken away" if undo else "Ticked")


async def execute(plan: str, item: str, /, *, writing: Writing = WRITE) -> None:
    """Runs the workflow of an item.

    Parameters
    ----------
    plan
        Id of the plan.
    item
        Id of the item.
    """
    await _order(plan, item, "execute", {}, writing, "Started")


async def retry(plan: str, item: str, /, *, writing: Writing = WRITE) -> None:
    """Runs a failed item again, from the step that failed.

    Parameters
    ----------
    plan
        Id of the plan.
    item
        Id of the item.
    """
    await _order(plan, item, "retry", {}, writing, "Started again")


async def cancel(plan: str, item: str, /, *, reason: str, writing: Writing = WRITE) -> None:
    """Cancels the running attempt of an item.

    Parameters
    ----------
    plan
        Id of the plan.
    item
        Id of the item.
    reason
        Why.
    """
    await _order(plan, item, "cancel", {"reason": reason}, writing, "Asked to stop")


async def skip(plan: str, item: str, /, *, reason: str, writing: Writing = WRITE) -> None:
    """Leaves an item out of this release.

    Parameters
    ----------
    plan
        Id of the plan.
    item
        Id of the item.
    reason
        Why.
    """
    await _order(plan, item, "skip", {"reason": reason}, writing, "Skipped")


async def waive(plan: str, item: str, /, *, reason: str, writing: Writing = WRITE) -> None:
    """Accepts a failed item as it is.

    Parameters
    ----------
    plan
        Id of the plan.
    item
        Id of the item.
    reason
        Why.
    """
    await _order(plan, item, "waive", {"reason": reason}, writing, "Waived")


async def log(
    plan: str, item: str, /, *, attempt: int | None = None, follow: bool = False, reading: Reading = READ
) -> None:
    """Prints what an item's run has printed.

    Parameters
    ----------
    plan
        Id of the plan.
    item
        Id of the item.
    attempt
        Which attempt, from 1 on. Default: the newest.
    follow
        Go on with what it prints until it has ended; then the exit code says whether it is done.
    """
    async with asking(reading) as (gateway, output):
        path = f"/api/v1/plans/{segment(plan)}/items/{segment(item)}/log"
        if follow:
            await _follow(gateway, output, path, attempt)
            return
        text = (await gateway.get(path, attempt=attempt)).body.decode(errors="replace")
        if output.as_json:
            output.json({"plan": plan, "item": item, "attempt": attempt, "log": text})
        else:
            output.raw(text)


async def _follow(gateway: Gateway, output: Output, path: str, attempt: int | None) -> None:
    async for event in gateway.follow(f"{path}/stream", None, attempt=attempt):
        if output.as_json:
            output.json_line(event.data)
        else:
            output.piece(str(event.data.get("text", "")))
        if event.data.get("ended"):
            which, outcome = f"Attempt {event.data.get('attempt')}", event.data.get("outcome")
            if outcome != "done":
                raise Problem(f"{which} has ended as {outcome}: {event.data.get('error')}", Exit.REFUSED)
            output.note(f"{which} is done.")
            return


async def _order(plan: str, item: str, verb: str, body: dict[str, Any], writing: Writing, sentence: str) -> None:
    async with asking(writing) as (gateway, output):
        path = f"/api/v1/plans/{segment(plan)}/items/{segment(item)}/{verb}"
        answer = await gateway.send("POST", path, body, key=writing.key, if_match=match_of(writing))
        show_done(output, answer, sentence)
        if not output.as_json:
            _show_failed(output, answer.json().get("next", ()))


def _show_failed(output: Output, moves: list[dict[str, Any]]) -> None:
    """What may be done about items that have failed meanwhile, one line each."""
    for item in dict.fromkeys(move["item"] for move in moves):
        own = [move for move in moves if move["item"] == item]
        verbs, who = " or ".join(move["verb"] for move in own), ", ".join(own[0]["by"])
        output.note(f"Item {item} has failed: {verbs} it ({who}).", style="yellow")
