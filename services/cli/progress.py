"""`plan progress`: how far a plan is, and when it may end."""

from collections.abc import Mapping
from typing import Any

from services.cli.options import READ, Reading, asking, segment
from services.cli.output import Output, when


async def progress(plan: str, /, *, reading: Reading = READ) -> None:
    """Shows how far a plan is, and when it may end by earlier runs of the same workflows.

    Parameters
    ----------
    plan
        Id of the plan.
    """
    async with asking(reading) as (gateway, output):
        answer = await gateway.get(f"/api/v1/plans/{segment(plan)}/progress")
        if output.as_json:
            output.json(answer.body)
        else:
            show_progress(output, answer.json())


def show_progress(output: Output, view: Mapping[str, Any]) -> None:
    """Prints a plan's progress as the gateway answers it (`contracts.progress.ProgressView`)."""
    output.pairs(
        {
            "Plan": view["id"],
            "Status": view["status"],
            "Settled": f"{view['settled']} of {view['total']}",
            "Running": view["running"],
            "Failed": view["failed"],
            "Expected end": when(view["expected_end"]) or "unknown",
            "Earliest end": when(view["earliest_end"]),
            "Length unknown": view["unknown"],
            "Critical path": " > ".join(view["critical_path"]),
        }
    )
    output.heading("Items")
    rows = [
        (
            item["item"],
            item["status"],
            when(item["started_at"]),
            when(item["ended_at"]),
            "unknown"
            if item["usual_seconds"] is None
            else f"{item['usual_seconds']:.1f} s of {item['from_runs']} runs",
            when(item["expected_end"]),
        )
        for item in view["items"]
    ]
    output.table(("item", "status", "started", "ended", "usually takes", "expected end"), rows)
