"""Commands on deliveries: hooks on their way out, what became of each attempt, and trying them again."""

from typing import Annotated, Any, Literal

from cyclopts import Parameter

from services.cli.client import Gateway
from services.cli.options import READ, WRITE, Reading, Writing, asking, segment
from services.cli.output import Output, when
from services.cli.problems import usage

State = Literal["due", "pending", "sending", "retrying", "delivered", "dead"]
COLUMNS = ("id", "event", "round", "endpoint", "state", "attempts", "status", "created", "next try", "error")


async def list_deliveries(
    plan: str | None = None,
    /,
    *,
    endpoint: str | None = None,
    state: Annotated[list[State] | None, Parameter(consume_multiple=False)] = None,
    since: str | None = None,
    until: str | None = None,
    limit: int = 100,
    reading: Reading = READ,
) -> None:
    """Lists hooks and how they got through, the newest first.

    Parameters
    ----------
    plan
        Id of the plan. Default: all plans, for administrators.
    endpoint
        Only those to this endpoint.
    state
        Only those in this state; give it several times.
    since
        Only those raised at or after this time (RFC 3339).
    until
        Only those raised before this time (RFC 3339).
    limit
        How many at most, up to 500.
    """
    async with asking(reading) as (gateway, output):
        answer = await gateway.get(
            "/api/v1/deliveries",
            plan=plan,
            endpoint=endpoint,
            state=",".join(state) if state else None,
            since=since,
            until=until,
            limit=limit,
        )
        if output.as_json:
            output.json(answer.body)
            return
        page = answer.json()
        output.table(COLUMNS, [row_of(one) for one in page["deliveries"]], empty="No hook was due yet.")
        if page["next"]:
            output.note("There are older ones; --limit shows more.")


def row_of(one: dict[str, Any]) -> tuple[object, ...]:
    """A delivery as a line of a table with `COLUMNS`."""
    return (
        one["id"],
        one["event"],
        one["round"] or "",
        one["endpoint_name"],
        one["state"],
        one["attempts"],
        one["status"] or "",
        when(one["created_at"]),
        when(one["next_at"]),
        one["error"],
    )


async def show(delivery: str, /, *, reading: Reading = READ) -> None:
    """Shows a delivery with its attempts.

    Parameters
    ----------
    delivery
        Id of the delivery; it is the hook's `webhook-id`.
    """
    async with asking(reading) as (gateway, output):
        answer = await gateway.get(f"/api/v1/deliveries/{segment(delivery)}")
        if output.as_json:
            output.json(answer.body)
            return
        one = answer.json()
        output.pairs(
            {
                "Delivery": one["id"],
                "Event": f"{one['event']} (raised at position {one['raised_by']})",
                "Plan": one["plan"],
                "Endpoint": one["endpoint_name"],
                "Format": one["format"],
                "State": one["state"],
                "Why": one["reason"],
                "Next try": when(one["next_at"]),
                "Body": f"{one['size']} bytes, SHA-256 {one['sha256']}" if one["size"] else "",
                "Resent by": one["resent_by"],
            }
        )
        _attempts(output, one["tried"])


def _attempts(output: Output, tried: list[dict[str, Any]]) -> None:
    rows = [
        (
            one["number"],
            when(one["at"]),
            one["outcome"] or "under way",
            one["status"] or "",
            "" if one["latency_ms"] is None else f"{one['latency_ms']} ms",
            one["error"],
            one["detail"],
        )
        for one in tried
    ]
    output.heading("Attempts")
    output.table(("no", "at", "outcome", "status", "latency", "error", "detail"), rows, empty="Not tried yet.")


async def resend(
    *deliveries: str,
    endpoint: str | None = None,
    plan: str | None = None,
    since: str | None = None,
    until: str | None = None,
    state: Annotated[list[State] | None, Parameter(consume_multiple=False)] = None,
    writing: Writing = WRITE,
) -> None:
    """Tries deliveries once more, now: these, or all dead ones of an endpoint or a plan, or since a time.

    Parameters
    ----------
    deliveries
        Ids of deliveries.
    endpoint
        All of this endpoint.
    plan
        All of this plan.
    since
        All raised at or after this time (RFC 3339).
    until
        And before this time (RFC 3339).
    state
        Those in this state instead of dead ones; give it several times.
    """
    filters = {"endpoint": endpoint, "plan": plan, "since": since, "until": until, "state": state}
    body: dict[str, Any] = {name: value for name, value in filters.items() if value is not None}
    if deliveries:
        body["deliveries"] = list(deliveries)
    elif not {"endpoint", "plan", "since"} & set(body):
        raise usage("Say which: ids of deliveries, --endpoint, --plan or --since.")
    async with asking(writing) as (gateway, output):
        sent = await _sent(gateway, body, writing.key)
        show_resent(output, sent, none="There was none to try again.")


def show_resent(output: Output, sent: dict[str, Any], *, none: str) -> None:
    """What came of an order to resend (`contracts.hook_http.Resent`); `none` where it found nothing."""
    if output.as_json:
        output.json(sent)
        return
    refused = [(one["delivery"], one["code"], one["detail"]) for one in sent["refused"]]
    output.note(f"{len(sent['resent'])} are tried again." if sent["resent"] or refused else none)
    if refused:
        output.table(("delivery", "code", "why"), refused)


async def _sent(gateway: Gateway, body: dict[str, Any], key: str) -> dict[str, Any]:
    """All pages of an order to resend. Of several, each has a key of its own."""
    sent: dict[str, Any] = {"resent": [], "refused": []}
    after, page = "", 0
    while True:
        own = f"{key}-{page}" if key and page else key
        more = {"after": after} if after else {}
        answer = (await gateway.send("POST", "/api/v1/deliveries/resend", body | more, key=own)).json()
        sent["resent"] += answer["resent"]
        sent["refused"] += answer["refused"]
        after, page = answer["next"] or "", page + 1
        if not after:
            return sent
