"""Commands on the gates of a plan: what it waits for; hooks sent again; asked again, or overridden with a reason."""

from typing import Any, Literal

from services.cli.delivery import COLUMNS, row_of, show_resent
from services.cli.options import READ, WRITE, Reading, Writing, asking, match_of, segment, show_done
from services.cli.output import Output, when

Gate = Literal["finish_planning", "start_execute", "all_job_done"]


async def show(plan: str, /, *, reading: Reading = READ) -> None:
    """Shows what a plan waits for: on whom, since, hooks so far, until when, and what happens then.

    Parameters
    ----------
    plan
        Id of the plan.
    """
    async with asking(reading) as (gateway, output):
        answer = await gateway.get(f"/api/v1/plans/{segment(plan)}/gates")
        if output.as_json:
            output.json(answer.body)
            return
        for gate in answer.json()["gates"]:
            _show(output, gate)


def _show(output: Output, gate: dict[str, Any]) -> None:
    output.heading(f"{gate['gate']}: {gate['state'] if gate['asks'] or gate['round'] else 'told only'}")
    output.pairs(
        {
            "Round": gate["round"] or "",
            "Code": gate["instance_code"],
            "Waiting for": gate["waiting_for"],
            "Since": when(gate["since"]),
            "Until": when(gate["until"]),
            "Said": gate["text"],
            "Then": gate["then"],
        }
    )
    systems = [(one["system"], one["result"], when(one["at"]), one["text"]) for one in gate["systems"]]
    if systems:
        output.table(("system", "answer", "at", "text"), systems)
    if gate["deliveries"]:
        output.table(COLUMNS, [row_of(one) for one in gate["deliveries"]])


async def resend(plan: str, gate: Gate, /, *, writing: Writing = WRITE) -> None:
    """Sends the hooks of the gate's round again, under their ids, with the same code.

    Parameters
    ----------
    plan
        Id of the plan.
    gate
        Which gate.
    """
    async with asking(writing) as (gateway, output):
        path = f"/api/v1/plans/{segment(plan)}/gates/{segment(gate)}/resend"
        sent = (await gateway.send("POST", path, {}, key=writing.key)).json()
        show_resent(output, sent, none="No hook went out for this round.")


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
