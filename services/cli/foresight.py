"""What would happen, told to a person: whether a plan could be sealed, and how it would go."""

from typing import Any

from services.cli.exits import Exit
from services.cli.options import READ, Reading, asking, segment
from services.cli.output import Output, when


async def check_seal(plan: str, reading: Reading) -> int:
    """Prints what sealing would say. Exit code 1 where it would refuse."""
    async with asking(reading) as (gateway, output):
        answer = await gateway.get(f"/api/v1/plans/{segment(plan)}/seal-check")
        check = answer.json()
        if output.as_json:
            output.json(answer.body)
        else:
            _show_check(output, check)
        return Exit.OK if check["sealable"] else Exit.REFUSED


def _show_check(output: Output, check: dict[str, Any]) -> None:
    if check["sealable"]:
        output.pairs({"Seal": check["seal"]})
        output.heading("Sections")
        output.table(("section", "digest"), check["sections"].items())
        output.note(f"It can be sealed (version {check['version']}).")
        return
    output.note(f"{check['detail']} ({check['code']})")
    if check["faults"]:
        output.table(("where", "what"), [(fault["path"], fault["detail"]) for fault in check["faults"]])


async def rehearse(plan: str, /, *, steps: bool = False, reading: Reading = READ) -> int:
    """Says how a plan would go from now on, by the rules that will run it, with nothing done.

    Who would be asked, which gates would open, which items may run side by side, how long it would take by earlier runs, and
    whether the window suffices. Ends with code 1 where the plan would not get to its end.

    Parameters
    ----------
    plan
        Id of the plan.
    steps
        Print every event that would be recorded, in order, instead.
    """
    async with asking(reading) as (gateway, output):
        answer = await gateway.get(f"/api/v1/plans/{segment(plan)}/rehearsal")
        rehearsal = answer.json()
        if output.as_json:
            output.json(answer.body)
        elif steps:
            rows = [(when(one["at"]), one["type"], one["item"] or one["gate"], one["by"]) for one in rehearsal["steps"]]
            output.table(("at", "event", "on", "by"), rows)
        else:
            _show_rehearsal(output, rehearsal)
        return Exit.OK if rehearsal["outcome"] == "success" else Exit.REFUSED


def _show_rehearsal(output: Output, told: dict[str, Any]) -> None:
    suffices = {True: "suffices", False: "does not suffice", None: ""}[told["window_suffices"]]
    spare = f", {_length(told['spare_seconds'])} to spare" if told["spare_seconds"] is not None else ""
    at_least = told["at_least_seconds"]
    output.pairs(
        {
            "Outcome": told["outcome"],
            "Why": f"{told['detail']} ({told['code']})" if told["code"] else "",
            "Items start": when(told["starts_at"]),
            "Ends": when(told["ends_at"]),
            "Takes": _length(told["expected_seconds"])
            or (f"{_length(at_least)} at least" if at_least is not None else ""),
            "Window": f"{suffices}{spare}".removeprefix(", "),
        }
    )
    if told["faults"]:
        output.table(("where", "what"), [(fault["path"], fault["detail"]) for fault in told["faults"]])
    _show_asked(output, told)
    if told["items"]:
        output.heading("Items")
        rows = [
            (one["stage"] or "", one["item"], when(one["starts_at"]), _length(one["expected_seconds"]), one["basis"])
            for one in sorted(told["items"], key=lambda one: one["stage"] or len(told["items"]))
        ]
        output.table(("stage", "item", "starts", "takes", "how known"), rows)
    for one in told["assumptions"]:
        output.note(one)


def _show_asked(output: Output, told: dict[str, Any]) -> None:
    if told["approval"]:
        output.heading("Who is asked")
        rules = [
            (level["level"], when(level["opens_at"]), rule["needed"], rule["people"], list(rule["kept_out"]))
            for level in told["approval"]
            for rule in level["rules"]
        ]
        output.table(("level", "opens", "needed", "people", "kept out"), rules)
    if told["hooks"]:
        output.heading("Hooks")
        hooks = [
            (one["event"], when(one["at"]), one["waits"], when(one["deadline"]), one["endpoints"])
            for one in told["hooks"]
        ]
        output.table(("event", "at", "waits", "deadline", "endpoints"), hooks)


def _length(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
