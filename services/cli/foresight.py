"""What would happen, told to a person: whether a plan could be sealed."""

from typing import Any

from services.cli.exits import Exit
from services.cli.options import Reading, asking, segment
from services.cli.output import Output


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
