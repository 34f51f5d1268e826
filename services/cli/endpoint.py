"""Commands on hooks: where they go (`endpoint put`, `endpoint list`), and how they got there (`delivery list`)."""

from typing import Annotated, Any, Literal

from cyclopts import Parameter

from services.cli.files import read_text
from services.cli.options import READ, WRITE, File, Reading, Writing, asking, match_of, segment, show_done
from services.cli.output import when

Event = Literal["finish_planning", "start_execute", "all_job_done"]


async def put(
    name: str,
    url: str,
    /,
    *,
    secret_file: File | None = None,
    event: Annotated[list[Event] | None, Parameter(consume_multiple=False)] = None,
    disabled: bool = False,
    writing: Writing = WRITE,
) -> None:
    """Stores where hooks go.

    Parameters
    ----------
    name
        Name of the endpoint.
    url
        Where to POST.
    secret_file
        File with the secret that signs the hooks, `-` for stdin. Default: the one kept before stays.
    event
        Only this event; give it several times. Default: all three.
    disabled
        Keep it, but send nothing.
    """
    body: dict[str, Any] = {"url": url, "enabled": not disabled}
    if secret_file is not None:
        body["secret"] = read_text(secret_file).strip()
    if event:
        body["events"] = event
    async with asking(writing) as (gateway, output):
        answer = await gateway.send(
            "PUT", f"/api/v1/endpoints/{segment(name)}", body, key=writing.key, if_match=match_of(writing)
        )
        show_done(output, answer, f"Stored endpoint {name}")


async def list_endpoints(*, reading: Reading = READ) -> None:
    """Lists where hooks go."""
    async with asking(reading) as (gateway, output):
        answer = await gateway.get("/api/v1/endpoints")
        if output.as_json:
            output.json(answer.body)
            return
        rows = [
            (one["name"], one["url"], one["events"], one["enabled"], one["signed"], one["id"])
            for one in answer.json()["endpoints"]
        ]
        output.table(("name", "url", "events", "enabled", "signed", "id"), rows, empty="There is no endpoint.")


async def list_deliveries(plan: str, /, *, reading: Reading = READ) -> None:
    """Lists the hooks of a plan and how they got through.

    Parameters
    ----------
    plan
        Id of the plan.
    """
    async with asking(reading) as (gateway, output):
        answer = await gateway.get(f"/api/v1/plans/{segment(plan)}/deliveries")
        if output.as_json:
            output.json(answer.body)
            return
        rows = [
            (
                one["id"],
                one["event"],
                one["round"],
                one["state"],
                one["attempts"],
                one["status"] or "",
                when(one["created_at"]),
                when(one["next_at"]),
                one["error"],
            )
            for one in answer.json()["deliveries"]
        ]
        columns = ("id", "event", "round", "state", "attempts", "status", "created", "next try", "error")
        output.table(columns, rows, empty="No hook was due yet.")
